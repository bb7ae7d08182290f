"""What a page needs is multiplied by, feature by feature: it keeps a page budget, whatever the traffic does.

Each incident that nobody confirmed is a debt of one step, shared equally by the features that it paged for,
and the budget pays one step in its hours, shared equally by the features in debt (the idea of Gibbs and
Candès 2021). So the debts sum to what a single controller of the whole model would owe: whatever happens, a
model's unconfirmed incidents in t hours are at most t over the budget's hours, and the debt that is left over
a step. That debt is bounded as long as no feature pages at every margin, which is what keeps the promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Margins:
    """Margins of a stream's features when an hour is judged.

    Args:
        others: of each feature that is not named.
        own: by feature.
    """

    others: float = 1.0
    own: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, feature: str) -> float:
        """Return what critical values of a feature are multiplied by, at least 1."""
        return self.own.get(feature, self.others)

    @classmethod
    def owed(cls, debts: Mapping[str, float], step: float) -> Margins:
        """Return what debts make pages need.

        A feature's own debt counts in full. Of each other one at most a step does, so that what pages again
        and again asks for more of itself; and for features without debt the largest does not count at all, so
        that one noisy feature asks nothing of others, and many do as if they were one.

        Args:
            debts: by feature, in logarithms, each above 0.
            step: what one incident adds.
        """
        shared = {name: min(debt, step) for name, debt in debts.items()}
        total, largest = sum(shared.values()), max(shared.values(), default=0.0)
        own = {name: math.exp(debt + total - shared[name]) for name, debt in debts.items()}
        return cls(math.exp(total - largest), own)


Margin: TypeAlias = float | Margins
"""One margin for all features, or one for each."""


def margin_of(margin: Margin, feature: str) -> float:
    """Return the margin of a feature."""
    return margin.of(feature) if isinstance(margin, Margins) else margin


def with_debt(debts: Mapping[str, float], features: Collection[str], step: float) -> dict[str, float]:
    """Return debts with that of one more incident, shared equally by the features that it paged for."""
    owed = dict(debts)
    for name in features:
        owed[name] = owed.get(name, 0.0) + step / len(features)
    return owed


def repaid(debts: Mapping[str, float], amount: float) -> dict[str, float]:
    """Return debts after an amount was paid, as equally as there is debt; what is paid off is gone."""
    left: dict[str, float] = {}
    for place, (name, debt) in enumerate(sorted(debts.items(), key=lambda each: (each[1], each[0]))):
        share = amount / (len(debts) - place)
        amount -= min(debt, share)
        if debt > share:
            left[name] = debt - share
    return left
