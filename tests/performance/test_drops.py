"""A version that got worse is found on final values, and one that did not is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.metrics import Metrics
from driftline.performance.drops import drops_by_segment, standings_of
from driftline.performance.metrics import DROP, ESTIMATE, ESTIMATE_ERROR, VALUE, WITHDRAWN
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.segments import name_segments
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger

START = datetime(2026, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("drops")))
    yield opened
    opened.close()


def weeks(landing, model, skills, *, version="1", first=0, seed=0, tags=None):
    """Log a week of 700 predictions for each skill: by how much the scores tell yes from no."""
    random = np.random.default_rng(seed)
    with make_logger(landing.log, model_name=model, model_version=version) as logger:
        for week, skill in enumerate(skills, first):
            truth = random.random(700) < 0.4
            score = 1 / (1 + np.exp(-random.normal(np.where(truth, skill, -skill), 1.0)))
            times = [START + timedelta(weeks=week, minutes=10_080 * place / 700) for place in range(700)]
            event_ids = logger.log_batch(predictions=score, event_times=times, tags=tags)
            known = [time + timedelta(hours=2) for time in times]
            logger.log_outcomes(event_ids, truth.astype(float), observed_times=known)
    landing.land()


def drops(landing, model, version="1"):
    found = standings_of(landing.client, Stream(model, version, "production"), now_s=2e9)
    return {each.metric: (each.drop > 0, each.against) for each in found}


def test_a_version_that_got_worse_is_found(landing):
    weeks(landing, "worse", [1.0] * 4 + [0.4])
    assert drops(landing, "worse") == {"roc_auc": (True, "1"), "brier_score": (True, "1")}


def test_one_that_got_better_or_hardly_worse_is_left_alone(landing):
    weeks(landing, "better", [0.6] * 4 + [1.2])
    weeks(landing, "hardly", [0.8] * 4 + [0.75])
    assert drops(landing, "better") == drops(landing, "hardly")
    assert drops(landing, "better") == {"roc_auc": (False, "1"), "brier_score": (False, "1")}


def test_a_young_version_is_compared_with_the_one_before(landing):
    weeks(landing, "deployed", [1.0] * 3)
    weeks(landing, "deployed", [0.4], version="2", first=3)
    assert drops(landing, "deployed", "2") == {"roc_auc": (True, "1"), "brier_score": (True, "1")}


def test_where_a_part_of_the_traffic_got_worse_it_is_named(landing):
    """One origin falls from the fifth week on, the others stay."""
    name_segments(landing.client, "parts", ["origin=EWR", "origin=JFK"])
    weeks(landing, "parts", [1.0] * 4 + [0.4], tags={"origin": "EWR"})
    weeks(landing, "parts", [1.0] * 5, tags={"origin": "JFK"}, seed=1)
    found = drops_by_segment(landing.client, Stream("parts", "1", "production"), now_s=2e9)
    fell = {(name, each.metric) for name, own in found.items() for each in own if each.drop > 0}
    assert found.keys() == {"origin=EWR", "origin=JFK"}
    assert fell == {("origin=EWR", "roc_auc"), ("origin=EWR", "brier_score")}


def test_without_a_past_there_is_a_value_and_no_drop(landing):
    weeks(landing, "new", [1.0])
    assert drops(landing, "new") == {"roc_auc": (False, ""), "brier_score": (False, "")}
    assert drops(landing, "nobody") == {}


def test_the_profiler_publishes_how_versions_stand_and_forgets_those_that_serve_no_more(landing):
    weeks(landing, "published", [1.0] * 4 + [0.4], first=10)
    metrics = Metrics(PROFILER_METRICS)
    profiler = Profiler(landing.store, metrics=metrics)
    try:
        profiler.step()
    finally:
        profiler.close()
    assert {model for model, *_ in metrics.series(VALUE)} == {"published"}
    series = metrics.series(DROP)
    assert series["published", "1", "roc_auc", "1"] > 0.1
    assert len(series) == 2
    labels = ("published", "1", "brier_score")
    assert metrics.series(WITHDRAWN)[labels] == 1  # The same scores mean less in the last week.
    assert metrics.series(ESTIMATE_ERROR)[labels] > 0.01
    assert labels not in metrics.series(ESTIMATE)
