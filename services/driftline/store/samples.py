"""Samples of the raw rows, in columns, for checks that counts of single features can't serve.

Which rows are taken follows from the hashes of their event ids, so the same rows come back whenever the
same hours are asked for, and a larger sample holds the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.domain.names import feature_key
from driftline.store.hours import HOUR, stream_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

_LARGEST_HASH = 2**64 - 1

# The first conditions are on the table's key. Hours before `since` are of all versions of the model.
_ROWS = """
FROM predictions
WHERE model_name = {model:String}
    AND (model_version = {version:String} OR hour < fromUnixTimestamp({since:UInt32}))
    AND environment = {environment:String}
    AND hour >= fromUnixTimestamp({first:UInt32})
    AND hour < fromUnixTimestamp({end:UInt32})
    AND set_aside = ''
"""

_AT = f"{HOUR} AS at"

_COUNT = f"SELECT {_AT}, count() {_ROWS} GROUP BY at ORDER BY at"

# Rows of one client carry their features in one order: then their values are a matrix, and come as one array.
_SAMPLE = f"""
SELECT
    {_AT},
    mapKeys(numeric_features) AS numeric_names,
    mapKeys(categorical_features) AS categorical_names,
    count(),
    groupArrayArray(mapValues(numeric_features)),
    groupArrayArray(mapValues(categorical_features))
{_ROWS}
    AND cityHash64(event_id) <= transform(
        {HOUR}, {{hours:Array(UInt32)}}, {{limits:Array(UInt64)}}, toUInt64(0))
GROUP BY at, numeric_names, categorical_names
ORDER BY at, numeric_names, categorical_names
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows in columns.

    Args:
        hours: of each row, hours since the Unix epoch, UTC, ascending, (n,).
        numeric: by feature, NaN where a row has no value, each (n,).
        categorical: by feature, an empty string where a row has no value, each (n,), of strings.
    """

    hours: NDArray[np.int64]
    numeric: Mapping[str, NDArray[np.float64]]
    categorical: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.hours.size


def count_rows(
    connection: Connection, stream: Stream, *, first_hour: int, end_hour: int, since_hour: int = 0
) -> Mapping[int, int]:
    """Return how many rows each hour in [first_hour, end_hour) holds; hours without any are left out.

    Args:
        connection: to the store.
        stream: whose rows.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour after the last one.
        since_hour: of hours before it, rows of all versions of the model are taken.
    """
    bound = _bound(stream, first_hour, end_hour, since_hour)
    return {int(hour): int(rows) for hour, rows in connection.rows(_COUNT, parameters=bound)}


def read_sample(
    connection: Connection,
    stream: Stream,
    *,
    first_hour: int,
    end_hour: int,
    rows_per_hour: int,
    since_hour: int = 0,
    counted: Mapping[int, int] | None = None,
) -> Sample:
    """Return rows of each hour in [first_hour, end_hour): about so many of each, or all that there are.

    Args:
        connection: to the store.
        stream: whose rows.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour after the last one.
        rows_per_hour: the most that is expected of an hour; by chance it may be a few percent more.
        since_hour: of hours before it, rows of all versions of the model are taken.
        counted: what `count_rows` returned for these hours, where somebody has asked already.
    """
    if counted is None:
        counted = count_rows(
            connection, stream, first_hour=first_hour, end_hour=end_hour, since_hour=since_hour
        )
    shares = {hour: min(rows_per_hour / rows, 1.0) for hour, rows in counted.items()}
    return _read(connection, _bound(stream, first_hour, end_hour, since_hour), shares)


def read_even_sample(
    connection: Connection, stream: Stream, *, first_hour: int, end_hour: int, rows: int, since_hour: int = 0
) -> Sample:
    """Return about so many rows of all that [first_hour, end_hour) holds, each as likely as any other.

    Args:
        connection: to the store.
        stream: whose rows.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the hour after the last one.
        rows: how many.
        since_hour: of hours before it, rows of all versions of the model are taken.
    """
    counted = count_rows(connection, stream, first_hour=first_hour, end_hour=end_hour, since_hour=since_hour)
    share = min(rows / max(sum(counted.values()), 1), 1.0)
    return _read(connection, _bound(stream, first_hour, end_hour, since_hour), dict.fromkeys(counted, share))


def _bound(stream: Stream, first_hour: int, end_hour: int, since_hour: int) -> dict[str, Any]:
    return {
        **stream_parameters(stream),
        "first": first_hour * 3600,
        "end": end_hour * 3600,
        "since": since_hour * 3600,
    }


def _read(connection: Connection, bound: Mapping[str, Any], shares: Mapping[int, float]) -> Sample:
    """Return the rows whose hash lies within the share of their hour."""
    if not shares:
        return Sample(np.empty(0, dtype=np.int64), {}, {})
    limits = [min(int(share * _LARGEST_HASH), _LARGEST_HASH) for share in shares.values()]
    found = connection.rows(_SAMPLE, parameters={**bound, "hours": list(shares), "limits": limits})
    sizes = [row[3] for row in found]
    hours = np.repeat(np.array([row[0] for row in found], dtype=np.int64), sizes)
    numeric = _columns([(row[1], row[4]) for row in found], sizes, np.nan, np.dtype(np.float64))
    categorical = _columns([(row[2], row[5]) for row in found], sizes, "", np.dtype(object))
    return Sample(hours, numeric, categorical)


def _columns(
    parts: Sequence[tuple[Sequence[str], Sequence[Any]]],
    sizes: Sequence[int],
    empty: Any,
    dtype: np.dtype[Any],
) -> dict[str, NDArray[Any]]:
    """Put matrices of different columns below each other; a part is their names, and the rows."""
    names = sorted({feature_key(name) for part, _ in parts for name in part})
    columns = {name: np.full(sum(sizes), empty, dtype=dtype) for name in names}
    start = 0
    for (names_held, values), size in zip(parts, sizes, strict=True):
        held = [feature_key(name) for name in names_held]
        matrix = np.asarray(values, dtype=dtype).reshape(size, len(held))
        for place, name in enumerate(held):
            columns[name][start : start + size] = matrix[:, place]
        start += size
    return columns
