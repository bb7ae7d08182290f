"""Made traffic with habits: campaigns, batch jobs, bots, holidays, paydays, ids, releases, another clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bench.traffic import CATEGORY, START_HOUR, Fault, Traffic, make_columns
from driftline.domain.names import VOLUME
from driftline.profiles import CategoricalCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.traffic import Kind
    from driftline.profiles import Grid, HourProfile

REGIMES = {
    "season": 5_000,
    "campaign": 5_000,
    "random campaign": 5_000,
    "batch": 5_000,
    "bot": 5_000,
    "month end": 5_000,
    "ids": 500,
    "clock": 5_000,
    "rush": 2_000,
    "holiday": 2_000,
    "known holiday": 2_000,
    "payday": 2_000,
    "surge": 2_000,
    "release": 2_000,
}
"""Regimes with their rows an hour: a season, and what else there is.

- campaign: each Wednesday from 17 to 21 o'clock every third column and the category shift; new.
- random campaign: the same for four hours a week, chosen at random; in the history, too.
- batch: a job at 2 o'clock of seven nights in ten, at 3 in the others; in the history, too.
- bot: in 2 % of hours 3 % of the rows are one and the same; in the history, too.
- month end: the last day of each month all columns shift; in the history, too.
- ids: a text of its own in each row.
- clock: the traffic comes an hour earlier from a day on.
- rush: rows share what moves an hour, and there are ten times as many at noon as at night.
- holiday: a day in five weeks at random looks like another, with half as many rows; none in the history.
- known holiday: two in five weeks, and the calendar names them; in the history, too.
- payday: the 25th of each month has half as many rows again, and every third column and the category shift.
- surge: for six hours every nine days or so twice as many rows, of a mix that shifts by half as much: a
  competitor is down; none in the history.
