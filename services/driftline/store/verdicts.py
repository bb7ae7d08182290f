"""Drift verdicts in the store: written by the drift worker, read by everybody.

They are kept as ``verdict_records``, small, and read as the view ``drift_verdicts``, in full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.domain.channels import channel_row
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.statistics import STATISTIC_NAMES
from driftline.domain.streams import Stream
from driftline.domain.verdict_table import FIGURES, Verdicts
from driftline.domain.verdicts import Verdict, VerdictName
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.moved import COLUMNS, Moved, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class JudgedHour:
    """What an hour was judged on.

    Args:
        hour: hours since the Unix epoch, UTC.
        rows: that had landed.
        missing: events of this hour that the ledger missed.
        revision: how often it was judged.
    """

    hour: int
    rows: int
    missing: float
    revision: int = 1


FIGURE_BITS, STATISTIC_BITS = 10, 9
"""How many binary digits are kept of them: errors are at most 0.1 % and 0.2 %."""
SHARE_STEP = 2.0**-16
"""Expected shares are kept in steps of this, or as figures are, where that is finer."""
_LEAST_EXPONENT = -100
"""What is nearer to 0 than two to its power is kept as 0: the store's floats end soon after."""

CHANNEL_NAMES = ("channel_kind", "channel_value", "channel_feature")
_ALIKE = (
    "segment feature kind reference scale_hours revision revised_because verdict sample_size reference_size "
    "completeness listed drivers reason"
).split()
_NAMES = [
    *Stream._fields,
    *_ALIKE,
    "window_end",
    *CHANNEL_NAMES,
    *("counted", "expected", "episode_id", "episode_start", "rank"),
    *(*FIGURES, *STATISTIC_NAMES),
]
_TEXTS = ("segment", "feature", "kind", "reference", "verdict", "reason")
_WHOLE = ("scale_hours", "sample_size", "reference_size", "rank")
_RARE = {
    "revision": 1,
    "revised_because": "",
    "drivers": {},
    "episode_id": "",
    "episode_start": hour_time(0),
}
"""What most verdicts lack, as it is kept of those."""


def write_verdicts(connection: Connection, stream: Stream, verdicts: Sequence[Verdict]) -> None:
    """Insert a stream's verdicts; one that is written again replaces the earlier one.

    Raises:
        StoreError: the store did not take them.
    """
    if not verdicts:
        return
    connection.insert(
        "verdict_records", _columns(stream, verdicts), column_names=_NAMES, column_oriented=True
    )


def _columns(stream: Stream, verdicts: Sequence[Verdict]) -> Sequence[Sequence[Any]]:
    """Return verdicts as columns of ``verdict_records``."""
    table = Verdicts.of(verdicts)
    count = len(table)
    of_channel = {id(channel): channel_row(channel) for channel in table.column("channel").tolist()}
    channels = [of_channel[id(channel)] for channel in table.column("channel").tolist()]
    counted = np.nan_to_num(table.column("observed")) * table.column("sample_size")
    own: dict[str, list[Any]] = {name: [value] * count for name, value in _RARE.items()}
    for place, verdict in table.own.items():
        own["revision"][place], own["revised_because"][place] = verdict.revision, verdict.revised_because
        own["drivers"][place], own["episode_id"][place] = verdict.drivers, verdict.episode_id or ""
        own["episode_start"][place] = hour_time(verdict.episode_start or 0)
    ends = table.column("window_end").astype(np.int64).tolist()
    times = {end: hour_time(end) for end in set(ends)}
    columns: dict[str, Sequence[Any]] = {
        **{name: [value] * count for name, value in stream._asdict().items()},
        **{name: table.column(name).tolist() for name in _TEXTS},
        **{name: table.column(name).astype(np.int64).tolist() for name in _WHOLE},
        **{name: [row[place] for row in channels] for place, name in enumerate(CHANNEL_NAMES)},
        **own,
        "listed": table.column("listed").astype(np.bool_).tolist(),
        "completeness": table.column("completeness").tolist(),
        "window_end": [times[end] for end in ends],
        "counted": np.rint(counted).astype(np.int64).tolist(),
        "expected": kept(table.column("expected"), step=SHARE_STEP),
        **{name: kept(table.column(name)) for name in FIGURES},
        **{name: kept(table.column(name), STATISTIC_BITS) for name in STATISTIC_NAMES},
    }
    return [columns[name] for name in _NAMES]


def kept(
    numbers: Sequence[float | None] | NDArray[np.float64],
    bits: int = FIGURE_BITS,
    *,
    step: float = math.inf,
) -> Sequence[float]:
    """Return numbers as they are kept, NaN for None.

    Args:
        numbers: any.
        bits: how many binary digits are kept of each.
        step: they are kept in steps of this, a power of two, where that is finer.
    """
    values = np.array(numbers, dtype=np.float64)
    _, exponent = np.frexp(values)
    unit = np.minimum(np.ldexp(1.0, np.maximum(exponent, _LEAST_EXPONENT) - bits), step)
    rounded = np.where(np.isfinite(values), np.rint(values / unit) * unit, values)
    return rounded.tolist()  # type: ignore[no-any-return]  # of numbers


