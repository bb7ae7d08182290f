"""Streams of labelled rows of which the concept moves, or not: the families that the literature compares by.

Every family has numeric features, draws rows for a day, and labels them by a concept that is a function of
the time: before the drift, after it, or between the two. Published: SEA (Street and Kim, 2001), the rotating
hyperplane (Hulten, Spencer and Domingos, 2001), Agrawal's functions of loan applicants (Agrawal, Imielinski
and Swami, 1993; three of the ten, written anew), sines (Gama et al., 2004). Labels are noisy in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Concept = Callable[[Floats, float], NDArray[np.bool_]]

Pace = Literal["none", "abrupt", "gradual", "incremental"]
Covariates = Literal["still", "season", "irrelevant", "easier", "abrupt irrelevant"]

GRADUAL_DAYS = 14
NOISE = 0.08
_SEA_FIRST, _SEA_LAST = 8.0, 13.0
_TURN = np.pi / 2
_RICH = 75.0


@dataclass(frozen=True)
class Stream:
    """One stream.

    Args:
        name: of its family and of what happens.
        family: a key of `FAMILIES`.
        pace: how the concept moves: ``gradual``: more and more rows follow the new one; ``incremental``: the
            concept itself turns; over two weeks each.
        covariates: how features move, which changes no relation.
        seed: of everything that is random.
    """

    name: str
    family: str
    pace: Pace = "none"
    covariates: Covariates = "still"
    seed: int = 0

    @property
    def has_drift(self) -> bool:
        """Whether the relation of labels to features moves."""
        return self.pace != "none"


def _sea(x: Floats, at: float) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = x[:, 0] + x[:, 1] <= _SEA_FIRST + (_SEA_LAST - _SEA_FIRST) * at
    return held


def _hyperplane(x: Floats, at: float) -> NDArray[np.bool_]:
    # The plane turns between the first two axes; the others stay.
    weights = np.array([np.cos(_TURN * at), np.sin(_TURN * at), 0.5, -0.3, 0.2])
    held: NDArray[np.bool_] = (x[:, :5] - 5.0) @ weights > 0
    return held


def _agrawal(x: Floats, at: float) -> NDArray[np.bool_]:
    # Salary in thousands, age in years, and the loan in thousands, out of ten each.
    salary, age, loan = 20 + 13 * x[:, 0], 20 + 6 * x[:, 1], 50 * x[:, 2]
    by_age: NDArray[np.bool_] = (age < 40) | (age >= 60)
    by_salary: NDArray[np.bool_] = (salary > _RICH) & (loan < 350)
    return by_salary if at >= 0.5 else by_age


def _sine(x: Floats, at: float) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = x[:, 1] / 10 <= 0.5 + 0.3 * np.sin(2 * np.pi * (x[:, 0] / 10 + at / 2))
    return held


def _flipped(x: Floats, at: float) -> NDArray[np.bool_]:
    # Above 6 of the third feature labels turn over, as when somebody began to write them the other way.
    held: NDArray[np.bool_] = (x[:, 0] + x[:, 1] > 10) ^ ((x[:, 2] > 6) & (at >= 0.5))
    return held


FAMILIES: dict[str, Concept] = {
    "SEA": _sea,
    "hyperplane": _hyperplane,
    "Agrawal": _agrawal,
    "sine": _sine,
    "label flips": _flipped,
}
_FEATURES = 6
_IRRELEVANT = 5


def draw(stream: Stream, day: int, drift_day: int, rows: int) -> tuple[Floats, NDArray[np.int_]]:
    """Return a day of a stream: features of shape (rows, 6), labels of shape (rows,)."""
    random = np.random.default_rng([stream.seed, day])
    x = random.uniform(0, 10, (rows, _FEATURES))
    passed = day - drift_day
    share = float(np.clip(passed / GRADUAL_DAYS, 0, 1))
    _move(x, stream.covariates, day, passed, share)
    concept = FAMILIES[stream.family]
    match stream.pace:
        case "abrupt":
            labels = concept(x, 1.0 if passed >= 0 else 0.0)
        case "gradual":
            labels = np.where(random.random(rows) < share, concept(x, 1.0), concept(x, 0.0))
        case "incremental":
            labels = concept(x, share)
        case _:
            labels = concept(x, 0.0)
    return x, (labels ^ (random.random(rows) < NOISE)).astype(int)


def _move(x: Floats, how: Covariates, day: int, passed: int, share: float) -> None:
    """Move features in place; none of it changes what labels mean."""
    match how:
        case "season":
            x[:, 0] = np.clip(x[:, 0] + np.sin(2 * np.pi * day / 7), 0, 10)
        case "irrelevant":
            x[:, _IRRELEVANT] += 5 * share
        case "abrupt irrelevant":
            x[:, _IRRELEVANT] = x[:, _IRRELEVANT] * 1.8 + 32 if passed >= 0 else x[:, _IRRELEVANT]
        case "easier":
            # Rows go to the edges, where each family's first concept is sure.
            x[:, :2] = np.clip(5 + (x[:, :2] - 5) * (1 + 0.5 * share), 0, 10)


def streams() -> Sequence[Stream]:
    """Return twenty streams whose concept moves, and twenty whose concept does not."""
    paces: dict[str, tuple[Pace, Pace, Pace, Pace]] = {
        "SEA": ("abrupt", "abrupt", "gradual", "incremental"),
        "hyperplane": ("abrupt", "gradual", "incremental", "incremental"),
        "Agrawal": ("abrupt", "abrupt", "gradual", "gradual"),
        "sine": ("abrupt", "gradual", "gradual", "incremental"),
        "label flips": ("abrupt", "abrupt", "gradual", "gradual"),
    }
    covariates: tuple[Covariates, ...] = ("still", "season", "irrelevant", "abrupt irrelevant")
    easy: tuple[Covariates, ...] = ("still", "season", "easier", "abrupt irrelevant")
    moving = [
        Stream(f"{family}, {pace}", family, pace, "season" if number % 2 else "still", 10 * place + number)
        for place, (family, own) in enumerate(paces.items())
        for number, pace in enumerate(own)
    ]
    still = [
        Stream(f"{family}, {how}", family, "none", how, 100 + 10 * place + number)
        for place, family in enumerate(FAMILIES)
        for number, how in enumerate(easy if family == "hyperplane" else covariates)
    ]
    return [*moving, *still]
