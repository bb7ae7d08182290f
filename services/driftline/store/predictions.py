"""Single predictions of one stream, the newest first, chosen by time, slice and values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from driftline.domain.names import LABEL, NUMBER, class_of, feature_of, output_of, shown_tags
from driftline.domain.streams import Stream
from driftline.errors import SettingError, StatementError
from driftline.store.answer import numeric_part
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.kinds import categories_of_model, text_of
from driftline.store.outcomes import read_truths
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.store.connection import Connection

_LOOK_BACK = (timedelta(hours=6), timedelta(days=7))
_PATIENCE_S = 10
_TOO_SLOW = frozenset({159, 160})  # TIMEOUT_EXCEEDED, TOO_SLOW

# In the order of the table's key as far as that goes, so that reading stops once there are enough.
ROWS = """
SELECT event_id, counted_time, prediction_number, prediction_label, tags,
    {number} AS number, {category} AS category
FROM predictions WHERE {conditions}
ORDER BY hour DESC, counted_time DESC, event_id DESC LIMIT {{limit:UInt32}}
"""
PART = (
    "((mapContains(tags, {key:String}) AND tags[{key:String}] = {part:String}) OR "
    "(mapContains(categorical_features, {key:String}) "
    "AND categorical_features[{key:String}] = {part:String}))"
)
"""SQL: rows of one part of the traffic, by the parameters ``key`` and ``part``."""

_NO_NUMBER, _NO_CATEGORY = "CAST(NULL, 'Nullable(Float64)')", "CAST(NULL, 'Nullable(String)')"
_STREAMS = """
SELECT DISTINCT toString(model_version) AS version, toString(environment) AS environment
FROM
(
    SELECT model_version, environment FROM derived_hours WHERE model_name = {model:String}
    UNION ALL
    SELECT model_version, environment FROM predictions
    WHERE model_name = {model:String} AND landed_at >= now() - INTERVAL 10 MINUTE
)
ORDER BY version DESC, environment
"""
# What is not derived yet is newer than what is, or in the same hours, or late.
_NEWEST = f"""
SELECT max(counted_time) FROM predictions
WHERE {STREAM} AND hour >= (SELECT max(hour) FROM derived_hours WHERE {STREAM})
"""
_FEATURES = f"""
SELECT DISTINCT toString(feature) AS name FROM profiles
WHERE {STREAM} AND segment = '' AND feature != '' AND {visible(STREAM)}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which predictions of a stream are wanted; what is None, or an empty name, does not matter.

    Args:
        since: of this time or later, in UTC.
        until: before this time, in UTC.
        part: of this part of the traffic, ``key=value`` of a tag or a categorical feature.
        feature: which feature `value`, `low`, `high` and `is_missing` are about, and which one is shown.
        kind: with a value of this kind only, `numeric` or `categorical`; empty: of any.
        value: the value, as text: a category, or a number (also ``nan`` and ``inf``).
        low: numbers of this size or larger.
        high: numbers of this size or smaller.
        is_missing: without any value.
    """

    since: datetime | None = None
    until: datetime | None = None
    part: str = ""
    feature: str = ""
    kind: str = ""
    value: str | None = None
    low: float | None = None
    high: float | None = None
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """The prediction behind which a list goes on: its time, in UTC, and its id."""

    time: datetime
    event_id: UUID

    def __str__(self) -> str:
        return f"{self.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}_{self.event_id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what `str` wrote.

        Raises:
            ValueError: it is something else.
        """
        time, _, event_id = text.partition("_")
        return cls(datetime.fromisoformat(time).replace(tzinfo=UTC), UUID(event_id))


