"""The benchmark of streams: what their concepts do, and that a drift is trained for and none is not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.concept_drift import DRIFT_DAY, run
from bench.concept_streams import FAMILIES, NOISE, Stream, draw, streams


def test_there_are_twenty_whose_concept_moves_and_twenty_whose_concept_does_not():
    made = streams()
    assert [sum(each.has_drift is moves for each in made) for moves in (True, False)] == [20, 20]
    assert len({each.seed for each in made}) == 40


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_follow_the_first_concept_before_the_drift_and_the_second_after_it(family):
    for pace in ("abrupt", "gradual", "incremental"):
        stream = Stream(family, family, pace)
        for day, at in ((0, 0.0), (DRIFT_DAY + 14, 1.0)):
            x, y = draw(stream, day, DRIFT_DAY, 4000)
            assert np.mean(y != FAMILIES[family](x, at)) == pytest.approx(NOISE, abs=0.015)
    x, _ = draw(Stream(family, family), 0, DRIFT_DAY, 4000)
    assert np.mean(FAMILIES[family](x, 0.0) != FAMILIES[family](x, 1.0)) > 0.2


def test_an_abrupt_drift_is_trained_for_in_days_and_what_merely_moves_is_not():
    flips = run(Stream("flips", "label flips", "abrupt"), rows=150)
    assert 1 <= flips.days <= 7
    assert flips.after > flips.before + 0.03
    still = run(Stream("still", "label flips", "none", "abrupt irrelevant"), rows=150)
    assert (still.days, still.after) == (None, None)
