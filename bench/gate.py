"""How often the gate errs: candidates that are better, equal, worse by the margin, or worse in one slice.

``python -m bench.gate`` draws 500 pairs of models of each kind and prints how often each was let through,
refused, or held. What it promises: of candidates worse by the margin, as a whole or in a slice that is named,
at most one in twenty passes; of those that are as good, at most one in twenty fails.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from driftline.lifecycle.gate import GateRules, decide_gate
from driftline.performance.pairs import Pairs

if TYPE_CHECKING:
    from driftline.performance.pairs import PairedTask
    from driftline.performance.tally import Floats

SLICE: Final = "region=north"
SLICE_SHARE: Final = 0.05
MARGIN: Final = {"binary": 0.01, "labels": 0.01, "numbers": 0.05}
RULES: Final = GateRules(slices=(SLICE,), calibration_margin=None)
"""A slice may be worse by three margins."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a candidate differs from production, in margins; negative: it is worse.

    Args:
        whole: everywhere but in the slice.
        in_slice: in the slice.
    """

    whole: float
    in_slice: float


KINDS: Final = {
    "better": Kind(1.0, 1.0),
    "equal": Kind(0.0, 0.0),
    "worse by the margin": Kind(-1.0, -1.0),
    "worse in one slice of 5 %": Kind(0.0, -3.0),
}


def draw(task: PairedTask, kind: Kind, rows: int, random: np.random.Generator) -> Pairs:
    """Return the answers of two models that know the same 80 % of what can be known."""
    in_slice = np.arange(rows) < round(SLICE_SHARE * rows)
    shift = np.where(in_slice, kind.in_slice, kind.whole) * MARGIN[task]
    drawn = {"binary": _binary, "labels": _labels, "numbers": _numbers}[task](shift, random)
    return Pairs(
        task=task,
        truth=drawn[0],
        candidate=drawn[1],
        production=drawn[2],
        slices={SLICE: in_slice},
        asked=rows,
    )


def _noise(rows: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Noise of two models, of variance 1, of which four fifths are the same."""
    common, ours, theirs = random.standard_normal((3, rows))
    same = math.sqrt(0.8) * common
    return same + math.sqrt(0.2) * ours, same + math.sqrt(0.2) * theirs


def _binary(shift: Floats, random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """AUC 0.80 of production, and by the shift more of the candidate."""
    truth = (random.random(len(shift)) < 0.3).astype(float)
    ours, theirs = _noise(len(shift), random)
    apart = [math.sqrt(2) * ndtri(0.8 + each) for each in (shift, np.zeros(len(shift)))]
    return truth, apart[0] * truth + ours, apart[1] * truth + theirs


def _labels(shift: Floats, random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Right in 80 % of production's answers, and by the shift more of the candidate's."""
    ours, theirs = _noise(len(shift), random)
    right = [(noise < ndtri(0.8 + each)).astype(float) for noise, each in ((ours, shift), (theirs, 0.0))]
    return np.zeros(len(shift)), right[0], right[1]


def _numbers(shift: Floats, random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Errors of mean 0.8 of production, and by the shift as a share less of the candidate."""
    ours, theirs = _noise(len(shift), random)
    truth = random.standard_normal(len(shift))
    return truth, truth + ours * (1 - shift), truth + theirs


def decisions(task: PairedTask, kind: Kind, *, rows: int, runs: int, seed: int) -> Counter[str]:
    """Return how often the gate decided what."""
    random = np.random.Generator(np.random.PCG64(seed))
    return Counter(decide_gate(draw(task, kind, rows, random), RULES).decision for _ in range(runs))


def main() -> None:
    """Print a table of all kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--rows", type=int, nargs="+", default=[4_000, 20_000])
    asked = parser.parse_args()
    print("| metric | candidate | rows | pass | fail | hold |\n|---|---|---|---|---|---|")
    tasks: dict[str, PairedTask] = {"AUC": "binary", "accuracy": "labels", "mean absolute error": "numbers"}
    for rows in asked.rows:
        for metric, task in tasks.items():
            for name, kind in KINDS.items():
                found = decisions(task, kind, rows=rows, runs=asked.runs, seed=len(name) + rows)
                shares = (f"{found[each] / asked.runs:.1%}" for each in ("pass", "fail", "hold"))
                print(f"| {metric} | {name} | {rows} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
