"""Tables of any library, counted: pandas, polars, Arrow, or a dict of columns. None of them is imported."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.errors import SettingError
from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts
from driftline.sdk.columns import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Numbers = tuple[NDArray[np.float64], int]
    Texts = tuple[Mapping[str, int], int]

MOST_NAMED = 20_000
"""So many values of a text column keep their names, the reference's most frequent."""

_SURELY = 4.0
"""A value that keeps its name is by so many standard errors more frequent than those that do not."""

RARER = "(rarer values)"
"""What the others of such a column are counted as: among customers and ids new ones are no news."""

GRID_ROWS = 50_000
"""A grid is chosen from so many values of the reference, evenly spread over its rows."""


def read_table(table: Any, argument: str) -> tuple[dict[str, Numbers | Texts], int]:
    """Return a table's columns and how many rows it has.

    Args:
        table: a DataFrame (pandas, polars), an Arrow table, or a mapping of columns.
        argument: what it is called in messages.

    Returns:
        By name the values of a column of numbers or times, and how many are null; or how often each value of
        a column of texts stands in it, and how many are null. NaN is null where pandas made it.

    Raises:
        SettingError: it is no table, or its columns differ in length.
    """
    columns = _columns(table, argument)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise SettingError(f"{argument}: its columns differ in length: {sorted(lengths)}")
    counted = {name: _column(column, f"{argument}[{name!r}]") for name, column in columns.items()}
    return counted, max(lengths, default=0)


def _columns(table: Any, argument: str) -> dict[str, Any]:
    if hasattr(table, "column_names"):  # Arrow.
        return dict(zip(table.column_names, table.columns, strict=True))
    if hasattr(table, "iter_columns"):  # polars.
        return {column.name: column for column in table.iter_columns()}
    if isinstance(table, Mapping) or hasattr(table, "items"):
        return {str(name): column for name, column in table.items()}
    raise SettingError(
        f"{argument}: a {type(table).__name__} is no table; pass a DataFrame or a dict of columns"
    )


def _column(column: Any, argument: str) -> Numbers | Texts:
    maker = type(column).__module__.partition(".")[0]
    if maker == "pandas":
        return _of_pandas(column)
    if maker == "polars":
        return _of_polars(column)
    if maker == "pyarrow":
        return _of_arrow(column)
    if maker == "numpy" and column.dtype.kind in "biufmM":
        return _numbers(column)
    return _of_list(listed(column, argument))


def _of_pandas(column: Any) -> Numbers | Texts:
    kind = getattr(column.dtype, "kind", "O")
    if kind in "biuf":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        nulls = int(column.isna().sum())
        return (values[~np.isnan(values)] if nulls else values), nulls
    if kind in "mM":
        return _numbers(column.to_numpy(dtype=f"{kind}8[ns]"))
    counts = column.value_counts(dropna=True)
    return _texts(zip(counts.index.tolist(), counts.tolist(), strict=True)), int(column.isna().sum())


def _of_polars(column: Any) -> Numbers | Texts:
    nulls = int(column.null_count())
    dtype = str(column.dtype)
    if column.dtype.is_numeric() or dtype == "Boolean":
        return np.asarray(column.drop_nulls().to_numpy(), dtype=np.float64), nulls
    if column.dtype.is_temporal():
        return np.asarray(column.drop_nulls().to_physical().to_numpy(), dtype=np.float64), nulls
    counts = column.drop_nulls().value_counts()
    return _texts(zip(counts[:, 0].to_list(), counts[:, 1].to_list(), strict=True)), nulls


def _of_arrow(column: Any) -> Numbers | Texts:
    nulls = int(column.null_count)
    kind = str(column.type)
    if kind.startswith(("int", "uint", "float", "double", "halffloat", "bool", "decimal")):
        values = column.drop_null().to_numpy()
        return np.asarray(values, dtype=np.float64), nulls
    if kind.startswith(("timestamp", "date", "time", "duration")):
        return _numbers(column.drop_null().to_numpy())[0], nulls
    counts = column.drop_null().value_counts()
    return _texts(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)), nulls