@dataclass(frozen=True, slots=True)
class PredictionLine:
    """One prediction in a list.

    Args:
        event_id: its id.
        time: when it was made, in UTC.
        number: what the model answered.
        label: what the model answered.
        tags: its tags, without driftline's own.
        value: of the feature that is asked for; None: it has none, or none is asked for.
        actual: the outcome; None: not known yet.
    """

    event_id: UUID
    time: datetime
    number: float | None
    label: str | None
    tags: Mapping[str, str]
    value: float | str | None = None
    actual: float | str | None = None

    @property
    def cursor(self) -> Cursor:
        """Where the list goes on behind it."""
        return Cursor(self.time, self.event_id)


def read_predictions(
    connection: Connection, stream: Stream, wanted: Filter, *, limit: int, after: Cursor | None = None
) -> Sequence[PredictionLine]:
    """Return predictions, the newest first.

    Args:
        connection: to the store.
        stream: whose.
        wanted: which.
        limit: at most so many.
        after: go on behind this one.

    Raises:
        SettingError: finding them takes too long.
    """
    rows: Sequence[Sequence[Any]] = ()
    for since in _starts(connection, stream, wanted, after):
        rows = _rows(connection, stream, replace(wanted, since=since), after, limit)
        if len(rows) == limit:
            break
    actuals = _actuals(connection, [row[0] for row in rows])
    return [
        PredictionLine(
            event_id,
            time.replace(tzinfo=UTC),
            answer,
            label,
            shown_tags(tags),
            category if value is None else value,
            actuals.get(event_id),
        )
        for event_id, time, answer, label, tags, value, category in rows
    ]


def _starts(
    connection: Connection, stream: Stream, wanted: Filter, after: Cursor | None
) -> Iterator[datetime | None]:
    """Yield from when on to look: the newest hours first, which mostly hold enough, then all of them."""
    newest = after.time if after else wanted.until or _newest(connection, stream)
    for length in _LOOK_BACK:
        since = newest - length
        if wanted.since is None or wanted.since < since:
            yield since
    yield wanted.since


def _newest(connection: Connection, stream: Stream) -> datetime:
    """Return a time just behind a stream's newest event; of one without rows, the beginning of time."""
    rows = connection.rows(_NEWEST, parameters=stream_parameters(stream))
    newest: datetime = rows[0][0]
    return newest.replace(tzinfo=UTC) + timedelta(seconds=1)


def _rows(
    connection: Connection, stream: Stream, wanted: Filter, after: Cursor | None, limit: int
) -> Sequence[Sequence[Any]]:
    number, category = read_shown_values(connection, stream, wanted.feature)
    conditions, bound = _conditions(stream, wanted, after, (number, category))
    query = ROWS.format(number=number, category=category, conditions=" AND ".join(conditions))
    try:
        return connection.rows(
            query,
            parameters={**bound, "limit": limit},
            settings={"max_execution_time": _PATIENCE_S, "optimize_read_in_order": 1},
        )
    except StatementError as error:
        if error.code not in _TOO_SLOW:
            raise
        raise SettingError(
            f"nothing was found within {_PATIENCE_S} s; name a shorter time, and it will be quick"
        ) from error


def read_versions(connection: Connection, model_name: str) -> Sequence[Stream]:
    """Return the versions and environments that a model has predictions of, the newest version first."""
    rows = connection.rows(_STREAMS, parameters={"model": model_name})
    return [Stream(model_name, version, environment) for version, environment in rows]


def read_feature_names(connection: Connection, stream: Stream) -> Sequence[str]:
    """Return the features that a stream has had, ascending; the answers are among them."""
    return sorted(row[0] for row in connection.rows(_FEATURES, parameters=stream_parameters(stream)))


