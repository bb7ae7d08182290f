"""What windows were judged, and what they came to over time. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.domain.statistics import STATISTIC_NAMES
from driftline.domain.streams import Stream
from driftline.domain.verdicts import Feature, gravest
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.moved import MOVED, Moved, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.hours import CellSpan
    from driftline.domain.verdicts import Kind
    from driftline.store.connection import Connection

# Rows of one key share a month, so that months need not be merged with each other.
FINAL = {"do_not_merge_across_partitions_select_final": 1}

_STREAM = f"{STREAM} AND segment = ''"
ENDS = (
    "window_end > toDateTime({first:UInt32} * 3600, 'UTC') "
    "AND window_end <= toDateTime({end:UInt32} * 3600, 'UTC')"
)
END_HOUR = "intDiv(toUnixTimestamp(window_end), 3600)"

_JUDGED = """
SELECT model_name, model_version, environment,
    intDiv(toUnixTimestamp(min(hour)), 3600) + 1, intDiv(toUnixTimestamp(max(hour)), 3600) + 1
FROM judged_hours GROUP BY model_name, model_version, environment
"""

_CELLS = f"""
SELECT feature AS name, kind, intDiv({END_HOUR} - 1 - {{first:UInt32}}, {{cell:UInt32}}) AS cell, verdict
FROM verdict_records FINAL
WHERE {_STREAM} AND reference = {{reference:String}} AND {ENDS}
GROUP BY name, kind, cell, verdict
"""

_EFFECTS = f"""
SELECT intDiv({END_HOUR} - 1 - {{first:UInt32}}, {{cell:UInt32}}) AS cell,
    max(abs(counted / greatest(sample_size, 1) - toFloat64(expected)))
FROM verdict_records FINAL
WHERE {STREAM} AND segment = {{segment:String}} AND feature = {{feature:String}}
    AND kind = {{kind:String}} AND reference = {{reference:String}} AND scale_hours = {{scale:UInt16}}
    AND verdict IN ('page', 'warn', 'ok') AND channel_kind != '' AND NOT isNaN(expected) AND {ENDS}
GROUP BY cell ORDER BY cell
"""

_NEWEST = f"""
SELECT toString(feature) AS name, toString(kind), toString(reference) AS against, scale_hours,
    toString(verdict), effect_low, effect_high, reference_size, completeness, {", ".join(STATISTIC_NAMES)},
    {MOVED}
FROM verdict_records FINAL
WHERE {_STREAM} AND window_end = toDateTime({{end:UInt32}} * 3600, 'UTC')
ORDER BY name, against, scale_hours
"""

# By stream its newest windows; months in which none of them ended are left aside.
_STATES = f"""
SELECT toString(model_name), toString(model_version), toString(environment), toString(feature),
    toString(kind), toString(reference), scale_hours, toString(verdict), completeness, {END_HOUR}, {MOVED}
FROM verdict_records FINAL
WHERE (model_name, model_version, environment) IN {{streams:Array(Tuple(String, String, String))}}
    AND segment = '' AND window_end IN (SELECT toDateTime(arrayJoin({{ends:Array(UInt32)}}) * 3600, 'UTC'))
    AND window_end >= toDateTime({{oldest:UInt32}} * 3600, 'UTC')
"""

_RUNS = """
SELECT model_version, training_run_id, git_commit, git_dirty, artifact_uri FROM training_runs FINAL
WHERE model_name = {model:String} ORDER BY registered_time
"""


@dataclass(frozen=True, slots=True)
class JudgedSpan:
    """A stream and the windows judged of it.

    Args:
        stream: which.
        first_end: when its oldest window ended, in hours.
        last_end: when its newest window ended, in hours.
    """

    stream: Stream
    first_end: int
    last_end: int


@dataclass(frozen=True, slots=True)
class NewestVerdict:
    """What the newest window of one scale comes to; the columns are documented in ``schemas/clickhouse``."""

    feature: str
    kind: Kind
    reference: str
    scale_hours: int
    verdict: str
    channel: str | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    detectable_effect: float | None
    sample_size: int
    reference_size: int
    completeness: float
    statistics: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class State:
    """What the newest window of one scale comes to for a feature against a reference, in short."""

    feature: str
    kind: Kind
    reference: str
    scale_hours: int
    verdict: str
    completeness: float
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Which run made a model version, as far as it was registered."""

    model_version: str
    training_run_id: str
    git_commit: str | None
    git_dirty: bool | None
    artifact_uri: str | None


