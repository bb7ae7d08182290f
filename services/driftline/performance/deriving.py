"""Counting what became of predictions, hour by hour, and again when truths come late or are corrected.

Runs in the profiler's loop, behind it: an hour's predictions are counted once they are derived. Killed at any
moment it begins again with a look at everything; what it had written without a pointer counts for nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from driftline.performance.drops import standings_of
from driftline.performance.estimate.standing import outlooks_of
from driftline.performance.metrics import (
    DROP,
    ESTIMATE,
    ESTIMATE_DROP,
    ESTIMATE_ERROR,
    ESTIMATE_HIGH,
    ESTIMATE_LOW,
    HIGH,
    LOW,
    PERFORMANCE_METRICS,
    VALUE,
    WITHDRAWN,
)
from driftline.store.grouping import MOST_HOURS, batches, by_segments
from driftline.store.hours import derivation_id, read_signs, read_store_time
from driftline.store.performance import read_performance_streams
from driftline.store.performance_hours import (
    Held,
    count_held,
    delete_superseded_performance,
    derive_performance,
    point_to_performance,
    read_hours_behind,
    read_labelled_models,
    read_performance_pointers,
    read_touched_by_outcomes,
)
from driftline.store.recipes import RECIPE_TABLES, read_recipes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from driftline.domain.streams import HourKey, Stream
    from driftline.failing import Failing
    from driftline.metrics import Metrics
    from driftline.performance.drops import Standing
    from driftline.performance.estimate.standing import Outlook
    from driftline.store.connection import Connection
    from driftline.store.recipes import Recipes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOK_SHARE = 0.02
"""Of a core, looking whose truth landed takes at most about this share."""

_COST_SHARE = 0.1
"""Of a core, counting the same hours again and again takes at most this share."""

_EXPORT_GAP_S = 300.0
_LONG_LOOK_GAP_S = 3600.0
_LONG_LOOK = timedelta(days=1)
_STEP_S = 5.0
"""A step counts for about so long: what is to be derived does not wait for a backlog."""

MOST_ROWS = 1_000_000
"""So many rows are counted by one statement, unless an hour alone has more."""


class PerformanceDeriver:
    """Counts the performance of all models, or of a shard of them. For one thread.

    Args:
        connection: of the store; its owner closes it.
        monotonic: a clock in seconds.
        random_below: returns a random number from 0 to below its argument.
        is_own: whether a model is this shard's.
        failing: where hours that can't be counted are kept, beside those that can't be derived.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        monotonic: Callable[[], float],
        random_below: Callable[[int], int],
        is_own: Callable[[str], bool],
        failing: Failing[tuple[str, ...]],
    ) -> None:
        self._failing = failing
        self._connection = connection
        self._monotonic = monotonic
        self._random_below = random_below
        self._is_own = is_own
        self._signs: Mapping[str, int] = {}
        self._looked_at = _EPOCH
        self._next_look_s = self._next_count_s = self._next_export_s = monotonic()
        self._to_export: list[Stream] = []
        self._standing: dict[str, dict[tuple[str, ...], float]] = {}
        self._long_look_s = float("-inf")
        self._dirty: set[HourKey] = set()
        self._models: set[str] = set()

    def step(self, stop: threading.Event | None = None, *, is_patient: bool = True) -> int:
        """Look whose truth landed, and count what is due; return how many hours that were.

        Args:
            stop: ends the step early, between two statements.
            is_patient: whether what was counted a moment ago waits for its turn.
        """
        self._look(is_forced=not is_patient)
        if not self._dirty or (is_patient and self._monotonic() < self._next_count_s):
            return 0
        began_s = self._monotonic()
        counted = self._count(stop)
        if not self._dirty:  # What is left of a backlog does not wait.
            took_s = self._monotonic() - began_s
            self._next_count_s = self._monotonic() + took_s * (1 / _COST_SHARE - 1)
        return counted

    def _look(self, *, is_forced: bool) -> None:
        began_s = self._monotonic()
        if not is_forced and began_s < self._next_look_s:
            return
        signs = read_signs(self._connection, ("outcomes", "derived_hours", *RECIPE_TABLES))
        is_long = began_s - self._long_look_s >= _LONG_LOOK_GAP_S
        if signs == self._signs and not is_long:
            self._next_look_s = self._monotonic() + (self._monotonic() - began_s) / _LOOK_SHARE
            return
        if is_long or signs.get("outcomes") != self._signs.get("outcomes"):
            reach = _LONG_LOOK if is_long else timedelta(0)
            looked_at = read_store_time(self._connection)
            if not self._models:
                self._remember()
            touched = read_touched_by_outcomes(self._connection, max(self._looked_at, _EPOCH + reach) - reach)
            self._dirty |= {each for each in touched if self._is_own(each.stream.model_name)}
            self._models |= {each.stream.model_name for each in self._dirty}
            self._looked_at = looked_at
            self._long_look_s = began_s if is_long else self._long_look_s
        self._dirty |= read_hours_behind(self._connection, self._models)
        self._signs = signs
        self._next_look_s = self._monotonic() + (self._monotonic() - began_s) / _LOOK_SHARE

    def _remember(self) -> None:
        """Take in what was counted before this process: truths that landed long before that are in it.

        Hours without counts are found by that. So not all truths there ever were are looked at.
        """
        known = read_labelled_models(self._connection)
        self._models = {name for name in known if self._is_own(name)}
        if self._models:
            self._looked_at = max(known[name] for name in self._models)

    def _count(self, stop: threading.Event | None) -> int:
        """Count those of the dirty hours that are due, the newest first; return how many."""
        recipes = read_recipes(self._connection)
        tried = sorted(
            (each for each in self._dirty if self._failing.is_due(_key(each))),
            key=lambda each: (-each.hour, each.stream),
        )
        groups = [
            group[start : start + MOST_HOURS]
            for group in by_segments(tried, recipes)
            for start in range(0, len(group), MOST_HOURS)
        ]
        counted: list[int] = []
        end_s = self._monotonic() + _STEP_S
        for hours in groups:
            if (stop is not None and stop.is_set()) or (any(counted) and self._monotonic() > end_s):
                break
            self._failing.together(
                hours,
                lambda some: counted.append(self._count_together(some, recipes)),
                describe=lambda hour: (_key(hour), {**hour.stream._asdict(), "step": "performance"}),
            )
        return sum(counted)

    def _count_together(self, hours: Sequence[HourKey], recipes: Recipes) -> int:
        held = count_held(self._connection, hours, recipes)
        pointers = read_performance_pointers(self._connection, hours)
        due = {
            each: own
            for each, own in held.items()
            if each not in pointers or not pointers[each].is_settled(each, own, recipes)
        }
        for batch in batches(due, due, MOST_ROWS):
            self._derive({each: due[each] for each in batch}, recipes)
        self._dirty -= set(hours)
        return len(due)

    def _derive(self, held: Mapping[HourKey, Held], recipes: Recipes) -> None:
        began_s = self._monotonic()
        derivation = derivation_id(read_store_time(self._connection), self._random_below)
        derive_performance(self._connection, held, recipes, derivation=derivation)
        seconds = self._monotonic() - began_s
        point_to_performance(self._connection, held, recipes, derivation=derivation, seconds=seconds)

    def export(self, metrics: Metrics) -> None:
        """Publish how the versions stand that serve, one at a time; what does not serve any more goes."""
        if self._monotonic() < self._next_export_s:
            return
        began_s = self._monotonic()
        if not self._to_export:
            streams = read_performance_streams(self._connection)
            self._to_export = [each for each in streams if self._is_own(each.model_name)]
            self._standing = {each.name: {} for each in PERFORMANCE_METRICS}
        if self._to_export:
            stream = self._to_export.pop()
            now_s = read_store_time(self._connection).timestamp()
            with self._failing.apart((*stream, "standing"), **stream._asdict(), step="performance"):
                standings = standings_of(self._connection, stream, now_s=now_s)
                _publish(self._standing, stream, standings)
                outlooks = outlooks_of(self._connection, stream, standings, now_s=now_s)
                _publish_outlooks(self._standing, stream, outlooks)
        gap_s = (self._monotonic() - began_s) / _LOOK_SHARE
        if not self._to_export:
            for name, series in self._standing.items():
                metrics.replace(name, series)
            gap_s = max(gap_s, _EXPORT_GAP_S)
        self._next_export_s = self._monotonic() + gap_s

    def clean(self) -> None:
        """Delete what no pointer names any more."""
        delete_superseded_performance(self._connection)


