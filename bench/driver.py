"""Drivers: how often the part of the traffic that was hit is named, and none where all of it was.

Made traffic: tags and categorical features of 3 to 40 values and of different sizes, some of which follow
from others (currency and region from country, browser from device), one tag with a value of its own for each
of 5,000 users, and a mixture that differs a little between window and reference. 20 incidents in which a part
of 5 to 30 % of the rows was hit, 8 of them by a pair of values; 20 in which all rows were; and 10 in
which a part grew and nothing else happened. All of it goes through an embedded store.

Run: python -m bench.driver [--rows 10000] [--weeks 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.incidents import Finding, Incident
from driftline.domain.parts import part_text
from driftline.domain.streams import Stream
from driftline.driver.explain import describe, explain_incident
from driftline.embedded import open_store
from driftline.store import migrate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.driver.finding import Driver
    from driftline.store.connection import Connection

Fault = Literal["nulls", "mean", "scale", "category"]
Kind = Literal["part", "whole", "grew"]
Condition = tuple[str, str]
FAULTS: tuple[Fault, ...] = ("nulls", "mean", "scale", "category")
TAGS = ("country", "currency", "device", "browser", "tenant", "app", "user")
CATEGORIES = ("plan", "region", "merchant")
FEATURE = {"nulls": "amount", "mean": "age", "scale": "amount", "category": "merchant"}
SINCE, HOURS = 480_000, 4
NULLS, AWAY = 0.4, 0.7
COLUMNS = (
    "event_id event_time model_name model_version training_run_id session_id sequence environment "
    "numeric_features categorical_features missing_features tags"
).split()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in columns: tags and categories, numbers, and which were hit."""

    texts: Mapping[str, NDArray[np.str_]]
    numbers: Mapping[str, NDArray[np.float64]]
    hit: NDArray[np.bool_]


def draw_texts(rng: np.random.Generator, rows: int, mobile: float) -> dict[str, NDArray[np.str_]]:
    """Draw tags and categories: `mobile` is the share of one device."""

    def pick(name: str, shares: Sequence[float] | NDArray[np.float64]) -> NDArray[np.str_]:
        weights = np.asarray(shares, dtype=float)
        drawn = rng.choice(len(weights), p=weights / weights.sum(), size=rows)
        return np.char.add(name, drawn.astype(str))

    def follow(name: str, source: NDArray[np.str_], values: int, faithful: float) -> NDArray[np.str_]:
        number = np.array([int(one.lstrip("abcdefghijklmnopqrstuvwxyz")) for one in source]) % values
        strays = rng.random(rows) >= faithful
        return np.char.add(name, np.where(strays, rng.integers(0, values, rows), number).astype(str))

    country = pick("c", [30, 20, 15, 10, 8, 7, 6, 4])
    device = pick("d", [mobile, (1 - mobile) * 0.7, (1 - mobile) * 0.3])
    return {
        "country": country,
        "currency": follow("k", country, 6, 0.97),
        "region": follow("r", country, 4, 0.9),
        "device": device,
        "browser": follow("b", device, 5, 0.7),
        "tenant": pick("t", 1 / np.arange(1, 41)),
        "app": pick("v", 0.7 ** np.arange(12)),
        "user": pick("u", np.ones(5000)),
        "plan": pick("p", [50, 25, 15, 10]),
        "merchant": pick("m", 1 / np.arange(1, 31)),
    }


def draw(
    rng: np.random.Generator, rows: int, mobile: float, part: Sequence[Condition] | None, fault: Fault
) -> Rows:
    """Draw rows, and do to those of a part what the fault does; None: to none."""
    texts = draw_texts(rng, rows, mobile)
    plan = np.char.lstrip(texts["plan"], "p").astype(int)
    country = np.char.lstrip(texts["country"], "c").astype(int)
    amount = np.exp(rng.normal(3 + 0.3 * plan - 0.1 * country, 0.8))
    age = rng.normal(40 + 2 * country, 12)
    amount[rng.random(rows) < 0.02] = np.nan
    hit = np.full(rows, part is not None)
    for key, value in part or ():
        hit &= texts[key] == value
    match fault:
        case "nulls":
            amount[hit & (rng.random(rows) < NULLS)] = np.nan
        case "mean":
            age = np.where(hit, age + AWAY * 12, age)
        case "scale":
            amount = np.where(hit, amount * 1.8, amount)
        case "category":
            renamed = hit & (rng.random(rows) < 0.3)
            texts["merchant"] = np.where(renamed, "m0", texts["merchant"])
    return Rows(texts, {"amount": amount, "age": age}, hit)


def store(
    connection: Connection, model: str, rows: Rows, hours: Sequence[int], rng: np.random.Generator
) -> None:
    """Land rows of a model, spread over hours."""
    size = rows.hit.size
    texts = {key: values.tolist() for key, values in rows.texts.items()}
    numbers = {key: values.tolist() for key, values in rows.numbers.items()}
    when = rng.choice(np.array(hours), size=size).tolist()
    lines: list[list[Any]] = []
    for place in range(size):
        held = {key: values[place] for key, values in numbers.items() if values[place] == values[place]}
        time_at = hour_time(when[place]) + timedelta(minutes=place % 60)
        names = [model, "1", "run", "session", place + 1, "production"]
        categories = {key: texts[key][place] for key in CATEGORIES}
        missing = [key for key in numbers if key not in held]
        tags = {key: texts[key][place] for key in TAGS}
        lines.append([uuid.uuid4(), time_at, *names, held, categories, missing, tags])
    connection.insert("prediction_inbox", lines, column_names=COLUMNS)


