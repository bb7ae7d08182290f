"""What rules are learned from: what each feature of a version was like, in its reference or in production."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client

MOST_VALUES = 50
"""So many values of a category are told one by one."""

_VERSION = (
    "model_name = {model:String} AND model_version = {version:String} "
    "AND environment IN {places:Array(String)}"
)

_ROWS = f"""
SELECT toString(environment), sum(rows), sum(feature_entries), sum(categorical_values)
FROM session_profiles WHERE {_VERSION} GROUP BY environment
"""

_FEATURES = f"""
SELECT
    toString(environment), toString(feature), sum(finite), sum(nulls), sum(nans + infinities),
    min(minimum), max(maximum)
FROM feature_profiles WHERE {_VERSION} AND segment = '' GROUP BY environment, feature
"""

_VALUES = f"""
SELECT
    toString(environment), toString(feature), sum(count), max(folded),
    groupUniqArrayIf({MOST_VALUES + 1})(value, NOT folded)
FROM categorical_profiles WHERE {_VERSION} AND segment = '' GROUP BY environment, feature
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


def read_samples(client: Client, model_name: str, model_version: str) -> Mapping[str, Sample]:
    """Return what a version's reference and production were like, by environment.

    One that is being written at this moment, so that its tables do not agree, is left out.
    """
    places = ["reference", "production"]
    bound = {"model": model_name, "version": model_version, "places": places}
    expected = {}
    samples: dict[str, Sample] = {}
    for place, rows, *totals in client.query(_ROWS, parameters=bound).result_rows:
        samples[place], expected[place] = Sample(place, rows), totals
    for place, name, *found in client.query(_FEATURES, parameters=bound).result_rows:
        finite, nulls, not_finite, low, high = found
        if place in samples:
            samples[place].features[name] = FeatureSample(finite, not_finite, nulls, low, high)
    for place, name, named, folded, values in client.query(_VALUES, parameters=bound).result_rows:
        if place in samples:
            whole = None if folded or len(values) > MOST_VALUES else tuple(sorted(values))
            known = samples[place].features.get(name, FeatureSample())
            samples[place].features[name] = replace(known, named=named, values=whole)
    return {place: sample for place, sample in samples.items() if _totals(sample) == expected[place]}


def _totals(sample: Sample) -> list[int]:
    """Return how many entries the tables of features, and of categories, hold."""
    features = sample.features.values()
    named = sum(feature.named for feature in features)
    return [sum(feature.entries for feature in features) - named, named]