def _conditions(
    stream: Stream, wanted: Filter, after: Cursor | None, shown: tuple[str, str]
) -> tuple[list[str], dict[str, Any]]:
    conditions, bound = [STREAM], stream_parameters(stream)
    times = (
        ("since", ">=", wanted.since),
        ("until", "<", wanted.until),
    )
    for name, sign, time in times:
        if time is not None:
            bounds = f"{{{name}:DateTime64(6, 'UTC')}}"
            conditions.append(f"hour {sign[0]}= toStartOfHour({bounds}) AND counted_time {sign} {bounds}")
            bound[name] = _micros(time)
    if after is not None:
        conditions.append(
            "hour <= toStartOfHour({after:DateTime64(6, 'UTC')}) "
            "AND (counted_time, event_id) < ({after:DateTime64(6, 'UTC')}, {after_id:UUID})"
        )
        bound |= {"after": _micros(after.time), "after_id": str(after.event_id)}
    key, is_part, value = wanted.part.partition("=")
    if is_part:
        conditions.append(PART)
        bound |= {"key": key, "part": value}
    if wanted.feature:
        bound["feature"] = shown_name(wanted.feature)
        conditions += _value_conditions(wanted, bound, shown)
    return conditions, bound


def _value_conditions(wanted: Filter, bound: dict[str, Any], shown: tuple[str, str]) -> list[str]:
    """Return what the value must be like; what the conditions bind is added to `bound`."""
    number, category = shown
    conditions = []
    if wanted.is_missing:
        conditions.append(f"({number}) IS NULL AND ({category}) IS NULL")
    if wanted.kind:
        conditions.append(f"({number if wanted.kind == 'numeric' else category}) IS NOT NULL")
    if wanted.value is not None:
        either = [f"({category}) = {{value:String}}"]
        bound["value"] = wanted.value
        if (exact := _as_number(wanted.value)) is not None:
            either.append(_equals(number, exact))
            bound["exact"] = exact if math.isfinite(exact) else 0.0
        conditions.append(f"({' OR '.join(either)})")
    for name, sign, limit in (("low", ">=", wanted.low), ("high", "<=", wanted.high)):
        if limit is not None:
            conditions.append(f"({number}) {sign} {{{name}:Float64}}")
            bound[name] = limit
    return conditions


def read_shown_values(connection: Connection, stream: Stream, feature: str) -> tuple[str, str]:
    """Return what `shown_values` does, of what may be a category though it was logged as a number."""
    number, category = shown_values(feature)
    name = feature_of(feature)
    if not name or name not in categories_of_model(connection, stream.model_name):
        return number, category
    held = "numeric_features[{feature:String}]"
    text = f"if(isNaN({held}), NULL, {text_of(held)})"
    return _NO_NUMBER, f"if(mapContains(numeric_features, {{feature:String}}), {text}, {category})"


def shown_values(feature: str) -> tuple[str, str]:
    """Return expressions of a feature's number and of its category, each null where there is none."""
    if not feature:
        return _NO_NUMBER, _NO_CATEGORY
    if feature == NUMBER:
        return "prediction_number", _NO_CATEGORY
    if feature == LABEL:
        return _NO_NUMBER, "prediction_label"
    if (number := numeric_part(feature)) is not None:
        return number, _NO_CATEGORY
    if output_of(feature) is not None:
        return _of_map("numeric_outputs"), _of_map("categorical_outputs")
    return _of_map("numeric_features"), _of_map("categorical_features")


def shown_name(feature: str) -> str:
    """Return what `shown_values` binds as ``feature``: the name under which a row's maps hold its value."""
    return output_of(feature) or class_of(feature) or feature_of(feature) or ""


def _of_map(column: str) -> str:
    name = "{feature:String}"
    return f"if(mapContains({column}, {name}), {column}[{name}], NULL)"


def _equals(number: str, exact: float) -> str:
    if math.isnan(exact):
        return f"isNaN({number})"
    if math.isinf(exact):
        return f"(isInfinite({number}) AND ({number}) {'>' if exact > 0 else '<'} 0)"
    return f"({number}) = {{exact:Float64}}"


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _actuals(connection: Connection, events: Sequence[UUID]) -> Mapping[UUID, float | str | None]:
    if not events:
        return {}
    truths = read_truths(connection, [str(event) for event in events])
    return {UUID(event): truth.actual for event, truth in truths.items()}


def _micros(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
