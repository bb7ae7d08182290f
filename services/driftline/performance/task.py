"""What a model answers: yes and no, one of several labels, or numbers; and which label means yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.domain.performance import NO_SCORE, is_probability
from driftline.performance.binary import measure_binary
from driftline.performance.business_value import (
    BUSINESS_VALUE,
    value_of_labels,
    value_of_numbers,
    value_of_yes,
)
from driftline.performance.multiclass import measure_multiclass
from driftline.performance.regression import measure_regression
from driftline.performance.tally import of_status, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.business_value import BusinessValue
    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group

Kind: TypeAlias = Literal["binary", "multiclass", "regression"]

MAIN: Final[Mapping[Kind, Sequence[str]]] = {
    "binary": tuple("accuracy precision recall f1 roc_auc average_precision log_loss brier_score".split()),
    "multiclass": ("accuracy", "f1_macro", "roc_auc_macro", "log_loss", "brier_score"),
    "regression": ("mae", "rmse", "mape", "r2", "bias"),
}
"""What is shown of each kind without being asked for."""

LOWER_IS_BETTER: Final = frozenset(
    {"log_loss", "brier_score", "calibration_error", "mae", "rmse", "mape", "largest_error"}
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a model answers.

    Args:
        kind: binary, multiclass or regression.
        positive: of binary: the labels that mean yes. Empty: no label decides, the score does, from 0.5 on.
        negative: of binary: the labels that mean no.
        business_value: what its answers are worth; None: that is not set.
    """

    kind: Kind
    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()
    business_value: BusinessValue | None = None

    @property
    def main(self) -> Sequence[str]:
        """The metrics that are shown without being asked for."""
        return (*MAIN[self.kind], BUSINESS_VALUE) if self.business_value else MAIN[self.kind]

    def decides(self, label: str) -> bool | None:
        """Return whether a label means yes; None: the score decides."""
        if label in self.positive:
            return True
        return False if label in self.negative else None

    def measure(self, groups: Sequence[Group]) -> Mapping[str, Measured]:
        """Return every metric of the known groups, by name."""
        if self.kind == "binary":
            measured = measure_binary(groups, self.decides)
        else:
            measured = measure_multiclass(groups) if self.kind == "multiclass" else measure_regression(groups)
        value = self._value(groups)
        return measured if value is None else {**measured, BUSINESS_VALUE: value}

    def _value(self, groups: Sequence[Group]) -> Measured | None:
        if self.business_value is None:
            return None
        if self.kind == "binary":
            return value_of_yes(groups, self.decides, self.business_value.of_yes)
        if self.kind == "multiclass":
            return value_of_labels(groups, self.business_value)
        return value_of_numbers(groups, self.business_value)


def task_of(groups: Sequence[Group]) -> Task | None:
    """Return what a model answers, from all that is known of it; None: nothing is.

    Truths that are labels make it multiclass. Truths that are all 0 or 1 make it binary, where the answers
    are probabilities, or labels stand beside them. All else is regression.
    """
    known = of_status(groups, "known")
    if not known:
        return None
    if any(each.truth not in {"0", "1", ""} for each in known) or not total(known, "numbers"):
        return Task("multiclass")
    places = [each.bins[each.bins != NO_SCORE] for each in known]
    scored = [each for each in places if len(each)]
    are_shares = bool(scored) and all(is_probability(int(each[0]), int(each[-1])) for each in scored)
    has_labels = any(each.decision for each in known)
    if any(not each.truth for each in known) or not (are_shares or has_labels):
        return Task("regression")
    return _binary([*known, *of_status(groups, "unknown")])


def _binary(groups: Sequence[Group]) -> Task:
    """Return which of two labels means yes: the one that stands beside the higher scores."""
    scores: dict[str, tuple[float, float]] = {}
    for each in groups:
        if each.decision:
            held, counted = scores.get(each.decision, (0.0, 0.0))
            scores[each.decision] = (held + float(each.scores.sum()), counted + float(each.counts.sum()))
    means = {label: held / counted for label, (held, counted) in scores.items() if counted}
    if len(means) == 1:
        ((label, mean),) = means.items()
        own, other = frozenset({label}), frozenset[str]()
        return Task("binary", own, other) if mean >= 0.5 else Task("binary", other, own)
    if len(means) != 2:
        return Task("binary")
    negative, positive = sorted(means, key=lambda label: means[label])
    return Task("binary", frozenset({positive}), frozenset({negative}))