def _of_list(values: list[Any]) -> Numbers | Texts:
    held = [value for value in values if value is not None]
    nulls = len(values) - len(held)
    if all(isinstance(value, (int, float, np.number)) for value in held):
        return np.array(held, dtype=np.float64), nulls
    return _texts(Counter(map(str, held)).items()), nulls


def _numbers(values: NDArray[Any]) -> Numbers:
    if values.dtype.kind in "mM":
        there = ~np.isnat(values)
        return values[there].astype(np.int64).astype(np.float64), int((~there).sum())
    return values.astype(np.float64), 0


def _texts(counts: Iterable[tuple[Any, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value, count in counts:
        text = str(value)
        found[text] = found.get(text, 0) + int(count)
    return found


def choose_grids(columns: Mapping[str, Numbers | Texts]) -> dict[str, Grid]:
    """Return a grid for every column of numbers."""
    grids = {}
    for name, (values, _) in columns.items():
        if isinstance(values, np.ndarray):
            grids[name] = Grid.from_values(values[:: max(values.size // GRID_ROWS, 1)])
    return grids


def profile_of(
    columns: Mapping[str, Numbers | Texts], rows: int, grids: Mapping[str, Grid], hour: int
) -> HourProfile:
    """Count a table as an hour is counted.

    Args:
        columns: of `read_table`.
        rows: of the table.
        grids: of columns of numbers.
        hour: that the table stands for.
    """
    numeric, categorical = {}, {}
    for name, (values, nulls) in columns.items():
        if isinstance(values, np.ndarray):
            numeric[name] = _count_numbers(values, nulls, grids[name])
        else:
            categorical[name] = CategoricalCounts(values, nulls)
    return HourProfile(hour, rows, numeric, categorical)


def _count_numbers(values: NDArray[np.float64], nulls: int, grid: Grid) -> NumericCounts:
    finite = values[np.isfinite(values)]
    nans = int(np.isnan(values).sum()) if finite.size < values.size else 0
    infinities = values.size - finite.size - nans
    if not finite.size:
        nothing = np.empty(0, dtype=np.int32)
        return NumericCounts(nothing, nothing.astype(np.int64), np.nan, np.nan, nulls, nans, infinities)
    placed = grid.bucket(finite)
    low, high = int(placed.min()), int(placed.max())
    if high - low < 1 << 20:
        counts = np.bincount(placed - low)
        held = np.flatnonzero(counts)
        buckets, counts = (held + low).astype(np.int32), counts[held]
    else:
        buckets, counts = np.unique(placed, return_counts=True)
    return NumericCounts(
        buckets, counts.astype(np.int64), float(finite.min()), float(finite.max()), nulls, nans, infinities
    )


def made_alike(
    reference: dict[str, Numbers | Texts], current: dict[str, Numbers | Texts]
) -> tuple[dict[str, Numbers | Texts], dict[str, Numbers | Texts]]:
    """Return both tables with their columns counted alike.

    The rarer values of columns of very many count as one, and a column without any value is of the kind that
    the other table has.
    """
    reference, current = dict(reference), dict(current)
    for one, beside in ((reference, current), (current, reference)):
        for name, (values, nulls) in one.items():
            if not len(values) and name in beside:
                is_text = isinstance(beside[name][0], Mapping)
                one[name] = ({}, nulls) if is_text else (np.empty(0), nulls)
    for name, (values, nulls) in reference.items():
        if isinstance(values, Mapping) and len(values) > MOST_NAMED:
            last = sorted(values.values(), reverse=True)[MOST_NAMED]
            # Of many that are about as frequent, the first were so by chance and won't be again.
            named = {value for value, count in values.items() if count > last + _SURELY * math.sqrt(last)}
            reference[name] = _folded(values, named), nulls
            other, lacking = current.get(name, ({}, 0))
            if name in current and isinstance(other, Mapping):
                current[name] = _folded(other, named), lacking
    return reference, current


def _folded(counts: Mapping[str, int], named: set[str]) -> dict[str, int]:
    kept = {value: count for value, count in counts.items() if value in named}
    kept[RARER] = sum(counts.values()) - sum(kept.values())
    return kept
