"""What the joint check keeps: projections, the counts of hours, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.streams import Stream
from driftline.profiles import NumericCounts
from driftline.store.hours import STREAM, stream_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from driftline.store.connection import Connection

_COUNT_NAMES = ["rows", "total", "buckets", "counts", "minima", "maxima", "together"]
_FINDING_NAMES = [
    "feature",
    "kind",
    "scale_hours",
    "window_start",
    "window_end",
    "episode_start",
    "withdrawn",
]


@dataclass(frozen=True, slots=True)
class JointCounts:
    """What is counted of one hour.

    Args:
        hour: hours since the Unix epoch, UTC.
        rows: of the sample.
        total: rows that it was taken from.
        numbers: of the distance and the residuals, on the grids of the projection.
        together: rows that have both or neither of a pair, (p,).
    """

    hour: int
    rows: int
    total: int
    numbers: tuple[NumericCounts, ...]
    together: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class JointFinding:
    """A pseudo feature that surely changed in a window; hours count from the Unix epoch, UTC."""

    feature: str
    kind: str
    scale_hours: int
    window_start: int
    window_end: int
    episode_start: int


def write_projection(connection: Connection, stream: Stream, week: int, text: str) -> None:
    """Keep the projection of a week."""
    connection.insert(
        "joint_projections",
        [[*stream, week, text]],
        column_names=[*Stream._fields, "week", "projection"],
    )


def read_projection(connection: Connection, stream: Stream, week: int) -> str | None:
    """Return the projection of a week, None where none is kept."""
    rows = connection.rows(
        f"SELECT projection FROM joint_projections FINAL WHERE {STREAM} AND week = {{week:UInt32}}",
        parameters={**stream_parameters(stream), "week": week},
    )
    return str(rows[0][0]) if rows else None


def write_joint_counts(
    connection: Connection, stream: Stream, week: int, counted: Sequence[JointCounts]
) -> None:
    """Keep the counts of hours; those that are written again replace the earlier ones."""
    if counted:
        connection.insert(
            "joint_profiles",
            [
                [
                    *stream,
                    week,
                    _time(one.hour),
                    one.rows,
                    one.total,
                    [number.buckets.tolist() for number in one.numbers],
                    [number.counts.tolist() for number in one.numbers],
                    [number.minimum for number in one.numbers],
                    [number.maximum for number in one.numbers],
                    one.together.tolist(),
                ]
                for one in counted
            ],
            column_names=[*Stream._fields, "week", "hour", *_COUNT_NAMES],
        )


def read_joint_counts(
    connection: Connection, stream: Stream, week: int, *, first_hour: int, end_hour: int
) -> Sequence[JointCounts]:
    """Return the counts of hours in [first_hour, end_hour) by the projection of a week, ascending."""
    rows = connection.rows(
        f"SELECT intDiv(toUnixTimestamp(hour), 3600), {', '.join(_COUNT_NAMES)} FROM joint_profiles FINAL "
        f"WHERE {STREAM} AND week = {{week:UInt32}} AND hour >= fromUnixTimestamp({{first:UInt32}}) "
        "AND hour < fromUnixTimestamp({end:UInt32}) ORDER BY hour",
        parameters={
            **stream_parameters(stream),
            "week": week,
            "first": first_hour * 3600,
            "end": end_hour * 3600,
        },
    )
    return [
        JointCounts(
            hour=hour,
            rows=size,
            total=total,
            numbers=tuple(
                NumericCounts(np.array(held, dtype=np.int32), np.array(count, dtype=np.int64), low, high)
                for held, count, low, high in zip(buckets, counts, minima, maxima, strict=True)
            ),
            together=np.array(together, dtype=np.int64),
        )
        for hour, size, total, buckets, counts, minima, maxima, together in rows
    ]


def write_joint_findings(
    connection: Connection, stream: Stream, findings: Sequence[JointFinding], *, withdrawn: bool = False
) -> None:
    """Keep what was found, or that it is found no more; of the same finding the last one holds."""
    if findings:
        connection.insert(
            "joint_findings",
            [
                [
                    *stream,
                    one.feature,
                    one.kind,
                    one.scale_hours,
                    _time(one.window_start),
                    _time(one.window_end),
                    _time(one.episode_start),
                    withdrawn,
                ]
                for one in findings
            ],
            column_names=[*Stream._fields, *_FINDING_NAMES],
        )


def read_joint_findings(
    connection: Connection, stream: Stream, *, since_hour: int, end_hour: int
) -> Sequence[JointFinding]:
    """Return what was found, and not withdrawn, in windows that ended after one hour, and by another."""
    hours = [
        f"intDiv(toUnixTimestamp({name}), 3600)" for name in ("window_start", "window_end", "episode_start")
    ]
    rows = connection.rows(
        f"SELECT feature, kind, scale_hours, {', '.join(hours)} FROM joint_findings FINAL WHERE {STREAM} "
        "AND window_end > fromUnixTimestamp({since:UInt32}) "
        "AND window_end <= fromUnixTimestamp({end:UInt32}) AND NOT withdrawn",
        parameters={**stream_parameters(stream), "since": since_hour * 3600, "end": end_hour * 3600},
    )
    return [JointFinding(*row) for row in rows]


def _time(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)
