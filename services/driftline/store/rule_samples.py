"""What rules are learned from: what each feature of a version was like, in its reference or in production."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

MOST_VALUES = 50
"""So many values of a category are kept one by one."""

_VERSION = (
    "model_name = {model:String} AND model_version = {version:String} "
    "AND environment IN {places:Array(String)}"
)

_PROFILES = f"""
SELECT
    toString(environment), toString(feature), toString(kind),
    sum(count), sum(nans + infinities), minIf(minimum, count > 0), maxIf(maximum, count > 0),
    sum(folded), groupUniqArrayArray({MOST_VALUES + 1})(values), countIf(count > 0)
FROM profiles WHERE {_VERSION} AND segment = '' AND {visible(_VERSION)} GROUP BY environment, feature, kind
"""


@dataclass(frozen=True, slots=True)
class FeatureSample:
    """What one feature was like.

    Args:
        finite: events with a finite number.
        not_finite: with NaN or an infinity.
        nulls: that sent it without a value.
        minimum: smallest finite number; None: there was none.
        maximum: largest.
        named: events with a category.
        values: these categories, sorted; None: more than 50, or not all of them are known.
    """

    finite: int = 0
    not_finite: int = 0
    nulls: int = 0
    minimum: float | None = None
    maximum: float | None = None
    named: int = 0
    values: tuple[str, ...] | None = ()

    @property
    def entries(self) -> int:
        """In how many events it stood."""
        return self.finite + self.not_finite + self.nulls + self.named


@dataclass(frozen=True, slots=True)
class Sample:
    """Events of one version in one environment.

    Args:
        environment: where.
        rows: how many.
        features: by name, the answer's ``prediction.number`` and ``prediction.label`` among them.
    """

    environment: str
    rows: int
    features: dict[str, FeatureSample] = field(default_factory=dict)


def read_samples(connection: Connection, model_name: str, model_version: str) -> Mapping[str, Sample]:
    """Return what a version's reference and production were like, by environment, as far as it is derived."""
    bound = {"model": model_name, "version": model_version, "places": ["reference", "production"]}
    samples: dict[str, Sample] = {}
    for place, name, kind, count, *found in connection.rows(_PROFILES, parameters=bound):
        not_finite, low, high, folded, values, has_numbers = found
        sample = samples.get(place) or samples.setdefault(place, Sample(place, 0))
        known = sample.features.get(name, FeatureSample())
        match kind:
            case "rows":
                samples[place] = replace(sample, rows=count)
            case "missing":
                sample.features[name] = replace(known, nulls=count)
            case "numeric":
                bounds = {"minimum": low, "maximum": high} if has_numbers else {}
                sample.features[name] = replace(known, finite=count, not_finite=not_finite, **bounds)
            case "categorical":
                whole = None if folded or len(values) > MOST_VALUES else tuple(sorted(values))
                sample.features[name] = replace(known, named=count + folded, values=whole)
    return samples
