"""The worker judges each closed hour once, whether it is restarted or not, and tells of what is served."""

from __future__ import annotations

import threading

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.drift.service.metrics import COMPLETENESS, EVALUATED, FAILURES, SCORE, VERDICT, WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.errors import StoreError
from driftline.log import Record
from driftline.metrics import Metrics
from driftline.store import grids
from driftline.store.connection import Connection
from driftline.store.verdicts import read_verdicts
from driftline.wire import TRAINING_RUN, TRAINING_RUNS_TOPIC, encode_record
from tests.support.landing import Landing, put
from tests.support.running import Place, wait_until

HOUR = 490_008
HOUR_S = 3600
PER_HOUR = 40


@pytest.fixture
def landing(tmp_path):
    opened = Landing(Place(tmp_path))
    yield opened
    opened.close()


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def make_worker(landing, *, clock=None):
    worker = DriftWorker(landing.store, metrics=Metrics(WORKER_METRICS), monotonic=clock or Clock())
    landing.workers.append(worker)
    return worker


def put_hours(landing, first, end, *, rows=PER_HOUR, **names):
    """Land hours of a feature that doubles after ten hours, the same events each time."""
    put(
        landing,
        (
            {
                "features": {
                    "amount": (7.0 * number + hour) % 31 * (2 if hour > 10 else 1),
                    "city": "Bergen",
                },
                "event_time": float((HOUR + hour) * HOUR_S + number),
                "event_id": f"01890000-0000-7000-8000-{hour:06x}{number:06x}",
            }
            for hour in range(first, end)
            for number in range(rows)
        ),
        **names,
    )


def reported(landing):
    """All verdicts, without what no two runs have in common."""
    rows = read_verdicts(landing.client, limit=100_000)
    return [{name: value for name, value in row.items() if name != "judged_at"} for row in rows]


def test_an_hour_is_judged_once_it_has_closed_and_only_once(landing):
    put_hours(landing, 0, 5)
    worker = make_worker(landing)
    given = worker.watch_once()
    assert given == len(reported(landing)) > 0
    assert {row["window_end"].timestamp() % HOUR_S for row in reported(landing)} == {0.0}
    hourly = sorted({row["window_end"] for row in reported(landing) if row["scale_hours"] == 1})
    assert len(hourly) == 4  # The fifth hour is open.
    assert worker.watch_once() == 0


def test_after_a_restart_it_goes_on_as_if_there_had_been_none(tmp_path):
    def run(folder, *, restarts):
        folder.mkdir()
        landing = Landing(Place(folder))
        worker = make_worker(landing)
        for first, end in ((0, 9), (9, 14), (14, 40)):
            put_hours(landing, first, end)
            assert worker.watch_once() > 0
            if restarts:
                worker.close()
                landing.again()
                worker = make_worker(landing)
                assert worker.watch_once() == 0
        verdicts = reported(landing)
        worker.close()
        landing.close()
        return verdicts

    once = run(tmp_path / "once", restarts=False)
    again = run(tmp_path / "again", restarts=True)
    assert len(once) == len(again) > 100
    assert again == once


def test_it_waits_for_reference_rows_that_were_announced_but_not_for_ever(landing):
    put_hours(landing, 0, 4)
    run = {"training_run_id": "run-7f3a", "model_name": "till", "model_version": "3", "registered_time": 0}
    value = encode_record(TRAINING_RUN, {**run, "reference_rows": 50})
    landing.log.writer().append([Record(TRAINING_RUNS_TOPIC, b"", value)])
    landing.land()
    clock = Clock()
    worker = make_worker(landing, clock=clock)
    assert worker.watch_once() == 0
    clock.now_s = 599.0
    assert worker.watch_once() == 0
    clock.now_s = 601.0
    assert worker.watch_once() > 0


def test_it_judges_once_the_reference_has_landed_and_is_derived_on_its_grid(landing, monkeypatch):
    put_hours(landing, 0, 4)
    run = {"training_run_id": "run-7f3a", "model_name": "till", "model_version": "3", "registered_time": 0}
    value = encode_record(TRAINING_RUN, {**run, "reference_rows": 50})
    landing.log.writer().append([Record(TRAINING_RUNS_TOPIC, b"", value)])
    landing.lander.land_once()
    worker = make_worker(landing)
    rows = [
        {"features": {"amount": float(number)}, "event_time": float(HOUR * HOUR_S)} for number in range(50)
    ]
    with monkeypatch.context() as patched:
        patched.setattr(landing.profiler, "run_until_idle", lambda: 0)
        put(landing, rows, environment="reference")
    assert not grids.is_reference_complete(landing.client, "till")
    assert worker.watch_once() == 0  # The reference has landed, and is not derived.
    landing.profiler.run_until_idle()
    assert grids.is_reference_complete(landing.client, "till")
    assert grids.read_grids(landing.client, "till").keys() == {"amount"}
    assert worker.watch_once() > 0
    assert "training" in {row["reference"] for row in reported(landing)}


