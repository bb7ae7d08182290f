"""The distribution of one feature: now, before, and in the training data.

Hours count from the Unix epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from driftline.store.hours import stream_parameters
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

LayerName = Literal["now", "before", "training"]
LAYERS: tuple[LayerName, ...] = ("now", "before", "training")

WINDOW_HOURS = 24
_REFERENCE_HOURS = 4 * 7 * 24
_TOP_VALUES = 12

# One pass for all layers. Before: the same hours of the week, as the verdicts compare, so that a Sunday is
# not held against weekdays.
_LAYER = "multiIf(environment = 'reference', 'training', at >= {now:Int64}, 'now', 'before')"
_HOURS = """
model_name = {model:String} AND model_version = {version:String}
AND (environment = 'reference' OR (environment = {environment:String}
    AND hour >= toDateTime({first:Int64} * 3600, 'UTC') AND hour < toDateTime({end:Int64} * 3600, 'UTC')))
"""
_ROWS = f"""
{_HOURS} AND segment = '' AND feature = {{feature:String}}
AND (environment = 'reference' OR at >= {{now:Int64}}
    OR (at < {{before_end:Int64}} AND positiveModulo(at - {{now:Int64}}, 168) < {{length:Int64}}))
"""
_GRID = "model_name = {model:String} AND feature = {feature:String}"
_PROFILES = (
    f"(SELECT *, toInt64(intDiv(toUnixTimestamp(hour), 3600)) AS at FROM profiles WHERE {visible(_HOURS)})"
)

# Hours that are still to be derived on the grid in force are left out: their buckets mean something else.
_ON_GRID = f"""((center, scale, resolution) IN
    (SELECT center, scale, resolution FROM feature_grids FINAL WHERE {_GRID})
    OR (SELECT count() FROM feature_grids WHERE {_GRID}) = 0)"""
_COUNTED = f"""
SELECT {_LAYER} AS layer, sumMapIf(buckets, counts, kind = 'numeric' AND {_ON_GRID}),
    sumIf(count, kind = 'numeric'), sumIf(count, kind = 'missing'), sum(nans),
    sum(infinities), minOrNullIf(minimum, kind = 'numeric' AND count > 0),
    maxOrNullIf(maximum, kind = 'numeric' AND count > 0)
FROM {_PROFILES} WHERE {_ROWS} GROUP BY layer
"""
_VALUES = f"""
SELECT value, counts, totals FROM
(
    SELECT value, is_folded, counts, sumForEach(counts) OVER () AS totals,
        arrayMax(arrayMap((n, m) -> n / greatest(m, 1), counts, totals)) AS share
    FROM
    (
        SELECT value, is_folded,
            [sumIf(n, layer = 'now'), sumIf(n, layer = 'before'), sumIf(n, layer = 'training')] AS counts
        FROM
        (
            SELECT {_LAYER} AS layer, part.1 AS value, part.2 AS n, part.3 AS is_folded
            FROM {_PROFILES}
            ARRAY JOIN arrayPushBack(
                arrayMap((value, n) -> (value, n, false), values, counts), ('', folded, true)) AS part
            WHERE {_ROWS} AND kind = 'categorical'
        )
        WHERE n > 0 GROUP BY value, is_folded
    )
)
ORDER BY is_folded, share DESC, value LIMIT {_TOP_VALUES}
"""


@dataclass(frozen=True, slots=True)
class Spans:
    """Which hours are compared: a window, and the same hours of the four weeks before.

    Args:
        end: the hour behind the window.
        began: when the drift began that the window lies in; the weeks before end there. None: no drift.
    """

    end: int
    began: int | None = None

    @property
    def now(self) -> int:
        """The window's first hour."""
        return self.end - WINDOW_HOURS

    @property
    def before_end(self) -> int:
        """The hour behind the weeks before."""
        return self.now if self.began is None else min(self.now, self.began)

    @property
    def first(self) -> int:
        """The first hour of the weeks before."""
        return self.before_end - _REFERENCE_HOURS


@dataclass(frozen=True, slots=True)
class Layer:
    """What was counted of a feature in one of the layers.

    Args:
        buckets: of the feature's grid that hold values, ascending; none for a categorical feature.
        counts: values in each bucket.
        present: events with a value (finite, for a numeric feature).
        nulls: events without one.
        nans: values that were NaN.
        infinities: values that were infinite.
        minimum: the smallest finite value.
        maximum: the largest.
    """

    buckets: Sequence[int] = ()
    counts: Sequence[int] = ()
    present: int = 0
    nulls: int = 0
    nans: int = 0
    infinities: int = 0
    minimum: float | None = None
    maximum: float | None = None

    @property
    def rows(self) -> int:
        """Events that carried the feature, with or without a value."""
        return self.present + self.nulls + self.nans + self.infinities


@dataclass(frozen=True, slots=True)
class ValueShare:
    """One value of a categorical feature: its share of the values present, by layer."""

    value: str
    shares: Mapping[LayerName, float]


@dataclass(frozen=True, slots=True)
class Distribution:
    """All layers of one feature that hold anything.

    Args:
        layers: by name.
        values: of a categorical feature, the most frequent of any layer, the largest share first.
        others: the share of all other values, by layer.
    """

    layers: Mapping[LayerName, Layer] = field(default_factory=dict)
    values: Sequence[ValueShare] = ()
    others: Mapping[LayerName, float] = field(default_factory=dict)


def read_distribution(
    connection: Connection, stream: Stream, feature: str, kind: str, spans: Spans
) -> Distribution:
    """Return a feature's distribution now, before, and in the training data of the same version."""
    bound: dict[str, Any] = {
        **stream_parameters(stream),
        "feature": feature,
        "now": spans.now,
        "end": spans.end,
        "first": spans.first,
        "before_end": spans.before_end,
        "length": WINDOW_HOURS,
    }
    layers: dict[LayerName, Layer] = {
        layer: Layer(*buckets, *counted)
        for layer, buckets, *counted in connection.rows(_COUNTED, parameters=bound)
    }
    if kind == "numeric":
        return Distribution({name: layers[name] for name in LAYERS if name in layers})
    return _categorical(connection, bound, layers)


def _categorical(
    connection: Connection, bound: Mapping[str, Any], counted: Mapping[LayerName, Layer]
) -> Distribution:
    rows = connection.rows(_VALUES, parameters=bound)
    totals = rows[0][2] if rows else (0, 0, 0)
    layers: dict[LayerName, Layer] = {}
    for name, total in zip(LAYERS, totals, strict=True):
        nulls = counted[name].nulls if name in counted else 0
        if total or nulls:
            layers[name] = Layer(present=total, nulls=nulls)
    values = [
        ValueShare(
            value,
            {
                name: counts[place] / max(totals[place], 1)
                for place, name in enumerate(LAYERS)
                if name in layers
            },
        )
        for value, counts, _ in rows
    ]
    others = {
        name: max(1 - sum(value.shares[name] for value in values), 0.0) if layers[name].present else 0.0
        for name in layers
    }
    return Distribution(layers, values, others)
