"""What is counted of outcomes is what counting rows by hand makes, whatever comes late, twice or never."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.performance.tally import add_up, group_of
from driftline.store import performance_hours
from driftline.store.performance import Asked, Moment, read_counted, read_counted_segments, read_delays
from driftline.store.performance_hours import delete_superseded_performance
from driftline.store.segments import name_segments
from tests.performance.rows import Made, groups_of
from tests.support.landing import put
from tests.support.profiling import Died
from tests.support.traffic import make_logger
from tests.support.training import WAIVED

START = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOUR = int(START.timestamp()) // 3600


def random_rows(kind, count, seed):
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        known = random.random() < 0.7
        score = float(random.choice([0.0, 0.5, 1.0, random.random(), random.random()]))
        if kind == "binary":
            row = Made(score=score, label="yes" if score >= 0.5 else "no", truth=float(random.integers(2)))
        elif kind == "regression":
            row = Made(score=float(random.normal(1e6, 3)), truth=float(round(random.normal(1e6, 3))))
        elif kind == "margin":
            row = Made(score=float(random.normal(0, 4)), label="yes", truth=float(random.integers(2)))
        else:
            shares = random.dirichlet([1, 1, 1])
            own = dict(zip("abc", map(float, shares), strict=True))
            row = Made(label="abc"[random.integers(3)], truth="abc"[random.integers(3)], probabilities=own)
        rows.append(replace(row, truth=row.truth if known else None, acted_on=bool(random.random() < 0.1)))
    return rows


def log_rows(landing, model, rows, *, hours=3):
    """Log predictions over some hours, and their truths."""
    with make_logger(landing.log, model_name=model) as logger:
        event_ids = [
            logger.log(
                prediction=row.score,
                label=row.label,
                probabilities=row.probabilities or None,
                event_time=START + timedelta(hours=place % hours, seconds=place),
                tags={"side": "left" if place % 2 else "right"},
            )
            for place, row in enumerate(rows)
        ]
        tell(logger, event_ids, rows)
    landing.land()
    return event_ids


def tell(logger, event_ids, rows, **more):
    for event_id, row in zip(event_ids, rows, strict=True):
        if row.truth is not None or row.acted_on:
            when = START + timedelta(days=1)
            assert logger.log_outcome(
                event_id, row.truth, acted_on=row.acted_on or None, observed_time=when, **more
            )


def counted(client, model, moment=None, **asked):
    periods = read_counted(client, Asked(model_name=model, **asked), moment)
    return add_up([group_of(each) for own in periods.values() for each in own])


def assert_same(found, expected):
    by_key = {each.key: each for each in found}
    assert by_key.keys() == {each.key for each in expected}
    for each in expected:
        own = by_key[each.key]
        assert (own.count, own.largest) == (each.count, pytest.approx(each.largest))
        assert own.bins.tolist() == each.bins.tolist()
        assert own.counts.tolist() == each.counts.tolist()
        assert own.scores == pytest.approx(each.scores)
        assert own.error_bins.tolist() == each.error_bins.tolist()
        assert own.errors == pytest.approx(each.errors, rel=1e-9, abs=1e-9)
        if each.kind == "answer":
            assert own.sums == pytest.approx(each.sums, rel=1e-12, abs=1e-12)
            held = own.moments[own.moments[:, 0] > 0]
            middle = np.average(held[:, 1], weights=held[:, 0]) if len(held) else 0.0
            spread = held[:, 2].sum() + held[:, 0] @ (held[:, 1] - middle) ** 2
            assert (held[:, 0].sum(), spread) == pytest.approx(
                (each.moments[:, 0].sum(), each.moments[:, 2].sum()), rel=1e-9, abs=1e-9
            )


@pytest.mark.parametrize("kind", ["binary", "regression", "margin", "multiclass"])
def test_what_is_counted_is_what_the_rows_hold(landing, client, kind):
    rows = random_rows(kind, 300, seed=len(kind))
    log_rows(landing, kind, rows)
    assert_same(counted(client, kind), groups_of(rows))
    halves = [rows[1::2], rows[0::2]]
    name_segments(client, kind, ["side=left", "side=right"])
    landing.profiler.run_until_idle()
    assert read_counted_segments(client, Asked(model_name=kind)) == ["side=left", "side=right"]
    for segment, own in zip(("side=left", "side=right"), halves, strict=True):
        assert_same(counted(client, kind, segment=segment), groups_of(own))


def test_a_late_or_corrected_truth_has_its_hour_counted_again_and_no_other(landing, client):
    rows = random_rows("binary", 30, seed=5)
    event_ids = log_rows(landing, "late", rows)
    before = pointers(client, "late")
    changed = [replace(row, truth=1.0 - row.truth) if row.truth is not None else row for row in rows]
    corrected = [place for place in range(30) if place % 3 == 1 and changed[place].truth is not None]
    with make_logger(landing.log, model_name="late") as logger:
        tell(logger, [event_ids[place] for place in corrected], [changed[place] for place in corrected])
    landing.land()
    after = pointers(client, "late")
    assert {hour for hour in after if after[hour] != before[hour]} == {HOUR + 1}
    now = [changed[place] if place in corrected else row for place, row in enumerate(rows)]
    assert_same(counted(client, "late"), groups_of(now))


def pointers(client, model):
    query = (
        "SELECT intDiv(toUnixTimestamp(hour), 3600), derivation FROM performance_hours FINAL "
        f"WHERE model_name = '{model}'"
    )
    return dict(client.rows(query))


def test_any_order_of_arrival_and_copies_end_in_the_same_counts(landing, client):
    """Truths before predictions, corrections before what they correct, everything twice."""
    rows = random_rows("binary", 24, seed=9)
    first = log_rows(landing, "ordered", rows)
    ids = [event_id[:-4] + "ffff" for event_id in first]
    changed = [replace(row, truth=None if row.truth is None else 1.0 - row.truth) for row in rows]
    for _ in range(2):
        with make_logger(landing.log, model_name="shuffled") as logger:
            tell(logger, ids[::-1], rows[::-1], revision=2)
            tell(logger, ids, changed, revision=1)
        landing.land()
    events = [
        {
            "prediction": row.score,
            "label": row.label,
            "event_id": event_id,
            "event_time": START + timedelta(hours=place % 3, seconds=place),
        }
        for place, (row, event_id) in enumerate(zip(rows, ids, strict=True))
    ]
    put(landing, events[12:], model_name="shuffled")
    put(landing, events[:12], model_name="shuffled")
    assert_same(counted(client, "shuffled"), groups_of(rows))


def test_a_profiler_that_dies_between_counting_and_letting_count_leaves_no_trace(
    landing, client, monkeypatch
):
    rows = random_rows("binary", 30, seed=6)
    event_ids = log_rows(landing, "dies", rows)
    with make_logger(landing.log, model_name="dies") as logger:
        tell(logger, event_ids, rows)
    landing.lander.run_until_idle()

    def die(*_, **__):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr("driftline.performance.deriving.point_to_performance", die)
        with pytest.raises(Died):
            landing.profiler.run_until_idle()
    assert_same(counted(client, "dies"), groups_of(rows))
    landing.profiler.run_until_idle()
    assert_same(counted(client, "dies"), groups_of(rows))
    query = "SELECT uniqExact(derivation) FROM performance_counts WHERE model_name = 'dies'"
    assert client.rows(query)[0][0] > 1
    delete_superseded_performance(client, older_than_s=-10)
    assert client.rows(query)[0][0] == len(set(pointers(client, "dies").values()))
    assert_same(counted(client, "dies"), groups_of(rows))


def test_what_was_known_at_a_time_and_an_age_can_be_asked(landing, client):
    rows = random_rows("binary", 20, seed=8)
    event_ids = log_rows(landing, "viewed", rows)
    views = [(datetime.now(UTC), rows)]
    for revision in (1, 2):
        time.sleep(0.01)
        rows = [replace(row, truth=float(revision % 2)) for row in rows]
        with make_logger(landing.log, model_name="viewed") as logger:
            tell(logger, event_ids, rows, revision=revision)
        landing.land()
        views.append((datetime.now(UTC), rows))
    for as_of, known in views:
        assert_same(counted(client, "viewed", Moment(as_of)), groups_of(known))
    assert_same(counted(client, "viewed"), groups_of(rows))
    young = Moment(age=timedelta(hours=22, minutes=30))
    known = [
        row if place % 3 == 2 or row.acted_on else replace(row, truth=None) for place, row in enumerate(rows)
    ]
    assert_same(counted(client, "viewed", young), groups_of(known))


def test_how_long_truths_took_stands_with_their_hour(landing, client):
    rows = [Made(score=0.5, truth=1.0), Made(score=0.5, truth=0.0), Made(score=0.5)]
    log_rows(landing, "delayed", rows)
    found = read_delays(client, Asked(model_name="delayed"))
    assert [(each.hour, each.truth, each.count, each.replayed) for each in found] == [
        (HOUR, "1", 1, 1),
        (HOUR + 1, "0", 1, 1),
        (HOUR + 2, "", 1, 1),
    ]
    assert [list(each.delays[0]) for each in found] == [[17], [17], []]  # Up to a day.


def test_an_hour_of_which_rows_have_expired_keeps_what_was_counted(landing, client):
    rows = random_rows("binary", 30, seed=7)
    event_ids = log_rows(landing, "expired", rows)
    client.command("DELETE FROM predictions WHERE model_name = 'expired' AND sequence % 6 < 3")
    with make_logger(landing.log, model_name="expired") as logger:
        tell(logger, event_ids, [replace(row, truth=1.0) for row in rows])
    landing.land()
    assert_same(counted(client, "expired"), groups_of(rows))


def test_of_a_model_without_outcomes_nothing_is_counted(landing, client):
    put(landing, [{"prediction": 0.5}], model_name="silent")
    assert counted(client, "silent") == []
    assert pointers(client, "silent") == {}


def test_a_reference_that_is_registered_again_is_counted_by_its_new_rows(landing, client):
    for truths in ([1, 1, 0], [0, 0]):
        register_training_run(
            "run",
            model_name="registered",
            model_version="1",
            log=landing.log,
            reference={"x": [1.0] * len(truths)},
            reference_predictions=[0.5] * len(truths),
            reference_actuals=truths,
            waive=WAIVED,
            artifact_uri="s3://models/registered",
            data_uri="s3://data/registered",
        )
        landing.land()
        found = counted(client, "registered", environment="reference")
        assert sum(each.count for each in found if each.status == "known") == len(truths)


def test_an_hour_that_cannot_be_counted_holds_up_no_other(landing, client, monkeypatch):
    rows = random_rows("binary", 9, seed=3)
    derive = performance_hours.derive_performance

    def fails(client, held, *arguments, **more):
        if any(each.hour == HOUR + 1 and each.stream.model_name == "odd" for each in held):
            raise ValueError("an odd hour")
        derive(client, held, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr("driftline.performance.deriving.derive_performance", fails)
        log_rows(landing, "odd", rows)
        assert pointers(client, "odd").keys() == {HOUR, HOUR + 2}
    landing.again()
    landing.profiler.run_until_idle()
    assert_same(counted(landing.client, "odd"), groups_of(rows))
    assert [*read_counted(landing.client, Asked(model_name="odd", hours=1000))] == [
        (Stream("odd", "3", "production"), HOUR - (HOUR - 96) % 1000)
    ]