def read_verdicts(
    connection: Connection,
    *,
    model_name: str | None = None,
    since: datetime | None = None,
    verdicts: Sequence[str] = (),
    limit: int = 1000,
) -> Sequence[Mapping[str, Any]]:
    """Return verdicts as they stand in the store, the newest window first.

    Args:
        connection: to the store.
        model_name: of this model only.
        since: of windows that ended after this time only.
        verdicts: of these names only, such as ``page``.
        limit: at most so many.
    """
    conditions = ["1"]
    bound: dict[str, Any] = {"limit": limit}
    if model_name is not None:
        conditions.append("model_name = {model:String}")
        bound["model"] = model_name
    if since is not None:
        conditions.append("window_end > {since:DateTime('UTC')}")
        bound["since"] = since
    if verdicts:
        conditions.append("verdict IN {verdicts:Array(String)}")
        bound["verdicts"] = list(verdicts)
    query = (
        f"SELECT * FROM drift_verdicts WHERE {' AND '.join(conditions)} "
        "ORDER BY window_end DESC, model_name, model_version, rank, feature, reference, scale_hours "
        "LIMIT {limit:UInt32}"
    )
    return connection.named_rows(query, bound)


def read_episode_verdicts(
    connection: Connection, stream: Stream, *, after_hour: int, until_hour: int, verdict: str = ""
) -> Sequence[Verdict]:
    """Return a stream's verdicts that belong to an episode, of all its segments, as judges resume them.

    Args:
        connection: to the store.
        stream: whose.
        after_hour: of windows that ended after this hour only.
        until_hour: and not after this one.
        verdict: of this name only, such as ``page``, whether or not an episode is named; empty: of any.
    """
    return _read(
        connection,
        "if({verdict:String} = '', episode_start > toDateTime(0, 'UTC'), verdict = {verdict:String}) "
        "AND window_end > toDateTime({after:UInt32} * 3600, 'UTC') "
        "AND window_end <= toDateTime({until:UInt32} * 3600, 'UTC')",
        {**stream_parameters(stream), "verdict": verdict, "after": after_hour, "until": until_hour},
    )


def read_windows(
    connection: Connection, stream: Stream, *, first_end: int, last_end: int
) -> Sequence[Verdict]:
    """Return a stream's verdicts on windows that ended from one hour to another, both of them included.

    Args:
        connection: to the store.
        stream: which.
        first_end: hours since the Unix epoch, UTC.
        last_end: the same.
    """
    return _read(
        connection,
        "window_end BETWEEN toDateTime({first:UInt32} * 3600, 'UTC') "
        "AND toDateTime({last:UInt32} * 3600, 'UTC')",
        {**stream_parameters(stream), "first": first_end, "last": last_end},
    )


def _read(connection: Connection, where: str, bound: Mapping[str, Any]) -> Sequence[Verdict]:
    rows = connection.rows(
        f"SELECT {', '.join(_NAMES)} FROM verdict_records FINAL WHERE {STREAM} AND {where}", bound
    )
    return [_verdict(dict(zip(_NAMES, row, strict=True))) for row in rows]


def _verdict(row: Mapping[str, Any]) -> Verdict:
    """Return a row of ``verdict_records`` as a verdict."""
    end, start = hour_of(row["window_end"]), hour_of(row["episode_start"])
    moved = Moved(*(row[name] for name in COLUMNS))
    known: dict[str, Any] = {name: row[name] for name in _ALIKE}
    figures: dict[str, Any] = {name: number(row[name]) for name in FIGURES}
    return Verdict(
        **{**known, "verdict": VerdictName(row["verdict"])},
        **figures,
        window_start=end - row["scale_hours"],
        window_end=end,
        channel=moved.channel,
        effect=moved.effect,
        expected=moved.expected,
        observed=moved.observed,
        statistics={name: row[name] for name in STATISTIC_NAMES if not math.isnan(row[name])},
        episode_id=row["episode_id"] or None,
        episode_start=start or None,
        rank=row["rank"] or None,
    )


def last_judged_hour(connection: Connection, stream: Stream) -> int | None:
    """Return the hour (since the Unix epoch) behind the last window that was judged, or None."""
    rows = connection.rows(
        f"SELECT count(), intDiv(toUnixTimestamp(max(window_end)), 3600) FROM verdict_records WHERE {STREAM}",
        parameters=stream_parameters(stream),
    )
    return int(rows[0][1]) if rows[0][0] else None


def read_judged_until(connection: Connection) -> Mapping[Stream, int]:
    """Return behind which hour (since the Unix epoch) each stream is still to be judged."""
    rows = connection.rows(
        "SELECT model_name, model_version, environment, intDiv(toUnixTimestamp(max(hour)), 3600) + 1 "
        "FROM judged_hours GROUP BY model_name, model_version, environment"
    )
    return {Stream(*row[:3]): int(row[3]) for row in rows}


def write_judged_hours(connection: Connection, stream: Stream, hours: Sequence[JudgedHour]) -> None:
    """Note on what hours were judged, after their verdicts.

    Raises:
        StoreError: the store did not take it.
    """
    if not hours:
        return
    names = "model_name model_version environment hour rows missing revision".split()
    rows = [[*stream, hour_time(one.hour), one.rows, one.missing, one.revision] for one in hours]
    connection.insert("judged_hours", rows, column_names=names)


def read_judged_hours(connection: Connection, stream: Stream, *, hours: int) -> Mapping[int, JudgedHour]:
    """Return what a stream's hours were judged on, by hour: the last one, and some hours back from it."""
    rows = connection.rows(
        "SELECT intDiv(toUnixTimestamp(hour), 3600), rows, missing, revision FROM judged_hours FINAL "
        f"WHERE {STREAM} AND hour > "
        f"(SELECT max(hour) FROM judged_hours WHERE {STREAM}) - toIntervalHour({{hours:UInt32}})",
        parameters={**stream_parameters(stream), "hours": hours},
    )
    return {row[0]: JudgedHour(*row) for row in rows}
