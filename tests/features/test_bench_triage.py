"""The benchmark of triage: whom it blames, and that it can be wrong."""

from __future__ import annotations

import pytest

from bench.triage import CULPRITS, confusion
from driftline.features import triage


@pytest.mark.parametrize("culprit", CULPRITS, ids=lambda each: each.name)
def test_of_simulated_incidents_nearly_all_are_blamed_on_the_right_one(culprit):
    found = confusion(8, culprits=[culprit])[culprit.name]
    assert found[culprit.blame] >= 7


def test_with_another_threshold_it_would_blame_the_wrong_one(monkeypatch):
    monkeypatch.setattr(triage, "_EXPLAINED", 2.0)
    stale = next(each for each in CULPRITS if each.name == "a change of unit behind retrieval")
    assert confusion(8, culprits=[stale])[stale.name]["serving"] == 0
