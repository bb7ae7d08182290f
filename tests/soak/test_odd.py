"""Odd events of every kind land once, and books in which one is missing are reported."""

from __future__ import annotations

from driftline import PredictionLogger
from tests.soak.books import check_books
from tests.soak.odd import KINDS, MODELS
from tests.support.landing import Landing
from tests.support.running import Place

EACH = 20


def test_every_kind_lands_and_a_missing_one_is_reported(tmp_path):
    landing = Landing(Place(tmp_path))
    for kind, event in KINDS.items():
        with PredictionLogger(
            model_name=MODELS[kind], model_version="1", training_run_id="odd", log=landing.log
        ) as logger:
            for number in range(EACH):
                logger.log(**event(number))
        assert logger.stats().accepted == EACH, kind
    landing.land()
    assert check_books(landing.client, {}, 0, dict.fromkeys(KINDS, EACH)).wrong == []
    claimed = dict.fromkeys(KINDS, EACH) | {"epoch zero": EACH + 1}
    (problem,) = check_books(landing.client, {}, 0, claimed).wrong
    assert problem.startswith("odd, epoch zero: logged 21, 20 rows")
    landing.close()
