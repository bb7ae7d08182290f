"""What is estimated, and how unsure that is: values that were drawn, where they err to both sides alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from driftline.performance.intervals import Measured, Z

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.performance.tally import Floats

Scale: TypeAlias = Literal["share", "positive", "plain"]

_SMALLEST: Final = 1e-12


def scale_of(metric: str) -> Scale:
    """Return between what a metric lies: 0 and 1, from 0 on, or anywhere."""
    name = metric.partition(":")[0]
    if name in {"log_loss", "brier_score", "mae", "rmse", "mape"}:
        return "positive"
    return "plain" if name == "bias" else "share"


def on_scale(metric: str, value: float | Floats) -> Floats:
    """Return a value, or many, where they err to both sides alike.

    Of shares that is the angle whose sine squared they are, so that 0 and 1 are not infinitely far; of errors
    the logarithm.
    """
    scale = scale_of(metric)
    given = np.asarray(value, dtype=float)
    if scale == "share":
        return np.asarray(np.arcsin(np.sqrt(np.clip(given, 0.0, 1.0))))
    return np.asarray(np.log(np.maximum(given, _SMALLEST))) if scale == "positive" else given


@dataclass(frozen=True, slots=True)
class Drawn:
    """An estimate.

    Args:
        metric: its name.
        value: of the metric, as it is most likely.
        error: its standard error, where it errs to both sides alike (`on_scale`).
        sample: predictions that it is of.
    """

    metric: str
    value: float
    error: float
    sample: float

    def off(self, final: float) -> float:
        """Return by how many standard errors a final value lies above."""
        gap = float(on_scale(self.metric, final) - on_scale(self.metric, self.value))
        return gap / self.error if self.error > 0 else math.copysign(math.inf, gap) if gap else 0.0

    def measured(self, widening: float = 1.0) -> Measured:
        """Return the value with its interval.

        Args:
            widening: by how much it is wider than was drawn.
        """
        middle, step = float(on_scale(self.metric, self.value)), Z * self.error * widening
        low, high = (self._back(middle + side * step) for side in (-1, 1))
        return Measured(self.value, min(low, self.value), max(high, self.value), self.sample)

    def _back(self, place: float) -> float:
        scale = scale_of(self.metric)
        if scale == "share":
            return math.sin(min(max(place, 0.0), math.pi / 2)) ** 2
        return math.exp(min(place, 700.0)) if scale == "positive" else place


def drawn_of(values: Mapping[str, Floats], sample: float) -> dict[str, Drawn]:
    """Return estimates by metric; those that are not defined are left out.

    Args:
        values: by metric the most likely value, and draws of what it may come to. Shape (1 + draws,).
        sample: predictions that they are of.
    """
    found = {}
    for name, own in values.items():
        held = own[1:][np.isfinite(own[1:])]
        if np.isfinite(own[0]) and len(held) > len(own) / 2:
            # The spread about the value itself: draws that lie to one side of it make it less sure.
            error = float(np.sqrt(np.mean((on_scale(name, held) - on_scale(name, own[0])) ** 2)))
            found[name] = Drawn(name, float(own[0]), error, sample)
    return found
