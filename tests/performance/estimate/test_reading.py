"""Periods are estimated before their truths come, compared once these have, and withdrawn where they err."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftline import register_training_run
from driftline.performance.timeline import read_timeline
from driftline.store.performance import Asked
from driftline.store.segments import name_segments
from tests.performance.estimate.streams import binary_day
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger
from tests.support.training import WAIVED

START = datetime(2026, 2, 2, tzinfo=UTC)
HOUR = int(START.timestamp()) // 3600
ROWS = 300


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("estimates")))
    yield opened
    opened.close()


def serve(landing, model, days, *, known, seed=1):
    """Log days of answers, of two origins, and the truths of the first of them, each two hours later.

    Args:
        days: what differs on each, by origin, as arguments of `binary_day`.
        known: of so many days truths are known.
    """
    random = np.random.default_rng(seed)
    came, late = [], []
    with make_logger(landing.log, model_name=model) as logger:
        for day, differs in enumerate(days):
            for origin in ("EWR", "JFK"):
                score, truth = binary_day(random, ROWS // 2, **differs.get(origin, {}))
                came.append((day, score, truth))
                times = [
                    START + timedelta(days=day, minutes=100 * place / len(score))
                    for place in range(len(score))
                ]
                event_ids = logger.log_batch(predictions=score, event_times=times, tags={"origin": origin})
                outcomes = event_ids, truth, [time + timedelta(hours=2) for time in times]
                if day < known:
                    logger.log_outcomes(*outcomes[:2], observed_times=outcomes[2])
                else:
                    late.append(outcomes)
    landing.land()
    return came, late


def tell(landing, model, late):
    """Log the truths that were not known."""
    with make_logger(landing.log, model_name=model) as logger:
        for event_ids, truth, times in late:
            logger.log_outcomes(event_ids, truth, observed_times=times)
    landing.land()


def accuracy(came, days):
    right = [(score >= 0.5) == truth for day, score, truth in came if day in days]
    return np.concatenate(right).mean()


def timeline(landing, model, **more):
    return read_timeline(landing.client, Asked(model_name=model, hours=24, shift=0, **more), now_s=2e9)


def test_other_cases_are_seen_before_labels_come_and_confirmed_after(landing):
    """In the last two days surer scores come, whose truths are not there yet; then they are."""
    moved = {origin: {"shift": -2.0} for origin in ("EWR", "JFK")}
    days = [{}] * 30 + [moved] * 2
    came, late = serve(landing, "cases", days, known=30)
    before = timeline(landing, "cases").periods
    expected, usual = accuracy(came, {30, 31}), accuracy(came, set(range(30)))
    assert expected > usual + 0.1
    for period in before[-2:]:
        estimate = period.estimates["accuracy"]
        assert "accuracy" not in period.values
        assert estimate.measured.low > usual
        assert (
            estimate.measured.low <= accuracy(came, {(period.start - HOUR) // 24}) <= estimate.measured.high
        )
        assert estimate.trust.windows >= 20
        assert estimate.trust.error < 0.05
        assert not estimate.trust.is_withdrawn
    tell(landing, "cases", late)
    after = timeline(landing, "cases").periods[30]
    final, estimate = after.values["accuracy"], after.estimates["accuracy"]
    assert final.basis == "final"
    assert estimate.measured.low <= final.measured.value <= estimate.measured.high


def test_it_is_withdrawn_once_truths_say_that_the_same_scores_mean_something_else(landing):
    """From day 30 on truths of one origin are turned round, and scores are as ever; day 33 has none yet."""
    name_segments(landing.client, "flipped", ["origin=EWR", "origin=JFK"])
    days = [{}] * 30 + [{"EWR": {"flip": 1.0}}] * 4
    came, _ = serve(landing, "flipped", days, known=33)
    last = timeline(landing, "flipped").periods[-1]
    assert accuracy(came, {31, 32, 33}) < accuracy(came, set(range(30))) - 0.1
    assert last.estimates["accuracy"].trust.is_withdrawn
    early = timeline(landing, "flipped", until=HOUR + 30 * 24).periods[-1]
    assert not early.estimates["accuracy"].trust.is_withdrawn
    own = {
        segment: timeline(landing, "flipped", segment=segment)
        .periods[-1]
        .estimates["accuracy"]
        .trust.is_withdrawn
        for segment in ("origin=EWR", "origin=JFK")
    }
    assert own == {"origin=EWR": True, "origin=JFK": False}


def test_a_young_version_is_estimated_by_its_reference_rows(landing):
    random = np.random.default_rng(5)
    score, truth = binary_day(random, 1_000)
    register_training_run(
        "first",
        model_name="young",
        model_version="3",
        log=landing.log,
        waive=WAIVED,
        artifact_uri="s3://models/young",
        data_uri="s3://data/young",
        reference={"x": [1.0] * len(truth)},
        reference_predictions=score,
        reference_actuals=truth,
    )
    came, _ = serve(landing, "young", [{}], known=0)
    found = timeline(landing, "young")
    assert found.task.kind == "binary"
    (period,) = found.periods
    estimate = period.estimates["accuracy"]
    assert estimate.is_of_reference
    assert estimate.trust.windows == 0
    assert estimate.measured.low <= accuracy(came, {0}) <= estimate.measured.high


def test_without_truths_enough_nothing_is_estimated(landing):
    serve(landing, "few", [{}] * 2, known=1)
    assert [period.estimates for period in timeline(landing, "few").periods] == [{}, {}]
