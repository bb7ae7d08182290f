"""The gate lets through what is surely not worse, refuses what surely is, and holds where it can't say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.gate import KINDS, RULES, SLICE, Kind, decisions, draw
from driftline.lifecycle.gate import GateRules, decide_gate

RUNS = 200
MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)
"""What one in twenty may come to in so many runs, by chance."""


def drawn(task="labels", kind=KINDS["equal"], rows=4000, **changes):
    return replace(draw(task, kind, rows, np.random.default_rng(1)), **changes)


@pytest.mark.parametrize("kind", ["worse by the margin", "worse in one slice of 5 %"])
def test_what_is_worse_by_the_margin_passes_in_one_of_twenty_at_most(kind):
    found = decisions("labels", KINDS[kind], rows=4000, runs=RUNS, seed=3)
    assert found["pass"] / RUNS <= MOST


def test_what_is_as_good_fails_in_one_of_twenty_at_most():
    found = decisions("labels", KINDS["equal"], rows=4000, runs=RUNS, seed=4)
    assert found["fail"] / RUNS <= MOST


def test_with_rows_enough_what_is_better_passes_and_what_is_worse_fails():
    assert decisions("binary", KINDS["better"], rows=60_000, runs=3, seed=5) == {"pass": 3}
    assert decisions("binary", Kind(-2.0, -2.0), rows=60_000, runs=3, seed=6) == {"fail": 3}


def test_a_fault_in_one_slice_is_named():
    verdict = decide_gate(drawn(kind=Kind(0.3, -10.0)), RULES)
    assert verdict.decision == "fail"
    assert verdict.reason.startswith(f"accuracy in {SLICE}: ")


@pytest.mark.parametrize(
    ("changes", "rules", "decision", "reason"),
    [
        ({"rows": 100}, {}, "hold", "100 rows are too few"),
        ({"asked": 40_000}, {}, "hold", "answered 10.0% of production's rows"),
        ({}, {"slices": ("region=south",)}, "hold", "accuracy in region=south: 0 rows do not suffice"),
        ({}, {"slices": (SLICE,), "least_slice_rows": 300}, "hold", "200 rows do not suffice"),
        ({"invalid": 1}, {"slices": ()}, "fail", "1 of 4001 answers are none"),
        (
            {"available": {"x": 1.0, "y": 0.5}},
            {},
            "fail",
            "trained on what is not served: y in 50.0% of rows",
        ),
    ],
)
def test_what_decides_is_named(changes, rules, decision, reason):
    verdict = decide_gate(drawn(**changes), replace(RULES, **rules))
    assert verdict.decision == decision
    assert reason in verdict.reason


def test_the_same_model_passes():
    pairs = drawn()
    assert decide_gate(replace(pairs, candidate=pairs.production), RULES).decision == "pass"


def test_a_candidate_that_is_surely_slower_fails():
    random = np.random.default_rng(2)
    pairs = drawn()
    same = replace(pairs, candidate=pairs.production)
    latency = {"production_latency": random.exponential(1000, 4000)}
    slow = replace(same, candidate_latency=random.exponential(2000, 4000), **latency)
    alike = replace(same, candidate_latency=random.exponential(1100, 4000), **latency)
    assert [decide_gate(each, RULES).decision for each in (slow, alike)] == ["fail", "pass"]
    assert "95 % of answers take up to" in decide_gate(slow, RULES).reason


def test_a_candidate_that_is_surely_calibrated_worse_fails():
    random = np.random.default_rng(3)
    scores = random.random(4000)
    truth = (random.random(4000) < scores).astype(float)
    pairs = drawn("binary", truth=truth, production=scores, candidate=np.clip(scores * 1.4 - 0.2, 0, 1))
    assert decide_gate(pairs, GateRules()).reason.startswith("calibration: ")


def test_empty_nothing_is_decided():
    none = np.zeros(0)
    verdict = decide_gate(drawn(truth=none, candidate=none, production=none, slices={}, asked=0), RULES)
    assert (verdict.decision, verdict.rows) == ("hold", 0)
