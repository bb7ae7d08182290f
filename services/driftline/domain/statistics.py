"""The descriptive statistics that verdicts carry: they inform, they do not page.

Each is named here once. Verdicts, the store, pages, exports, dashboards and docs follow; tests fail where one
of them does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Kind


@dataclass(frozen=True, slots=True)
class DescriptiveStatistic:
    """One statistic of how a window's values differ from the expected ones.

    Args:
        name: under which verdicts, metrics and the store have it.
        title: what people call it.
        kinds: of which kinds of features.
        meaning: what it is, with its unit and range.
        is_charted: whether it is drawn in one chart with the others, whose scale it shares.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    meaning: str
    is_charted: bool = True


DESCRIPTIVE_STATISTICS = (
    DescriptiveStatistic(
        "psi",
        "PSI",
        ("numeric", "categorical"),
        "population stability index over the deciles of the reference, or over the values; 0 or more",
    ),
    DescriptiveStatistic(
        "js",
        "Jensen-Shannon distance",
        ("numeric", "categorical"),
        "over the same bins, base 2; 0 to 1",
    ),
    DescriptiveStatistic(
        "ks", "KS", ("numeric",), "Kolmogorov-Smirnov: the largest gap of the distributions; 0 to 1"
    ),
    DescriptiveStatistic(
        "ks_p_value",
        "KS p",
        ("numeric",),
        "its p-value, of independent rows, which production's rarely are; 0 to 1",
        is_charted=False,
    ),
    DescriptiveStatistic(
        "wasserstein",
        "Wasserstein",
        ("numeric",),
        "how far values moved on average, winsorised, in the feature's unit",
        is_charted=False,
    ),
    DescriptiveStatistic(
        "wasserstein_normed",
        "Wasserstein / sd",
        ("numeric",),
        "the same in standard deviations of the reference",
    ),
    DescriptiveStatistic(
        "chi2", "chi-square", ("categorical",), "over the values; 0 or more", is_charted=False
    ),
    DescriptiveStatistic(
        "chi2_p_value",
        "chi-square p",
        ("categorical",),
        "its p-value, of independent rows; 0 to 1",
        is_charted=False,
    ),
)
STATISTIC_NAMES = tuple(each.name for each in DESCRIPTIVE_STATISTICS)


def statistics_of(kind: Kind) -> Sequence[DescriptiveStatistic]:
    """Return the statistics of a kind of feature."""
    return [each for each in DESCRIPTIVE_STATISTICS if kind in each.kinds]


def titles_of(kind: Kind) -> Mapping[str, str]:
    """Return what people call the statistics of a kind of feature, by name."""
    return {each.name: each.title for each in statistics_of(kind)}
