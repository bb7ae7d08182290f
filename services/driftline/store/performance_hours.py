"""Hours of which performance is counted: which are to be counted anew, and letting counts count.

A pointer says how many predictions and how many outcomes of them an hour's counts hold. Both only grow, so as
long as there are as many, the counts hold exactly these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from driftline.domain.streams import REFERENCE, HourKey, Stream
from driftline.store.derive import delete_unpointed
from driftline.store.derive_performance import COLUMNS, bound, counted
from driftline.store.hours import DERIVING, HOUR, KEYS, LONGEST_INSERT_S, rows_of_hours, which_hours

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.store.recipes import Recipes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TOUCHED = f"""
SELECT DISTINCT {KEYS}, {HOUR} FROM predictions
WHERE event_id IN (SELECT event_id FROM outcomes WHERE landed_at >= {{since:DateTime64(3, 'UTC')}})
"""
# Of models that have an outcome: hours whose predictions are derived otherwise than they are counted here.
_BEHIND = f"""
SELECT {KEYS}, {HOUR} FROM
(
    SELECT {KEYS}, hour, counted, segments, if(environment = '{REFERENCE}', recipe, 0) AS registration
    FROM derived_hours FINAL
    WHERE model_name IN {{models:Array(String)}} AND counted > 0
) AS derived
LEFT JOIN
(
    SELECT {KEYS}, hour, segments AS performance_segments, registration AS performance_registration,
        rows AS performance_rows
    FROM performance_hours FINAL WHERE model_name IN {{models:Array(String)}}
) AS known USING ({KEYS}, hour)
WHERE counted > performance_rows OR segments != performance_segments
    OR registration != performance_registration
