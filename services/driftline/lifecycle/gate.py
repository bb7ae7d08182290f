"""The gate: whether a candidate may take production's place, decided by the same rows for both. Pure.

To pass, it has to be sure that the candidate is not worse by a margin: of the whole and of each slice that
was named. To fail, it has to be sure that it is worse somewhere, after Holm's correction over all that was
looked at. What is neither holds: there is too little to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from driftline.performance.paired import (
    RELATIVE,
    Difference,
    Metric,
    calibration_difference,
    difference_of,
    holm,
    quantile_bounds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.paired import Flags
    from driftline.performance.pairs import PairedTask, Pairs

Decision: TypeAlias = Literal["pass", "fail", "hold"]

WHOLE: Final = ""
METRIC_OF: Final[Mapping[PairedTask, Metric]] = {"binary": "roc_auc", "labels": "accuracy", "numbers": "mae"}
MARGIN_OF: Final[Mapping[str, float]] = {
    "roc_auc": 0.01,
    "accuracy": 0.01,
    **dict.fromkeys(RELATIVE, 0.05),
}
SLICE_MARGINS: Final = 3.0
"""A slice may be worse by so many margins, unless its own is given: it is smaller, so less is sure of it."""

_QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What a candidate has to keep to.

    Args:
        metric: that decides; None: by the task, AUC, accuracy or the mean absolute error.
        margin: it may be worse by less than this; of losses and errors a share of production's. None: 0.01
            of AUC and accuracy, 5 % of others.
        slice_margin: the same of each slice; None: three times the margin.
        slices: parts of the traffic, ``key=value``, that are looked at by themselves.
        level: in so many cases at most a candidate passes that is worse by the margin, and likewise one
            fails that is as good.
        least_rows: fewer rows hold.
        least_slice_rows: fewer rows of a slice hold.
        calibration_margin: the calibration error may surely be larger by so much; None: it is not looked at.
        latency_ratio: the latency of 95 % of answers may surely be so many times production's.
        most_invalid: share of answers that may be none: not finite, missing, or no probability.
        least_paired: a smaller share of the rows that the candidate answered, too, holds.
        least_available: each feature that the candidate was trained on is in so many of the rows.
    """

    metric: Metric | None = None
    margin: float | None = None
    slice_margin: float | None = None
    slices: tuple[str, ...] = ()
    level: float = 0.05
    least_rows: int = 200
    least_slice_rows: int = 100
    calibration_margin: float | None = 0.02
    latency_ratio: float = 1.25
    most_invalid: float = 0.0
    least_paired: float = 0.9
    least_available: float = 0.99

    def margins(self, metric: str) -> tuple[float, float]:
        """Return the margin of the whole and of a slice."""
        margin = MARGIN_OF[metric] if self.margin is None else self.margin
        return margin, SLICE_MARGINS * margin if self.slice_margin is None else self.slice_margin


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: the metric, or ``pairing``, ``invalid_outputs``, ``features``, ``calibration``, ``latency``.
        segment: of which slice; empty: of the whole.
        decision: pass, fail or hold.
        detail: why, for a person.
        difference: what was measured; None: it is no difference, or cannot be.
        margin: that it was held against; None: it has none.
        low: one-sided bound of the difference; None: as above.
        high: likewise.
    """

    name: str
    segment: str
    decision: Decision
    detail: str
    difference: Difference | None = None
    margin: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decides.

    Args:
        decision: fail where anything fails, else hold where anything holds, else pass.
        reason: the first check that decided so.
        rows: pairs that were looked at.
        metric: that decided.
        checks: all that was looked at.
    """

    decision: Decision
    reason: str
    rows: int
    metric: str
    checks: Sequence[Check]


def decide_gate(pairs: Pairs, rules: GateRules) -> Verdict:
    """Return whether a candidate may take production's place."""
    metric = rules.metric or METRIC_OF[pairs.task]
    checks = [
        _pairing(pairs, rules),
        _invalid(pairs, rules),
        *_features(pairs, rules),
        *_compared(pairs, rules, metric),
        *_calibration(pairs, rules),
        *_latency(pairs, rules),
    ]
    for decision in ("fail", "hold"):
        if deciding := next((each for each in checks if each.decision == decision), None):
            where = f" in {deciding.segment}" if deciding.segment else ""
            reason = f"{deciding.name}{where}: {deciding.detail}"
            return Verdict(deciding.decision, reason, len(pairs.truth), metric, checks)
    return Verdict("pass", "nothing speaks against it", len(pairs.truth), metric, checks)