def channel_of(fault: Fault, before: Rows, window: Rows) -> Channel:
    """Return the channel that a verdict would name: of 19 cuts, the one that moved most."""
    if fault == "nulls":
        return Channel(ChannelKind.NULLS)
    if fault == "category":
        return Channel(ChannelKind.VALUE, "m0")
    old, new = before.numbers[FEATURE[fault]], window.numbers[FEATURE[fault]]
    cuts = np.nanquantile(old, np.arange(1, 20) / 20)
    moved = [abs(np.nanmean(new <= cut) - np.nanmean(old <= cut)) for cut in cuts]
    return Channel(ChannelKind.AT_MOST, float(cuts[int(np.argmax(moved))]))


def incident_of(model: str, fault: Fault, channel: Channel) -> Incident:
    """Return the incident that would have been opened."""
    kind: Literal["categorical", "numeric"] = "categorical" if fault == "category" else "numeric"
    finding = Finding(
        segment="",
        feature=FEATURE[fault],
        kind=kind,
        reference="production",
        channel=channel,
        effect=0.1,
        expected=0.0,
        observed=0.1,
        z=9.0,
        scale_hours=HOURS,
        since=SINCE,
        detected=SINCE + HOURS,
        last=SINCE + HOURS,
        episode_ids=("e",),
    )
    stream = Stream(model, "1", "production")
    return Incident(
        stream=stream, incident_id=model, detected=SINCE + HOURS, state="open", findings=(finding,)
    )


def parts_of(conditions: int) -> list[tuple[Condition, ...]]:
    """Return the parts of 5 to 30 % of the rows that have so many conditions."""
    texts = draw_texts(np.random.default_rng(0), 20_000, 0.5)
    held = {
        (key, str(value)): values == value
        for key, values in texts.items()
        if key != "user"
        for value in np.unique(values)
    }
    large = [one for one, rows in held.items() if rows.mean() >= 0.05]
    found: list[tuple[Condition, ...]] = []
    for part in combinations(large, conditions):
        every = [held[one] for one in part]
        both = np.logical_and.reduce(every)
        # A pair is one where it is clearly less than each of its two.
        is_own = conditions == 1 or all(both.sum() <= 0.8 * each.sum() for each in every)
        if 0.05 <= both.mean() <= 0.3 and is_own:
            found.append(part)
    return found


@dataclass
class Play:
    """Incidents that are made, explained and tallied by their kind."""

    rows: int
    weeks: int
    rng: np.random.Generator
    tally: dict[str, list[bool]]
    took_s: list[float]

    def explain(self, connection: Connection, number: int, kind: Kind, part: tuple[Condition, ...]) -> None:
        """Make one incident, and print what is reported of it."""
        fault = fault_of(number)
        before, window = self._draw(kind, part, fault)
        if kind == "grew":
            fault = "nulls"
        model, hours = f"m{number}", range(SINCE, SINCE + HOURS)
        past = [hour - 168 * week for week in range(1, self.weeks + 1) for hour in hours]
        store(connection, model, before, past, self.rng)
        store(connection, model, window, hours, self.rng)
        incident = incident_of(model, fault, channel_of(fault, before, window))
        began_s = time.perf_counter()
        found = explain_incident(connection, incident).driver
        self.took_s.append(time.perf_counter() - began_s)
        right = is_right(kind, found, window)
        self.tally.setdefault(kind, []).append(right)
        injected = " and ".join(f"{key}={value}" for key, value in part) or kind
        also = f" (also {', '.join(map(part_text, found.also))})" if found.also else ""
        verdict, size = "ok" if right else "NO", f"{window.hit.mean():.0%}"
        print(f"{verdict} {fault} {size} {injected}: {describe(found)}{also}", flush=True)

    def _draw(self, kind: Kind, part: tuple[Condition, ...], fault: Fault) -> tuple[Rows, Rows]:
        grown = kind == "grew"
        before = draw(self.rng, self.rows * self.weeks, 0.50, None, fault)
        window = draw(self.rng, self.rows, 0.75 if grown else 0.55, None if grown else part, fault)
        if grown:  # Half of the part that grows is without an amount, always.
            for rows in (before, window):
                without = (rows.texts["device"] == "d0") & (self.rng.random(rows.hit.size) < 0.5)
                rows.numbers["amount"][without] = np.nan
        return before, window


def fault_of(number: int) -> Fault:
    """Return what happens in the incident of a number."""
    return FAULTS[number % 4]


def is_right(kind: Kind, driver: Driver, window: Rows) -> bool:
    """Return whether what was named holds the rows that were hit: 90 % of both together."""
    if kind == "whole":
        return not driver.part
    if kind == "grew":
        return driver.found == "grew" and driver.part[0].values == ("d0",)
    if driver.found != "part":
        return False
    held = [np.isin(window.texts[one.key], one.values) for one in driver.part]
    named = np.logical_and.reduce(held)
    return bool((named & window.hit).sum() >= 0.9 * (named | window.hit).sum())


def main() -> None:
    """Print what was injected, what was named, and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--weeks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    play = Play(given.rows, given.weeks, rng, {}, [])
    parts = [parts_of(1), parts_of(2)]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"chdb://{folder}/store") as opened,
        closing(opened.connect()) as connection,
    ):
        migrate(connection)
        for number in range(20):
            own = [one for one in parts[number % 8 // 4] if FEATURE[fault_of(number)] not in dict(one)]
            play.explain(connection, number, "part", own[int(rng.integers(len(own)))])
        for number in range(20, 50):
            play.explain(connection, number, "whole" if number < 40 else "grew", ())
    for kind, results in play.tally.items():
        print(f"{kind}: {sum(results)} of {len(results)}")
    print(f"seconds: median {np.median(play.took_s):.2f}, longest {max(play.took_s):.2f}")


if __name__ == "__main__":
    main()
