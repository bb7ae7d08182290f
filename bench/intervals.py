"""How often intervals of performance hold what they estimate: 95 % of samples, measured on simulated ones.

`python -m bench.intervals` draws 4,000 samples a case, and says for each how many held the true value.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from driftline.performance.binary import measure_binary
from driftline.performance.multiclass import measure_multiclass
from driftline.performance.regression import measure_regression
from tests.performance.rows import Made, groups_of, groups_of_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.random import Generator

    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group


@dataclass(frozen=True)
class Case:
    """Samples of one kind.

    Args:
        name: metric, and what it is measured of.
        metric: its name.
        draw: makes a sample of so many rows.
        measure: measures one.
        size: of a sample.
    """

    name: str
    metric: str
    draw: Callable[[Generator, int], Sequence[Group]]
    measure: Callable[[Sequence[Group]], Mapping[str, Measured]]
    size: int


def _scored(random: Generator, size: int, *, prevalence: float = 0.3) -> Sequence[Group]:
    """Scores that are right about their own chance, but for a little."""
    truth = random.random(size) < prevalence
    odds = random.normal(np.where(truth, 0.6, -0.8), 1.0)
    return groups_of_columns(1 / (1 + np.exp(-odds)), truth.astype(float))


def _rare(random: Generator, size: int) -> Sequence[Group]:
    return _scored(random, size, prevalence=0.05)


def _numbers(random: Generator, size: int) -> Sequence[Group]:
    truth = random.normal(20, 5, size)
    return groups_of_columns(truth + 0.5 + random.standard_t(6, size), truth)


def _labels(random: Generator, size: int) -> Sequence[Group]:
    truth = random.choice(3, size, p=[0.6, 0.3, 0.1])
    answer = np.where(random.random(size) < 0.7, truth, random.choice(3, size))
    return groups_of([Made(label="abc"[a], truth="abc"[t]) for a, t in zip(answer, truth, strict=True)])


def _binary(groups: Sequence[Group]) -> Mapping[str, Measured]:
    return measure_binary(groups, lambda _: None)


_BINARY = "accuracy precision recall specificity f1 roc_auc average_precision log_loss brier_score".split()
CASES = (
    *(Case(f"{name} of 200", name, _scored, _binary, 200) for name in _BINARY),
    *(Case(f"{name} of 1000, 5 % true", name, _rare, _binary, 1000) for name in ("recall", "roc_auc")),
    *(
        Case(f"{name} of 200", name, _numbers, measure_regression, 200)
        for name in ("mae", "rmse", "mape", "bias")
    ),
    *(Case(f"{name} of 300", name, _labels, measure_multiclass, 300) for name in ("f1_macro", "f1:a")),
)


@cache
def truth_of(case: Case) -> float:
    """Return what a case's metric comes to on a sample that is so large that it hardly varies."""
    value = case.measure(case.draw(np.random.default_rng(0), 300_000))[case.metric].value
    return float("nan") if value is None else value


def coverage(case: Case, samples: int, *, seed: int) -> float:
    """Return the share of samples whose interval holds the true value."""
    truth = truth_of(case)
    random = np.random.default_rng(seed)
    held = 0
    for _ in range(samples):
        found = case.measure(case.draw(random, case.size))[case.metric]
        held += found.low is not None and found.low <= truth <= (found.high or 0.0)
    return held / samples


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4_000)
    samples = parser.parse_args().samples
    for case in CASES:
        share = coverage(case, samples, seed=1)
        low, high = stats.binomtest(round(share * samples), samples).proportion_ci(method="wilson")
        print(f"{case.name:<34} {share:7.2%}  ({low:.2%} to {high:.2%})", flush=True)


if __name__ == "__main__":
    main()