def _pairing(pairs: Pairs, rules: GateRules) -> Check:
    rows = len(pairs.truth)
    answered = rows + pairs.invalid
    if rows < rules.least_rows:
        return Check("pairing", WHOLE, "hold", f"{rows} rows are too few; at least {rules.least_rows} decide")
    share = answered / pairs.asked if pairs.asked else 0.0
    if share < rules.least_paired:
        detail = f"the candidate answered {share:.1%} of production's rows; the others may be other rows"
        return Check("pairing", WHOLE, "hold", detail)
    return Check("pairing", WHOLE, "pass", f"{rows} rows that both answered, {share:.1%} of production's")


def _invalid(pairs: Pairs, rules: GateRules) -> Check:
    answered = len(pairs.truth) + pairs.invalid
    share = pairs.invalid / answered if answered else 0.0
    detail = f"{pairs.invalid} of {answered} answers are none"
    return Check("invalid_outputs", WHOLE, "fail" if share > rules.most_invalid else "pass", detail)


def _features(pairs: Pairs, rules: GateRules) -> Sequence[Check]:
    if not pairs.available:
        return []
    scarce = {name: share for name, share in pairs.available.items() if share < rules.least_available}
    if not scarce:
        return [Check("features", WHOLE, "pass", f"all {len(pairs.available)} are served")]
    named = ", ".join(f"{name} in {share:.1%} of rows" for name, share in sorted(scarce.items())[:5])
    return [Check("features", WHOLE, "fail", f"trained on what is not served: {named}")]


def _compared(pairs: Pairs, rules: GateRules, metric: Metric) -> Sequence[Check]:
    """Return the comparison of the whole and of each slice; what is worse is so after Holm's correction."""
    masks = {
        WHOLE: np.ones(len(pairs.truth), dtype=bool),
        **{name: pairs.slices.get(name) for name in rules.slices},
    }
    least = {name: rules.least_slice_rows if name else rules.least_rows for name in masks}
    found: dict[str, Difference | None] = {}
    for name, mask in masks.items():
        rows = 0 if mask is None else int(mask.sum())
        enough = mask is not None and rows >= least[name]
        found[name] = (
            difference_of(metric, pairs.truth[mask], pairs.candidate[mask], pairs.production[mask])
            if enough
            else None
        )
    worse = holm({name: each.p_worse for name, each in found.items() if each}, rules.level)
    return [
        _of_slice(name, metric, found[name], mask, rules, is_worse=name in worse)
        for name, mask in masks.items()
    ]


def _of_slice(
    name: str,
    metric: str,
    difference: Difference | None,
    mask: Flags | None,
    rules: GateRules,
    *,
    is_worse: bool,
) -> Check:
    margin = rules.margins(metric)[1 if name else 0]
    if difference is None:
        rows = 0 if mask is None else int(mask.sum())
        return Check(metric, name, "hold", f"{rows} rows do not suffice", margin=margin)
    low, high = difference.low(rules.level), difference.high(rules.level)
    unit = "%" if metric in RELATIVE else ""
    scale = 100 if metric in RELATIVE else 1
    shown = f"{difference.value * scale:+.4g}{unit}, surely above {low * scale:+.4g}{unit}"
    if difference.is_not_worse_by(margin, rules.level):
        decision: Decision = "pass"
    else:
        decision = "fail" if is_worse else "hold"
    against = f"margin {margin * scale:.4g}{unit}"
    return Check(metric, name, decision, f"{shown}; {against}", difference, margin, low, high)


def _calibration(pairs: Pairs, rules: GateRules) -> Sequence[Check]:
    if pairs.task != "binary" or rules.calibration_margin is None:
        return []
    found = calibration_difference(pairs.truth, pairs.candidate, pairs.production)
    if found is None:
        return []
    low, high = found.low(rules.level), found.high(rules.level)
    is_worse = high < -rules.calibration_margin
    detail = f"error {found.candidate:.4f}, production's {found.production:.4f}"
    decision: Decision = "fail" if is_worse else "pass"
    return [Check("calibration", WHOLE, decision, detail, found, rules.calibration_margin, low, high)]


def _latency(pairs: Pairs, rules: GateRules) -> Sequence[Check]:
    if not len(pairs.candidate_latency):
        return []
    own, own_low, _ = quantile_bounds(pairs.candidate_latency, _QUANTILE, rules.level)
    other, _, other_high = quantile_bounds(pairs.production_latency, _QUANTILE, rules.level)
    is_slower = own_low > rules.latency_ratio * other_high
    detail = f"95 % of answers take up to {own / 1000:.3g} ms, production's {other / 1000:.3g} ms"
    return [Check("latency", WHOLE, "fail" if is_slower else "pass", detail, margin=rules.latency_ratio)]