def read_judged(connection: Connection) -> Sequence[JudgedSpan]:
    """Return every stream with verdicts."""
    rows = connection.rows(_JUDGED)
    return [JudgedSpan(Stream(*row[:3]), int(row[3]), int(row[4])) for row in rows]


def read_cells(
    connection: Connection, stream: Stream, span: CellSpan, *, reference: str, feature: Feature | None = None
) -> Mapping[Feature, Mapping[int, str]]:
    """Return the gravest verdict of all scales by feature and cell; cells without verdicts are left out.

    Args:
        connection: to the store.
        stream: whose.
        span: whose cells.
        reference: training or production.
        feature: only this one; None: all.
    """
    bound = {**_bound(stream, span), "reference": reference}
    query = (
        _CELLS.replace("GROUP BY", "AND feature = {feature:String} AND kind = {kind:String} GROUP BY")
        if feature is not None
        else _CELLS
    )
    if feature is not None:
        bound |= {"feature": feature.name, "kind": feature.kind}
    found: dict[Feature, dict[int, str]] = {}
    for name, kind, cell, verdict in connection.rows(query, parameters=bound, settings=FINAL):
        cells = found.setdefault(Feature(name, kind), {})
        known = cells.get(cell)
        cells[cell] = verdict if known is None else gravest([known, verdict])
    return found


def read_effects(
    connection: Connection,
    stream: Stream,
    feature: Feature,
    span: CellSpan,
    *,
    reference: str,
    scale_hours: int,
    segment: str = "",
) -> Mapping[int, float]:
    """Return, by cell, the largest effect of one scale's windows: a share of rows, without sign.

    Args:
        connection: to the store.
        stream: whose.
        feature: of which feature.
        span: whose cells.
        reference: training or production.
        scale_hours: length of the windows.
        segment: of this part of the traffic; empty: of all of it.
    """
    bound = {
        **_bound(stream, span),
        "feature": feature.name,
        "kind": feature.kind,
        "reference": reference,
        "scale": scale_hours,
        "segment": segment,
    }
    rows = connection.rows(_EFFECTS, parameters=bound, settings=FINAL)
    return {int(cell): float(effect) for cell, effect in rows}


def read_newest(connection: Connection, stream: Stream, end_hour: int) -> Sequence[NewestVerdict]:
    """Return the verdicts of all windows that ended at an hour, by feature, reference and scale."""
    bound = {**stream_parameters(stream), "end": end_hour}
    rows = connection.rows(_NEWEST, parameters=bound, settings=FINAL)
    return [_newest(*row) for row in rows]


def read_states(connection: Connection, ends: Mapping[Stream, int]) -> Mapping[Stream, Sequence[State]]:
    """Return what the newest windows of many streams come to.

    Args:
        connection: to the store.
        ends: by stream when its newest window ended, in hours.
    """
    if not ends:
        return {}
    bound = {
        "streams": [(each.model_name, each.model_version, each.environment) for each in ends],
        "ends": sorted(set(ends.values())),
        "oldest": min(ends.values()),
    }
    found: dict[Stream, list[State]] = {}
    for row in connection.rows(_STATES, parameters=bound, settings=FINAL):
        stream, (feature, kind, reference, scale, verdict, completeness, end) = Stream(*row[:3]), row[3:10]
        if ends[stream] == end:
            reason = Moved(*row[10:]).text
            found.setdefault(stream, []).append(
                State(feature, kind, reference, scale, verdict, completeness, reason)
            )
    return found


def read_training_runs(connection: Connection, model_name: str) -> Sequence[TrainingRun]:
    """Return a model's registered training runs, the oldest first."""
    rows = connection.rows(_RUNS, parameters={"model": model_name})
    return [TrainingRun(*row) for row in rows]


def _newest(*row: Any) -> NewestVerdict:
    feature, kind, reference, scale, verdict, low, high, reference_size, completeness, *others = row
    statistics = dict(zip(STATISTIC_NAMES, others, strict=False))
    moved = Moved(*others[len(STATISTIC_NAMES) :])
    return NewestVerdict(
        feature,
        kind,
        reference,
        scale,
        verdict,
        channel=moved.channel.text if moved.channel else None,
        effect=moved.effect,
        effect_low=number(low),
        effect_high=number(high),
        detectable_effect=moved.detectable_effect,
        sample_size=moved.sample_size,
        reference_size=reference_size,
        completeness=completeness,
        statistics={name: value for name, value in statistics.items() if number(value) is not None},
        reason=moved.text,
    )


def _bound(stream: Stream, span: CellSpan) -> dict[str, Any]:
    return {
        **stream_parameters(stream),
        "first": span.first_hour,
        "end": span.end_hour,
        "cell": span.cell_hours,
    }
