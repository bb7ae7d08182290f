"""What early values are worth where late truths are late because they are bad news: the demo's flights.

    python -m bench.flights_labels

For every fifth day from June on, as it was known an hour, six hours and a day after its end: the value with
its interval, and the value of what had come alone, beside what the day came to in the end.
"""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
import pandas as pd

from driftline.demo.client import TRAINED_UNTIL, train
from driftline.demo.flights import FEATURES, load_flights
from driftline.domain.performance import DELAY_EDGES_S
from driftline.performance.delay import HOUR_S, delays_of
from driftline.performance.tally import add_up
from driftline.performance.task import Task
from driftline.performance.timeline import values_of
from driftline.store.performance import HourDelays
from tests.performance.rows import groups_of_columns

DAY, EVERY, DAYS_KNOWN = 24, 5, 60
METRICS = ("accuracy", "precision", "recall", "roc_auc", "log_loss", "brier_score")
TASK = Task("binary")


def scored_flights() -> pd.DataFrame:
    """Return the flights from April on with their scores, in hours since the epoch."""
    flights = load_flights()
    model = train(flights[flights["event_time"] < TRAINED_UNTIL])
    served = flights[flights["event_time"] >= TRAINED_UNTIL].copy()
    served["score"] = model.predict_proba(served[list(FEATURES)])[:, 1].clip(1e-6, 1 - 1e-6)
    epoch = pd.Timestamp(0, tz="UTC")
    for name in ("event_time", "observed_time"):
        served[name] = (served[name] - epoch).dt.total_seconds() / HOUR_S
    served["delay"] = (served["observed_time"] - served["event_time"]).clip(lower=0) * HOUR_S
    served["hour"] = np.floor(served["event_time"]).astype(int)
    return served


def delays_at(flights: pd.DataFrame, now: float) -> list[HourDelays]:
    """Return how long truths took, as far as that was known at a time."""
    seen = flights[(flights["event_time"] <= now) & (flights["event_time"] > now - DAYS_KNOWN * 24)]
    known = seen["late"].notna() & (seen["observed_time"] <= now)
    found = [
        HourDelays(int(hour), "unknown", "", len(rows), 0, ([], []))
        for hour, rows in seen[~known].groupby("hour")
    ]
    places = np.searchsorted(DELAY_EDGES_S, seen["delay"])
    for (hour, late), rows in seen.assign(place=places)[known].groupby(["hour", "late"]):
        at, counts = np.unique(rows["place"], return_counts=True)
        found.append(HourDelays(int(hour), "known", str(int(late)), len(rows), 0, (at, counts)))
    return sorted(found, key=lambda each: each.hour)


def groups_at(flights: pd.DataFrame, now: float) -> dict[int, list]:
    """Return what was known of each hour at a time."""
    known = flights[flights["late"].notna() & (flights["observed_time"] <= now)]
    return {
        int(hour): groups_of_columns(rows["score"].to_numpy(), rows["late"].to_numpy())
        for hour, rows in known.groupby("hour")
    }


def main() -> None:
    """Measure all days."""
    began_s = time.monotonic()
    flights = scored_flights()
    first, last = int(flights["hour"].min()) // DAY * DAY + 62 * DAY, int(flights["hour"].max())
    covered, errors, naive, bases = (defaultdict(list) for _ in range(4))
    for start in range(first, last - 3 * DAY, EVERY * DAY):
        day = flights[(flights["hour"] >= start) & (flights["hour"] < start + DAY)]
        final = TASK.measure(add_up([each for own in groups_at(day, 1e9).values() for each in own]))
        for age in (1, 6, 24):
            now = start + DAY + age
            delays = delays_of(delays_at(flights, now), now_s=now * HOUR_S)
            by_hour = groups_at(day, now)
            groups = add_up([each for own in by_hour.values() for each in own])
            values = values_of(groups, by_hour, delays, TASK)
            for name in METRICS:
                value, expected = values[name], final[name].value
                if value.measured.low is None or expected is None:
                    continue  # Of a day without an alarm there is no precision.
                bases[age].append(value.basis)
                covered[age, name].append(value.measured.low <= expected <= value.measured.high)
                errors[age, name].append(abs(value.measured.value - expected))
                naive[age, name].append(abs(value.naive - expected))
    print("days:", len(covered[1, "recall"]), "bases:", {age: set(each) for age, each in bases.items()})
    print(f"{'age':>4} {'metric':<12} {'covers the final value':>22} {'mean error':>11} {'naive error':>11}")
    for (age, name), own in covered.items():
        off, alone = np.mean(errors[age, name]), np.mean(naive[age, name])
        print(f"{age:>3}h {name:<12} {np.mean(own):>22.1%} {off:>11.5f} {alone:>11.5f}")
    print(f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
