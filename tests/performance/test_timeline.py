"""A value says what it rests on, and before all truths are there its interval covers the final one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftline.performance.timeline import read_timeline
from driftline.store.performance import Asked, Moment
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger

START = datetime(2026, 2, 2, tzinfo=UTC)
HOUR = int(START.timestamp()) // 3600
HOURS = 21 * 24
NOW_S = (HOUR + HOURS) * 3600.0


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("timeline")))
    yield opened
    opened.close()


def replay(landing, model, rows, *, slow_h, ever=1.0, by=None, **more):
    """Log three weeks, and the truths that are known at their end: the positive ones late. Return all."""
    random = np.random.default_rng(3)
    hours = random.random(rows) * HOURS
    truth = random.random(rows) < 0.3
    odds = random.normal(np.where(truth, 0.5, -0.5), 1.0)
    score = 1 / (1 + np.exp(-odds))
    delay = np.where(truth, random.uniform(0, slow_h, rows), random.uniform(0, 1, rows))
    known = (hours + delay <= HOURS) & (random.random(rows) < ever)
    times = [START + timedelta(hours=float(hour)) for hour in hours]
    labels = np.where(score >= 0.5, "late", "on time")
    with make_logger(landing.log, model_name=model) as logger:
        event_ids = logger.log_batch(predictions=score, labels=labels, event_times=times, **more)
        own = np.flatnonzero(known if by is None else known & by(hours))
        logger.log_outcomes(
            [event_ids[place] for place in own],
            truth[own].astype(float),
            observed_times=[times[place] + timedelta(hours=float(delay[place])) for place in own],
        )
    landing.land()
    return hours, truth, score


def test_early_values_cover_the_final_one_where_what_came_alone_errs(landing):
    """Of the last day half of the positive truths are missing, so that most alarms look false."""
    hours, truth, score = replay(landing, "informative", 40_000, slow_h=30)
    asked = Asked(model_name="informative", hours=24, shift=0)
    timeline = read_timeline(landing.client, asked, now_s=2e9)
    bases = [period.values["recall"].basis for period in timeline.periods]
    assert bases == ["final"] * 19 + ["weighted"] * 2
    last = timeline.periods[-1]
    of_day = hours >= HOURS - 24
    old = of_day & (hours < HOURS - 4)  # Of hours that are hardly known at all nothing is reported.
    right = (score >= 0.5) == truth
    expected = {
        "accuracy": right[old].mean(),
        "precision": truth[old & (score >= 0.5)].mean(),
        "brier_score": ((score - truth)[old] ** 2).mean(),
    }
    for name, value in expected.items():
        measured = last.values[name].measured
        assert measured.low <= value <= measured.high, name
    precision = last.values["precision"]
    assert precision.naive < precision.measured.low
    first = timeline.periods[0]
    assert first.values["accuracy"].measured.value == right[hours < 24].mean()


def test_where_nobody_knows_how_late_truths_are_there_are_bounds(landing):
    _, truth, score = replay(landing, "unseen", 3_000, slow_h=2_000)
    timeline = read_timeline(landing.client, Asked(model_name="unseen", hours=HOURS, shift=HOUR), now_s=2e9)
    (period,) = timeline.periods
    assert period.values["roc_auc"].basis == "known"
    right = (score >= 0.5) == truth
    accuracy = period.values["accuracy"]
    assert accuracy.basis == "bounds"
    assert accuracy.measured.low <= right.mean() <= accuracy.measured.high
    precision = period.values["precision"].measured
    assert precision.low <= truth[score >= 0.5].mean() <= precision.high
    assert period.predictions == 3_000
    assert period.known + period.unknown == 3_000


def test_truths_that_never_come_are_not_waited_for(landing):
    replay(landing, "never", 8_000, slow_h=3, ever=0.9)
    timeline = read_timeline(landing.client, Asked(model_name="never", hours=168), now_s=2e9)
    assert [period.is_final for period in timeline.periods] == [True, True, False]
    assert timeline.delays.coverage.final == pytest.approx(0.9, abs=0.015)
    assert timeline.periods[0].expected[1] == timeline.delays.coverage.final


def test_a_view_of_the_past_is_what_was_seen_then(landing):
    replay(landing, "past", 4_000, slow_h=3)
    asked = Asked(model_name="past", hours=168)
    before = read_timeline(landing.client, asked, now_s=2e9)
    as_of = Moment(datetime.now(UTC))
    with make_logger(landing.log, model_name="past") as logger:
        rows = landing.client.rows("SELECT event_id FROM predictions WHERE model_name = 'past'")
        logger.log_outcomes([row[0] for row in rows], [1.0] * len(rows))
    landing.land()
    after = read_timeline(landing.client, asked, now_s=2e9)
    assert after.periods[0].values["accuracy"] != before.periods[0].values["accuracy"]
    assert_same(read_timeline(landing.client, asked, now_s=2e9, moment=as_of), before)


def assert_same(one, other):
    """Two timelines say the same, but for how sums were rounded on the way."""
    for own, others in zip(one.periods, other.periods, strict=True):
        assert replace(own, values={}, estimates={}) == replace(others, values={}, estimates={})
        for name, estimate in own.estimates.items():
            assert estimate.measured.value == pytest.approx(others.estimates[name].measured.value), name
        for name, value in own.values.items():
            known = others.values[name]
            assert value.basis == known.basis
            assert value.measured.value == pytest.approx(known.measured.value), name
            assert value.measured.high == pytest.approx(known.measured.high), name


def test_of_a_model_without_any_truth_there_is_no_task(landing):
    timeline = read_timeline(landing.client, Asked(model_name="nobody"), now_s=NOW_S)
    assert (timeline.task, timeline.periods) == (None, [])