def test_a_reference_that_lands_after_the_first_verdicts_is_judged_against_as_well(landing):
    """A team may register its run when the model serves already: nothing has to be restarted for it."""
    put_hours(landing, 300, 305)
    worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, 0, 200, environment="reference")
    worker.watch_once()
    worker.watch_once()
    put_hours(landing, 305, 308)
    worker.watch_once()
    late = [row for row in reported(landing) if row["window_end"].timestamp() > (HOUR + 306) * HOUR_S]
    assert {row["reference"] for row in late} == {"production", "training"}


def test_a_new_version_begins_with_the_history_of_the_one_before_it(landing):
    """Its traffic is the same; it would be blind for a week otherwise."""
    put_hours(landing, 11, 220)
    put_hours(landing, 220, 223, model_version="4")
    worker = make_worker(landing)
    worker.watch_once()
    (first, *_) = [
        row for row in reported(landing) if row["model_version"] == "4" and row["feature"] == "amount"
    ]
    assert first["verdict"] == "ok"
    assert first["reference_size"] >= 7 * PER_HOUR  # The same hour of seven days, all of the other version.


def test_only_versions_that_are_served_are_exported(landing):
    put_hours(landing, 0, 3, model_version="old")
    clock = Clock()
    worker = make_worker(landing, clock=clock)
    worker.watch_once()
    exported = worker.metrics.series
    assert {key[:2] for key in exported(VERDICT)} == {("till", "old")}
    put_hours(landing, 2, 50, model_version="new")
    clock.now_s = 30.0
    worker.watch_once()
    exported = worker.metrics.series
    for metric in (VERDICT, EVALUATED, COMPLETENESS, SCORE):
        assert {key[:2] for key in exported(metric)} <= {("till", "new")}
    assert exported(EVALUATED) == {("till", "new"): float((HOUR + 49) * HOUR_S)}
    assert exported(COMPLETENESS) == {("till", "new"): 1.0}


def test_a_reference_and_a_shadow_are_not_exported(landing):
    put_hours(landing, 0, 3, environment="shadow")
    put_hours(landing, 0, 3, environment="reference", model_name="other")
    worker = make_worker(landing)
    assert worker.watch_once() > 0
    assert worker.metrics.series(VERDICT) == {}
    assert {row["environment"] for row in reported(landing)} == {"shadow"}


def test_verdicts_that_the_store_did_not_take_are_given_again(landing, monkeypatch):
    put_hours(landing, 0, 6)
    clock = Clock()
    worker = make_worker(landing, clock=clock)
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "insert", lambda *_, **__: (_ for _ in ()).throw(StoreError("full")))
        assert worker.watch_once() == 0
    assert reported(landing) == []
    assert [failure.detail for failure in worker.failing.values()] == ["StoreError: full"]
    assert worker.watch_once() == 0, "it waits"
    clock.now_s += 1.0
    given = worker.watch_once()
    assert not worker.failing
    assert given == len(reported(landing)) > 0


def test_running_it_outlives_the_trouble_of_its_store(landing, monkeypatch):
    put_hours(landing, 0, 6)
    worker = make_worker(landing)
    healthy, failures = worker.watch_once, []

    def fail_once():
        if not failures:
            failures.append(1)
            raise StoreError("away")
        return healthy()

    monkeypatch.setattr(worker, "watch_once", fail_once)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    wait_until(lambda: len(reported(landing)) > 0, what="a verdict")
    stop.set()
    thread.join()
    assert worker.metrics.series(FAILURES)[()] == 1


def test_while_nothing_lands_it_asks_one_question_and_no_more(landing, monkeypatch):
    put_hours(landing, 0, 5)
    clock = Clock()
    worker = make_worker(landing, clock=clock)
    assert worker.watch_once() > 0
    clock.now_s = 100.0
    worker.watch_once()  # It may look again at what its own verdicts left.
    asked = []
    rows = Connection.rows
    with monkeypatch.context() as patched:
        patched.setattr(
            Connection, "rows", lambda *given, **named: asked.append(given) or rows(*given, **named)
        )
        clock.now_s = 150.0
        assert worker.watch_once() == 0
        assert len(asked) == 1
        clock.now_s = 200.0
        assert worker.watch_once() == 0  # How far landing is, too: that is asked once a minute.
        assert len(asked) == 3
    put_hours(landing, 5, 6)
    assert worker.watch_once() > 0


def test_how_complete_streams_are_is_reported_every_half_minute_at_most_and_not_forgotten(landing):
    put_hours(landing, 0, 3)
    clock = Clock()
    worker = make_worker(landing, clock=clock)
    worker.watch_once()
    assert worker.metrics.series(COMPLETENESS) == {("till", "3"): 1.0}
    put_hours(landing, 0, 3, model_version="4")
    clock.now_s = 29.0
    worker.watch_once()
    assert worker.metrics.series(COMPLETENESS) == {("till", "3"): 1.0}
    clock.now_s = 30.0
    worker.watch_once()
    assert worker.metrics.series(COMPLETENESS) == {("till", "3"): 1.0, ("till", "4"): 1.0}


def test_watch_once_ends_by_itself_and_a_second_one_finds_nothing_to_do(tmp_path):
    landing = Landing(Place(tmp_path))
    put_hours(landing, 0, 5)
    landing.close()
    command = ["watch", "--once", "--store", landing.place.store_url]
    first, second = (CliRunner().invoke(driftline, command) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    assert int(first.output.split()[0]) > 0
    assert second.output == "0 verdicts given\n"