"""
_POINTERS = f"""
SELECT {KEYS}, {HOUR}, rows, outcomes, segments, registration FROM performance_hours FINAL WHERE %s
"""
_HELD = f"""
SELECT {KEYS}, {HOUR} AS at, count(), sum(reported), max(has_classes)
FROM
(
    SELECT {KEYS}, hour, event_id, notEmpty(class_probabilities) AS has_classes
    FROM predictions WHERE %(hours)s
) AS made
LEFT JOIN
(
    SELECT event_id, uniqExact(session_id, sequence, content) AS reported FROM outcomes
    WHERE event_id IN (SELECT event_id FROM predictions WHERE %(hours)s) GROUP BY event_id
) AS truths ON made.event_id = truths.event_id
GROUP BY {KEYS}, at
"""
_POINT = (
    "model_name model_version environment hour derivation rows outcomes segments registration seconds"
).split()


class Held(NamedTuple):
    """What there is of an hour: predictions that count, outcomes of them, whether classes have a share."""

    rows: int
    outcomes: int
    has_classes: bool


@dataclass(frozen=True, slots=True)
class PerformancePointer:
    """What an hour's performance counts were made of.

    Args:
        rows: predictions that count.
        outcomes: of them.
        segments: hash of the segments that they were counted in.
        registration: of a reference: number of the one that its rows are of; else 0.
    """

    rows: int
    outcomes: int
    segments: int
    registration: int

    def is_settled(self, hour: HourKey, held: Held, recipes: Recipes) -> bool:
        """Return whether the counts hold what there is of their hour, or that has begun to expire."""
        if self.registration != registration_of(hour, recipes):
            return False
        if held.rows < self.rows:
            return True
        is_same = self.segments == recipes.segments_hash(hour.stream.model_name)
        return is_same and held[:2] == (self.rows, self.outcomes)


def registration_of(hour: HourKey, recipes: Recipes) -> int:
    """Return the number of the registration whose rows an hour of a reference holds; else 0."""
    return recipes.number_of(hour.stream) if hour.stream.environment == REFERENCE else 0


def read_labelled_models(connection: Connection) -> Mapping[str, datetime]:
    """Return the models of which performance is counted, and when an hour of each was counted last."""
    query = "SELECT model_name, max(derived_at) FROM performance_hours GROUP BY model_name"
    return {str(name): last.replace(tzinfo=UTC) for name, last in connection.rows(query)}


def read_touched_by_outcomes(connection: Connection, since: datetime) -> frozenset[HourKey]:
    """Return the hours of predictions whose outcomes landed since a time, or were under way then.

    Args:
        connection: to the store.
        since: by the store's clock; the epoch: all that there are.
    """
    looked_from = max(since - timedelta(seconds=LONGEST_INSERT_S), _EPOCH)
    rows = connection.rows(_TOUCHED, parameters={"since": looked_from})
    return frozenset(HourKey(Stream(*row[:3]), int(row[3])) for row in rows)


def read_hours_behind(connection: Connection, models: Collection[str]) -> frozenset[HourKey]:
    """Return the hours of models of which not all derived predictions are counted, or in other segments."""
    if not models:
        return frozenset()
    rows = connection.rows(_BEHIND, parameters={"models": sorted(models)})
    return frozenset(HourKey(Stream(*row[:3]), int(row[3])) for row in rows)


def read_performance_pointers(
    connection: Connection, hours: Collection[HourKey]
) -> Mapping[HourKey, PerformancePointer]:
    """Return what is counted of these hours."""
    rows = rows_of_hours(connection, _POINTERS, hours, settings=DERIVING)
    return {HourKey(Stream(*row[:3]), int(row[3])): PerformancePointer(*row[4:]) for row in rows}


def count_held(
    connection: Connection, hours: Collection[HourKey], recipes: Recipes
) -> Mapping[HourKey, Held]:
    """Return what there is of these hours; those without predictions that count are left out."""
    counts = recipes.counts(hours)
    query = _HELD % {"hours": f"%s AND {counts.sql}"}
    rows = rows_of_hours(connection, query, hours, counts.bound, settings=DERIVING)
    return {HourKey(Stream(*row[:3]), int(row[3])): Held(row[4], row[5], bool(row[6])) for row in rows}


def _chosen(hours: Collection[HourKey], recipes: Recipes) -> tuple[str, dict[str, object]]:
    condition, parameters = which_hours(hours)
    counts = recipes.counts(hours)
    return f"{condition} AND {counts.sql}", {**parameters, **counts.bound}


def derive_performance(
    connection: Connection, held: Mapping[HourKey, Held], recipes: Recipes, *, derivation: int
) -> None:
    """Write what is counted of these hours. It counts for nobody until `point_to_performance` says so.

    Args:
        connection: to the store.
        held: which hours, of models that are counted in the same segments, and what there is of them.
        recipes: in what segments.
        derivation: their new id.
    """
    condition, parameters = _chosen(held.keys(), recipes)
    segments = recipes.segments_of(next(iter(held)).stream.model_name)
    selected = counted(condition, has_classes=any(each.has_classes for each in held.values()))
    listed = COLUMNS.replace(" ", ", ")
    connection.insert_selected(
        f"INSERT INTO performance_counts (derivation, {listed}) "
        f"SELECT {{derivation:UInt64}}, {listed} FROM ({selected})",
        {**bound(segments), **parameters, "derivation": derivation},
        settings=DERIVING,
    )


def point_to_performance(
    connection: Connection, held: Mapping[HourKey, Held], recipes: Recipes, *, derivation: int, seconds: float
) -> None:
    """Let counts count, all of them in one insert.

    Args:
        connection: to the store.
        held: which hours, and what there was of them before they were counted.
        recipes: in what segments.
        derivation: their id.
        seconds: what it took; each hour gets its share by predictions.
    """
    total = max(sum(each.rows for each in held.values()), 1)
    rows: Sequence[Sequence[object]] = [
        [
            *hour.stream,
            hour.hour * 3600,
            derivation,
            each.rows,
            each.outcomes,
            recipes.segments_hash(hour.stream.model_name),
            registration_of(hour, recipes),
            seconds * each.rows / total,
        ]
        for hour, each in held.items()
    ]
    connection.insert("performance_hours", rows, column_names=_POINT)


_NAMES = f"{KEYS}, hour, derivation"


def visible_performance(hours: str = "1") -> str:
    """Return SQL for whether a row of `performance_counts` counts.

    Args:
        hours: SQL condition over the pointers, the same as is asked of the rows: it keeps the list short.
    """
    return f"({_NAMES}) IN (SELECT {_NAMES} FROM performance_hours FINAL WHERE {hours})"


def delete_superseded_performance(connection: Connection, *, older_than_s: int = 900) -> None:
    """Delete counts that no pointer names, unless they may be about to count, or are being read.

    Args:
        connection: to the store.
        older_than_s: of derivations that began longer ago only, seconds.
    """
    delete_unpointed(connection, "performance_counts", visible_performance(), older_than_s=older_than_s)
