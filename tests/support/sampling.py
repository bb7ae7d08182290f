"""Of many cases that are alike, ``make test`` tries some, and ``make soak`` all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def sampled(cases: Sequence[Any], every: int, *, first: int = 0) -> list[Any]:
    """Return the cases for ``parametrize``: all but each ``every``-th, from ``first`` on, are exhaustive."""
    return [
        case if at % every == first else pytest.param(*_several(case), marks=pytest.mark.exhaustive)
        for at, case in enumerate(cases)
    ]


def _several(case: Any) -> tuple[Any, ...]:
    return case if isinstance(case, tuple) else (case,)
