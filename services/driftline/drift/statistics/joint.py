"""The joint distribution as proportions: what no single feature shows.

Three kinds of pseudo features are counted of a sample of each hour's rows, and judged as features are:

- *pairs*: of two columns, how many rows have both in their upper half, or neither. Finds that two features
  go together more or less than they did, and names them.
- *distance*: how unlike the reference's rows a row is, its squared Mahalanobis distance. Finds the rest, such
  as a tight relation of many features that broke, which pairs hardly show.
- *residuals*: of a numeric feature, how far it is from what all others lead to expect. Where the distance
  changed they name the culprit; they find nothing by themselves.

A numeric feature is mapped to normal scores by the reference's quantiles, a missing value to their median;
of a category each frequent value is a column of its own. So a feature that drifts by itself shows here too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from driftline.domain.channels import number_text
from driftline.profiles import CategoricalCounts, Grid, HourProfile, NumericCounts
from driftline.store.joint import JointCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.store.samples import Sample

DISTANCE = "(distance)"
GIVEN_OTHERS = " given the others"
LEAST_ROWS = 1000
"""A projection that is fitted on fewer rows would tell chance for relations."""

_KNOTS = 501
_LARGEST_SHARE_OF_KNOT = 1e-4
_MOST_COLUMNS = 128
_MOST_PAIRS = 300
_MOST_RESIDUALS = 32
_MOST_VALUES = 8
_SMALLER_HALF = 0.35
_FREQUENT_SHARE = 0.05
_SMALLEST_VARIANCE = 0.02
TOGETHER, APART = "together", "apart"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the projection.

    Args:
        feature: its name.
        value: of a category; None for a numeric feature.
        knots: values of a numeric feature, ascending, (k,).
        scores: their normal scores, (k,).
        mean: of the column in the reference, where a category's value counts as 1.
        deviation: of the column in the reference.
        cut: standardised scores above it are the upper half.
        halves: the cut in the feature's own unit; 0 for a category.
        upper: the share of rows above the cut.
    """

    feature: str
    value: str | None
    knots: tuple[float, ...]
    scores: tuple[float, ...]
    mean: float
    deviation: float
    cut: float
    halves: float
    upper: float

    @property
    def label(self) -> str:
        """The column in words."""
        return self.feature if self.value is None else f"{self.feature}={self.value}"


