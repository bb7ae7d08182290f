"""How surely a volume changed."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.drift.statistics.volume import MINIMUM_CHANGE, evidence


def test_a_change_below_the_smallest_is_no_evidence_however_many_there_are():
    events = np.array([1e6 / MINIMUM_CHANGE * 1.01, 1e6, 1e6 * MINIMUM_CHANGE * 0.99])
    assert evidence(events, np.full(3, 1e6), 0.0).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("spread", [0.0, 0.01])
def test_evidence_grows_as_volumes_stray_and_shrinks_with_noise(spread):
    events = np.array([700.0, 500.0, 100.0, 0.0])
    found = evidence(events, np.full(4, 1000.0), spread)
    assert (np.diff(found) > 0).all()
    assert (evidence(events, np.full(4, 1000.0), spread + 0.05) < found).all()


def test_of_few_expected_events_none_says_little():
    """That none of ten comes has a probability of exp(-10)."""
    assert evidence(np.array([0.0]), np.array([10.0]), 0.0)[0] < 4.5
