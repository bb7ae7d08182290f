"""Rows of the shapes that real features have: skewed, heavy-tailed, discrete, far from zero, at the ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int, float], np.ndarray]

SHAPES: dict[str, Draw] = {
    "normal": lambda rng, size, shift: rng.normal(shift, 1, size),
    "lognormal": lambda rng, size, shift: np.exp(rng.normal(shift, 1, size)),
    "t(1.5)": lambda rng, size, shift: rng.standard_t(1.5, size) + shift,
    "Poisson": lambda rng, size, shift: rng.poisson(4 + 2 * shift, size).astype(float),
    "70 % zeros": lambda rng, size, shift: np.where(
        rng.random(size) < 0.7 - shift / 3, 0.0, np.exp(rng.normal(0, 1, size))
    ),
    "offset": lambda rng, size, shift: 1e6 + rng.normal(shift, 1, size),
    "constant": lambda _rng, size, _shift: np.full(size, 42.0),
}
"""By name; a shift of 0.1 is one of 0.1 standard deviations."""

EXTREMES = np.array(
    [
        *(0.0, -0.0, 5e-324, -5e-324, 2.2e-308, -1e-310, 1e-16, 0.5, -0.5, 1.0, -1.0, 4503599627370497.5),
        *(1e154, -1e154, 1e300, 1.7976931348623157e308, -1.7976931348623157e308),
    ]
)