@dataclass(frozen=True, slots=True)
class Projection:
    """What a reference's rows look like, and all that is needed to compare other rows with them.

    Args:
        columns: (d,).
        precision: the inverse of their correlation, small variances floored, d rows of d.
        pairs: the pairs that are watched, places of columns.
        residuals: the numeric columns that are watched given the others, places.
        grids: that distances are counted on, then the residuals.
        rows: how many it was fitted on.
    """

    columns: tuple[Column, ...]
    precision: tuple[tuple[float, ...], ...]
    pairs: tuple[tuple[int, int], ...]
    residuals: tuple[int, ...]
    grids: tuple[Grid, ...]
    rows: int

    @property
    def pair_names(self) -> tuple[str, ...]:
        """The names of the pairs, in their order."""
        labels = [column.label for column in self.columns]
        return tuple(f"{labels[first]} × {labels[second]}" for first, second in self.pairs)

    @property
    def number_names(self) -> tuple[str, ...]:
        """The names of the distance and of the residuals, in the order of their grids."""
        return DISTANCE, *(f"{self.columns[place].feature}{GIVEN_OTHERS}" for place in self.residuals)

    @property
    def grid_of(self) -> Mapping[str, Grid]:
        """The grids by name, as a judge takes them."""
        return dict(zip(self.number_names, self.grids, strict=True))

    def to_text(self) -> str:
        """Return it as text for the store."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Projection:
        """Read what `to_text` wrote."""
        held = json.loads(text)
        return cls(
            columns=tuple(
                Column(**{**one, "knots": tuple(one["knots"]), "scores": tuple(one["scores"])})
                for one in held["columns"]
            ),
            precision=tuple(tuple(row) for row in held["precision"]),
            pairs=tuple((first, second) for first, second in held["pairs"]),
            residuals=tuple(held["residuals"]),
            grids=tuple(Grid(**one) for one in held["grids"]),
            rows=held["rows"],
        )


def fit(sample: Sample) -> Projection | None:
    """Fit a projection to rows of the reference; None where they are too few, or have a single column.

    Args:
        sample: of the reference, each row as likely as any other.
    """
    if sample.rows < LEAST_ROWS:
        return None
    columns = [_numeric_column(name, values) for name, values in sorted(sample.numeric.items())]
    columns += [
        column
        for name, values in sorted(sample.categorical.items())
        for column in _value_columns(name, values)
    ]
    chosen = tuple(column for column in columns if column is not None)[:_MOST_COLUMNS]
    if len({column.feature for column in chosen}) < 2:
        return None
    scores = _scores(chosen, sample)
    correlation = scores.T @ scores / sample.rows
    variances, axes = np.linalg.eigh(correlation)
    # Where a column follows from others, the least rounding would count as infinitely far.
    precision = axes / np.maximum(variances, _SMALLEST_VARIANCE) @ axes.T
    residuals = _residuals(chosen, precision)
    return Projection(
        columns=chosen,
        precision=tuple(tuple(row) for row in precision.tolist()),
        pairs=_pairs(chosen, correlation),
        residuals=residuals,
        grids=tuple(Grid.from_values(values) for values in _numbers(scores, precision, residuals)),
        rows=sample.rows,
    )


def count(projection: Projection, sample: Sample) -> Sequence[JointCounts]:
    """Count a sample hour by hour, ascending; features that it lacks count as missing."""
    if not sample.rows:
        return []
    scores = _scores(projection.columns, sample)
    numbers = _numbers(scores, np.array(projection.precision), projection.residuals)
    upper = scores > np.array([column.cut for column in projection.columns])
    first, second = np.array(projection.pairs, dtype=np.int64).reshape(-1, 2).T
    starts = np.flatnonzero(np.diff(sample.hours, prepend=sample.hours[0] - 1))
    counted = [_counted(grid, values, starts) for grid, values in zip(projection.grids, numbers, strict=True)]
    return [
        JointCounts(
            hour=int(sample.hours[start]),
            rows=end - start,
            total=end - start,
            numbers=own,
            together=_together(upper[start:end], first, second),
        )
        for (start, end), own in zip(
            pairwise([*starts.tolist(), sample.rows]), zip(*counted, strict=True), strict=True
        )
    ]


def profile(projection: Projection, counts: JointCounts) -> HourProfile:
    """Return an hour's counts as the pseudo features that a judge takes."""
    numeric = dict(zip(projection.number_names, counts.numbers, strict=True))
    pairs = {
        name: CategoricalCounts({TOGETHER: together, APART: counts.rows - together})
        for name, together in zip(projection.pair_names, counts.together.tolist(), strict=True)
    }
    return HourProfile(counts.hour, counts.rows, numeric, pairs)


def pair_phrases(projection: Projection) -> Mapping[str, str]:
    """Return what it says that a pair goes together, by its name."""
    parts = [
        column.label if column.value is not None else f"{column.feature} above {number_text(column.halves)}"
        for column in projection.columns
    ]
    return {
        name: f"{parts[first]} and {parts[second]}"
        for name, (first, second) in zip(projection.pair_names, projection.pairs, strict=True)
    }


def _numeric_column(name: str, values: FloatArray) -> Column | None:
    """Return the column of a numeric feature, None where it shows one value only."""
    finite = values[np.isfinite(values)]
    distinct, counts = np.unique(finite, return_counts=True)
    if distinct.size < 2:
        return None
    middle = (np.cumsum(counts) - counts / 2) / finite.size
    if distinct.size > _KNOTS:
        at = np.searchsorted(middle, np.linspace(0, 1, _KNOTS)).clip(0, distinct.size - 1)
        kept = np.unique(np.concatenate([[0], at]))
        distinct, middle = distinct[kept], middle[kept]
    scores = ndtri(middle.clip(_LARGEST_SHARE_OF_KNOT, 1 - _LARGEST_SHARE_OF_KNOT))
    mapped = np.where(np.isfinite(values), np.interp(values, distinct, scores), 0.0)
    mean, deviation = float(mapped.mean()), float(mapped.std())
    # Cut where the halves are nearest to equal: half of the rows may share the median.
    below = np.searchsorted(np.sort(finite), distinct[:-1], "right") / finite.size
    half = int(np.argmin(np.abs(below - 0.5)))
    cut = (scores[half] + scores[half + 1]) / 2
    return Column(
        feature=name,
        value=None,
        knots=tuple(distinct.tolist()),
        scores=tuple(scores.tolist()),
        mean=mean,
        deviation=deviation,
        cut=float((cut - mean) / deviation),
        halves=float((distinct[half] + distinct[half + 1]) / 2),
        upper=float(1 - below[half]),
    )


