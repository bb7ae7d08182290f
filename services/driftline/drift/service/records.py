"""Verdicts as the store keeps them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from driftline.store.verdicts import SHARE_STEP, kept

if TYPE_CHECKING:
    from driftline.domain.verdicts import Verdict

_EVIDENCE = ("effect_low", "effect_high", "z", "critical", "overdispersion", "freedom", "detectable_effect")


def as_kept(verdict: Verdict) -> Verdict:
    """Return a verdict with its evidence as the store keeps it.

    What pages becomes an incident in this form, so that a worker that starts again makes the same one of it.
    """
    if verdict.observed is None or verdict.expected is None:
        return verdict
    figures = dict(zip(_EVIDENCE, kept([getattr(verdict, name) for name in _EVIDENCE]), strict=True))
    (expected,) = kept([verdict.expected], step=SHARE_STEP)
    told: dict[str, Any] = {name: None if math.isnan(figure) else figure for name, figure in figures.items()}
    return replace(verdict, **told, expected=expected, effect=verdict.observed - expected)
