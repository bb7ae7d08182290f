"""What estimates are worth: how far those of earlier periods were from what came true, and when they go.

An estimate sees scores alone. When the same scores come to mean something else (concept drift) it cannot see
it, until truths do. So it is compared with every period whose truths have come, and withdrawn once it errs by
more than its interval allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEWEST = 8
"""So many of the newest periods, or fewer of them, decide together."""

_CHANCE = 0.001
"""An estimate that errs as it says is withdrawn in so few cases."""

_WIDEST = 3.0
"""An estimate that errs by so many times what it says, again and again, is worth nothing."""

_MEDIAN_OF_NORMAL = 0.6744897501960817
_TENTH_OF_NORMAL = 1.6448536269514722

_FEW = 4
_MANY = 10
"""With fewer periods nothing is known of how much wider its interval has to be; with many the worst tenth
says it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An estimate of an earlier period beside what it came to.

    Args:
        estimate: of the metric.
        final: what it came to.
        off: by how many of its standard errors that lies above.
    """

    estimate: float
    final: float
    off: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What estimates of one metric are worth.

    Args:
        windows: earlier periods that they were compared with.
        error: root mean square of estimate less final value; None: there are none.
        inside: share of these whose interval, as it was drawn, held the final value; None: there are none.
        widening: by how much intervals are wider than drawn, for what earlier ones missed.
        is_withdrawn: whether the newest of them err by more than their intervals allow.
    """

    windows: int
    error: float | None
    inside: float | None
    widening: float
    is_withdrawn: bool


def trust_of(compared: Sequence[Compared]) -> Trust:
    """Return what estimates are worth.

    Args:
        compared: of earlier periods, the oldest first.
    """
    if not compared:
        return Trust(0, None, None, 1.0, is_withdrawn=False)
    off = np.clip([each.off for each in compared], -1e6, 1e6)
    usual = widening = 1.0
    if len(off) >= _FEW:
        # By the median, so that a change in the newest of them does not excuse itself.
        usual = widening = max(1.0, float(np.median(np.abs(off))) / _MEDIAN_OF_NORMAL)
    if len(off) >= _MANY:
        widening = max(usual, float(np.quantile(np.abs(off), 0.9)) / _TENTH_OF_NORMAL)
    sums = np.cumsum((off[::-1][:_NEWEST] / usual) ** 2)
    chances = chdtrc(np.arange(1, len(sums) + 1), sums)
    errors = np.array([each.estimate - each.final for each in compared])
    return Trust(
        windows=len(off),
        error=float(np.sqrt(np.mean(errors**2))),
        inside=float(np.mean(np.abs(off) <= 1.96)),
        widening=widening,
        is_withdrawn=bool(chances.min() < _CHANCE / _NEWEST) or usual > _WIDEST,
    )