def _value_columns(name: str, values: np.ndarray[Any, Any]) -> Sequence[Column | None]:
    """Return a column for each frequent value of a category; of two values that exclude each other, one."""
    distinct, counts = np.unique(values.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    kept = [place for place in order.tolist() if _is_frequent(counts[place] / values.size)]
    if len(kept) == 2 == distinct.size:
        kept = kept[:1]
    columns = []
    for place in kept:
        mean = float(counts[place] / values.size)
        deviation = float(np.sqrt(mean * (1 - mean)))
        cut = (0.5 - mean) / deviation
        columns.append(Column(name, str(distinct[place]), (), (), mean, deviation, cut, 0.0, mean))
    return columns


def _is_frequent(share: float) -> bool:
    return _FREQUENT_SHARE <= share <= 1 - _FREQUENT_SHARE


def _scores(columns: Sequence[Column], sample: Sample) -> FloatArray:
    """Return the standardised scores of rows, (n, d)."""
    scores = np.empty((sample.rows, len(columns)))
    for place, column in enumerate(columns):
        if column.value is None:
            values = sample.numeric.get(column.feature)
            raw = np.zeros(sample.rows)
            if values is not None:
                raw = np.where(np.isfinite(values), np.interp(values, column.knots, column.scores), 0.0)
        else:
            named = sample.categorical.get(column.feature)
            raw = np.zeros(sample.rows) if named is None else (named == column.value).astype(np.float64)
        scores[:, place] = (raw - column.mean) / column.deviation
    return scores


def _pairs(columns: Sequence[Column], correlation: FloatArray) -> tuple[tuple[int, int], ...]:
    """Choose the pairs to watch: those that hang together most.

    Columns without halves are left out: where one of two holds few of the rows, as rain does, a drift of
    the other one alone moves the pair.
    """
    halved = [
        place for place, column in enumerate(columns) if min(column.upper, 1 - column.upper) >= _SMALLER_HALF
    ]
    found = [
        (first, second)
        for index, first in enumerate(halved)
        for second in halved[index + 1 :]
        if columns[first].feature != columns[second].feature
    ]
    strength = np.array([-abs(correlation[pair]) for pair in found])
    return tuple(found[place] for place in sorted(np.argsort(strength, kind="stable")[:_MOST_PAIRS].tolist()))


def _residuals(columns: Sequence[Column], precision: FloatArray) -> tuple[int, ...]:
    """Choose the numeric columns to watch given the others: those that follow from them best."""
    numeric = [place for place, column in enumerate(columns) if column.value is None]
    # The diagonal is one over the variance that the others leave.
    tightest = sorted(numeric, key=lambda place: (-precision[place, place], place))[:_MOST_RESIDUALS]
    return tuple(sorted(tightest))


def _numbers(scores: FloatArray, precision: FloatArray, residuals: Sequence[int]) -> list[FloatArray]:
    """Return squared distances, then residuals in standard deviations, each (n,)."""
    # Column by column: a product of matrices sums in another order for another number of rows, and an hour
    # is to have the same numbers by itself and among others.
    weighted = np.zeros_like(scores)
    for place, row in enumerate(precision):
        weighted += scores[:, place, None] * row
    distances = np.maximum((weighted * scores).sum(1), 0.0)
    return [distances, *(weighted[:, place] / np.sqrt(precision[place, place]) for place in residuals)]


def _counted(grid: Grid, values: FloatArray, starts: IntArray) -> Sequence[NumericCounts]:
    """Count values, (n,), hour by hour; `starts` says where each hour begins, (h,)."""
    hour = np.zeros(values.size, dtype=np.int64)
    hour[starts[1:]] = 1
    buckets = grid.bucket(values).astype(np.int64)
    lowest = buckets.min()
    width = int(buckets.max() - lowest) + 1
    cells, counts = np.unique(np.cumsum(hour) * width + (buckets - lowest), return_counts=True)
    held = (cells % width + lowest).astype(np.int32)
    bounds = np.searchsorted(cells // width, np.arange(starts.size + 1)).tolist()
    low, high = np.minimum.reduceat(values, starts).tolist(), np.maximum.reduceat(values, starts).tolist()
    return [
        NumericCounts(held[begin:end], counts[begin:end], least, most)
        for (begin, end), least, most in zip(pairwise(bounds), low, high, strict=True)
    ]


def _together(upper: BoolArray, first: IntArray, second: IntArray) -> IntArray:
    """Count the rows that have both or neither of each pair, (n, d) in, (p,) out."""
    held = upper.astype(np.float64)
    both, each = held.T @ held, held.sum(0)
    rows = upper.shape[0]
    return np.asarray(rows - each[first] - each[second] + 2 * both[first, second], dtype=np.int64)