- release: over the three days of an app's release the mix shifts for good, bit by bit; new, once.
"""

NAMED = {"known holiday": "Founders' Day"}
"""The regimes whose special hours the calendar knows, and what it calls them."""

FAULTS: dict[str, tuple[str, Fault]] = {
    "mean + 0.3 sd": ("x00", Fault(mean_sd=0.3)),
    "mix 5 %": (CATEGORY, Fault(mix=0.05)),
    "nulls + 8": ("x01", Fault(nulls=0.08)),
    "rename": (CATEGORY, Fault()),
    "unit": ("x01", Fault()),
    "stuck": ("x03", Fault()),
    "volume / 2": (VOLUME, Fault()),
}
"""The feature that each hits, and what it does as far as `Fault` can say it."""

_SHIFT_SD = 0.4
_HOURS = 4
_WEDNESDAY_AT_17 = 65
_TIMES_SHIFTED = {"batch": 2.0, "surge": 0.5}
_TIMES_THE_ROWS = {"holiday": 0.5, "known holiday": 0.5, "payday": 1.5, "surge": 2.0}
_SURGE_DAYS, _SURGE_HOURS = 9, 6
_RELEASE_HOURS = 72
_LONGEST_HOURS = 20_000


class HabitTraffic:
    """Endless hours of one regime.

    Args:
        regime: one of `REGIMES`.
        rows: in an hour, on average.
        rng: makes everything.
        new_after: after so many hours begins what is new.
        columns: how many numeric columns, at most 20.
    """

    def __init__(
        self, regime: str, rows: int, rng: np.random.Generator, *, new_after: int, columns: int
    ) -> None:
        self.regime, self._rng = regime, rng
        kind: Kind = "noise" if regime == "rush" else "season"
        self._traffic = Traffic(kind, rows, rng, make_columns()[:columns])
        self._new_from = START_HOUR + new_after
        self._ids = 0
        self._shift = np.zeros(columns + 2)
        moved = [*range(0, columns, 3), columns]
        self._shift[moved] = _SHIFT_SD * rng.choice([-1, 1], len(moved))
        self._planned = range(0)
        self._hour = START_HOUR
        self._holidays: set[int] = set()
        if regime == "known holiday":
            days = np.flatnonzero(rng.random(_LONGEST_HOURS // 24) < 2 / 35)
            self._holidays = {START_HOUR // 24 + day for day in days.tolist()}

    @property
    def grids(self) -> dict[str, Grid]:
        """The grids of its numeric columns."""
        return self._traffic.grids

    @property
    def named(self) -> Sequence[tuple[int, int]]:
        """The special hours that the calendar knows: the first of each run, and the one after its last."""
        return [(24 * day, 24 * day + 24) for day in sorted(self._holidays)]

    def first_judged(self, judged: int) -> int:
        """Return the hour of the first of so many that were drawn last."""
        return self._hour - judged

    def next_profile(self, fault: str = "") -> HourProfile:
        """Draw the next hour as counts, perhaps with a fault."""
        truth = self._traffic.step()
        if self.regime == "clock" and self._hour == self._new_from:
            truth = self._traffic.step()
        truth = replace(truth, hour=self._hour)
        self._hour += 1
        if self.regime == "rush":
            rows = truth.rows * (1.05 - np.cos(2 * np.pi * truth.hour / 24))
            truth = replace(truth, rows=max(round(rows), 1))
        if self._is_special(truth.hour):
            drift = truth.drift + self._shift * _TIMES_SHIFTED.get(self.regime, 1.0)
            rows = round(truth.rows * _TIMES_THE_ROWS.get(self.regime, 1.0))
            truth = replace(truth, drift=drift, rows=rows)
        elif self.regime == "release" and self._hour > self._new_from:
            done = min((self._hour - self._new_from) / _RELEASE_HOURS, 1.0)
            truth = replace(truth, drift=truth.drift + self._shift * done)
        if fault == "volume / 2":
            truth = replace(truth, rows=truth.rows // 2)
        profile = self._traffic.draw_counts(truth, FAULTS[fault][1] if fault else Fault())
        return _broken(self._with_others(profile), fault)

    def _is_special(self, hour: int) -> bool:
        self._plan(hour)
        local = (hour - START_HOUR) % 168
        if self.regime == "campaign":
            return hour >= self._new_from and _WEDNESDAY_AT_17 <= local < _WEDNESDAY_AT_17 + _HOURS
        if self.regime == "known holiday":
            return hour // 24 in self._holidays
        if self.regime == "payday":
            return datetime.fromtimestamp(hour * 3600, UTC).day == 25
        if self.regime == "month end":
            return (datetime.fromtimestamp(hour * 3600, UTC) + timedelta(days=1)).day == 1
        return hour in self._planned

    def _plan(self, hour: int) -> None:
        """Choose, when a day or a week begins, which of its hours are special."""
        rng, since = self._rng, (hour - START_HOUR) % 168
        if self.regime == "random campaign" and since == 0:
            begin = hour + int(rng.integers(168 - _HOURS))
            self._planned = range(begin, begin + _HOURS)
        elif self.regime == "batch" and since % 24 == 0:
            begin = hour + (2 if rng.random() < 0.7 else 3)
            self._planned = range(begin, begin + 1)
        elif self.regime == "holiday" and since % 24 == 0:
            is_one = hour >= self._new_from and rng.random() < 1 / 35
            self._planned = range(hour, hour + 24 * is_one)
        elif self.regime == "surge" and hour >= max(self._new_from, self._planned.stop):
            is_one = rng.random() < 1 / (24 * _SURGE_DAYS)
            self._planned = range(hour, hour + _SURGE_HOURS * is_one)

    def _with_others(self, profile: HourProfile) -> HourProfile:
        if self.regime == "ids":
            names = {f"id-{self._ids + place}": 1 for place in range(profile.rows)}
            self._ids += profile.rows
            categorical = {**profile.categorical, "session": CategoricalCounts(names)}
            return replace(profile, categorical=categorical)
        if self.regime == "bot" and self._rng.random() < 0.02:
            more = profile.rows * 3 // 97
            numeric = {}
            for name, counted in profile.numeric.items():
                counts = counted.counts.copy()
                counts[counts.size * 2 // 3] += more
                numeric[name] = replace(counted, counts=counts)
            city = dict(profile.categorical[CATEGORY].counts)
            city["Cork"] = city.get("Cork", 0) + more
            categorical = {CATEGORY: CategoricalCounts(city)}
            return replace(profile, rows=profile.rows + more, numeric=numeric, categorical=categorical)
        return profile


def _broken(profile: HourProfile, fault: str) -> HourProfile:
    """Return a profile with those faults that counts are changed for."""
    name = FAULTS[fault][0] if fault else ""
    if fault == "rename":
        counts = {
            "Kork" if city == "Cork" else city: n for city, n in profile.categorical[name].counts.items()
        }
        return replace(profile, categorical={**profile.categorical, name: CategoricalCounts(counts)})
    if fault in ("unit", "stuck"):
        own = profile.numeric[name]
        if fault == "stuck":
            middle = own.buckets.size // 2
            total = np.array([own.counts.sum()])
            own = replace(
                own, buckets=own.buckets[middle : middle + 1], counts=total, minimum=1.0, maximum=1.0
            )
        else:
            own = replace(own, buckets=own.buckets + 12)
        return replace(profile, numeric={**profile.numeric, name: own})
    return profile