def _publish(
    found: Mapping[str, dict[tuple[str, ...], float]], stream: Stream, standings: Sequence[Standing]
) -> None:
    for each in standings:
        labels = (stream.model_name, stream.model_version, each.metric)
        for name, value in ((VALUE, each.recent.value), (LOW, each.recent.low), (HIGH, each.recent.high)):
            if value is not None:
                found[name][labels] = value
        if each.past is not None:
            found[DROP][*labels, each.against] = each.drop


def _publish_outlooks(
    found: Mapping[str, dict[tuple[str, ...], float]], stream: Stream, outlooks: Sequence[Outlook]
) -> None:
    for each in outlooks:
        labels = (stream.model_name, stream.model_version, each.metric)
        trust, measured = each.estimate.trust, each.estimate.measured
        found[WITHDRAWN][labels] = float(trust.is_withdrawn)
        found[ESTIMATE_DROP][labels] = 0.0 if trust.is_withdrawn else each.drop
        if trust.error is not None:
            found[ESTIMATE_ERROR][labels] = trust.error
        ends = ((ESTIMATE, measured.value), (ESTIMATE_LOW, measured.low), (ESTIMATE_HIGH, measured.high))
        for name, value in ends:
            if value is not None and not trust.is_withdrawn:
                found[name][labels] = value


def _key(hour: HourKey) -> tuple[str, ...]:
    return (*hour.stream, str(hour.hour), "performance")
