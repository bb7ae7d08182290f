"""Which versions got worse, and in which part of the traffic: what `driftline performance --drops` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.performance.drops import drops_by_segment, standings_of
from driftline.store.performance import read_performance_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.streams import Stream
    from driftline.performance.drops import Standing
    from driftline.store.connection import Connection

DROP_COLUMNS: Final = "model_name version metric segment value low high before against drop".split()


def drop_rows(connection: Connection, model_name: str | None, *, now_s: float) -> Sequence[dict[str, Any]]:
    """Return how served versions stand, in all of their traffic and in each part, the largest drop first.

    Args:
        connection: to the store.
        model_name: of this model only; None: of all.
        now_s: the time now, seconds since the epoch.
    """
    rows: list[dict[str, Any]] = []
    for stream in read_performance_streams(connection):
        if model_name and stream.model_name != model_name:
            continue
        rows += _rows(stream, "", standings_of(connection, stream, now_s=now_s))
        for segment, standings in drops_by_segment(connection, stream, now_s=now_s).items():
            rows += _rows(stream, segment, standings)
    return sorted(rows, key=lambda row: -row["drop"])


def _rows(stream: Stream, segment: str, standings: Sequence[Standing]) -> Sequence[dict[str, Any]]:
    return [
        {
            **stream._asdict(),
            "metric": each.metric,
            "segment": segment,
            "value": each.recent.value,
            "low": each.recent.low,
            "high": each.recent.high,
            "before": None if each.past is None else each.past.value,
            "against": each.against,
            "drop": each.drop,
        }
        for each in standings
    ]
