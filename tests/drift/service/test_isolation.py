"""A stream that fails, at whatever step, is named and tried again; all others are judged and exported."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.testclient import TestClient

from driftline.cli.app import driftline
from driftline.domain.streams import Stream
from driftline.drift.service import pipeline, stored, watch
from driftline.drift.service.metrics import EVALUATED, FAILING, NEWEST, SET_ASIDE
from driftline.drift.service.source import StreamSource
from driftline.drift.service.watch import StreamWatch
from driftline.errors import DriftlineError, StoreError
from driftline.health import Health, Pulse
from driftline.store.connection import Connection
from driftline.store.verdicts import read_verdicts
from tests.drift.service.watching import HOUR, HOUR_S, Clock, make_worker, opened_landing, put_hours
from tests.support.landing import put
from tests.support.sampling import sampled

BAD, GOOD = "bad", "good"
STEPS = {
    "what was judged": (watch, "read_judged_hours", 1),
    "where it begins": (watch, "read_counted_hours", 1),
    "grids": (pipeline, "read_grids", 1),
    "history": (pipeline, "read_history", 0),
    "incidents": (pipeline, "open_book", 1),
    "hours": (watch, "read_stream_hours", 1),
    "writing": (watch, "write_verdicts", 1),
    "noting": (watch, "write_judged_hours", 1),
    "keeping incidents": (watch.StreamWatch, "_keep_incidents", 1),
    "late events": (watch, "read_rows_by_hour", 1),
    "what arrived": (stored, "read_arrived", 1),
    "runs": (stored, "count_unregistered", 1),
}
ERRORS = StoreError("odd"), OverflowError("odd")
"""One that is foreseen, and one that nobody foresaw."""

FAILURES = [
    (step, error) for at, step in enumerate(STEPS) for error in (reversed(ERRORS) if at % 2 else ERRORS)
]


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


@contextmanager
def failing_for_bad(step, error):
    """Let a step raise for one stream."""
    module, name, place = STEPS[step]
    healthy = getattr(module, name)

    def fails(*arguments, **options):
        if BAD in owner(arguments[place]):
            raise error
        return healthy(*arguments, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, name, fails)
        yield


def owner(argument):
    """Return whose a step is, by what it was given: a stream, its name, its source, or verdicts on it."""
    if isinstance(argument, StreamSource):
        return argument.span.stream.model_name
    return repr(argument)


@pytest.mark.parametrize(
    ("step", "error"),
    sampled(FAILURES, 2),
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_a_stream_that_fails_holds_up_no_other(landing, step, error):
    for model in (BAD, GOOD):
        put_hours(landing, 0, 4, model_name=model)
    clock = Clock()
    worker = make_worker(landing, clock)
    with failing_for_bad(step, error):
        worker.watch_once()
        assert read_verdicts(landing.client, model_name=GOOD)
        assert (GOOD, "3") in worker.metrics.series(EVALUATED)
        assert (GOOD, "3") in worker.metrics.series(NEWEST)
        assert worker.metrics.series(FAILING) == {(BAD, "3", "production"): 1.0}
        put_hours(landing, 4, 6, model_name=GOOD)
        clock.now_s += 100
        worker.watch_once()
        if step != "keeping incidents":  # By then there are none to be kept.
            assert worker.metrics.series(FAILING) == {(BAD, "3", "production"): 2.0}
        ends = {
            row["window_end"].timestamp() // HOUR_S for row in read_verdicts(landing.client, model_name=GOOD)
        }
        assert max(ends) == HOUR + 5
    clock.now_s += 100
    worker.watch_once()
    assert not worker.failing
    assert worker.metrics.series(FAILING) == {}
    assert read_verdicts(landing.client, model_name=BAD)


def test_readiness_names_what_fails_alone_and_fails_where_nothing_is_judged(landing, monkeypatch):
    put_hours(landing, 0, 4, model_name=BAD)
    pulse = Pulse("drift worker", Clock())
    health = Health(ready={"judging": pulse.check_work}, pulses={"judging": pulse})
    for others in (False, True):
        if others:
            put_hours(landing, 0, 4, model_name=GOOD)
        worker = make_worker(landing, pulse=pulse)
        with failing_for_bad("history", ValueError("odd")):
            run_once(worker, monkeypatch)
        answer = TestClient(Starlette(routes=health.routes())).get("/readyz")
        reported = answer.json()
        assert answer.status_code == (200 if others else 503)
        assert "bad 3 production: ValueError: odd" in " ".join(
            reported.get("warnings", []) + reported["problems"]
        )


def run_once(worker, monkeypatch):
    stop = threading.Event()
    healthy = worker.watch_once
    monkeypatch.setattr(worker, "watch_once", lambda: (healthy(), stop.set())[0])
    worker.run(stop)


def test_a_store_that_is_away_is_nobodys_fault_alone(landing, monkeypatch):
    put_hours(landing, 0, 4, model_name=GOOD)
    worker = make_worker(landing)

    def away(*_, **__):
        raise StoreError("away")

    monkeypatch.setattr(Connection, "rows", away)
    with pytest.raises(StoreError):
        worker.watch_once()
    assert not worker.failing


def test_a_worker_outlives_what_nobody_foresaw(landing, monkeypatch):
    put_hours(landing, 0, 4, model_name=GOOD)
    pulse = Pulse("drift worker", Clock())
    worker = make_worker(landing, pulse=pulse)
    stop = threading.Event()

    def breaks():
        stop.set()
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "watch_once", breaks)
    worker.run(stop)
    with pytest.raises(DriftlineError, match="ZeroDivisionError"):
        pulse.check_work()


def test_judging_once_names_what_it_could_not_judge_and_judges_the_rest(landing):
    for model in (BAD, GOOD):
        put_hours(landing, 0, 4, model_name=model)
    with failing_for_bad("history", ValueError("odd")):
        done = CliRunner().invoke(driftline, ["watch", "--once", "--store", landing.place.store_url])
    assert done.exit_code == 1
    assert "bad 3 production could not be judged: ValueError: odd" in done.output
    assert "verdicts given" in done.output


def test_only_streams_that_moved_are_looked_at(landing, monkeypatch):
    for model in ("one", "two", "three"):
        put_hours(landing, 0, 4, model_name=model)
    worker = make_worker(landing)
    worker.watch_once()
    worker.watch_once()
    looked, healthy = [], StreamWatch.receive
    monkeypatch.setattr(
        StreamWatch,
        "receive",
        lambda self, source, *more: looked.append(source.span.stream) or healthy(self, source, *more),
    )
    worker.watch_once()
    assert looked == []
    put_hours(landing, 4, 5, model_name="two")
    assert worker.watch_once() > 0
    assert set(looked) == {Stream("two", "3", "production")}


def test_a_stop_is_looked_at_between_streams_of_the_export(landing, monkeypatch):
    for model in ("one", "two", "three"):
        put_hours(landing, 0, 4, model_name=model)
    worker = make_worker(landing)
    stop = threading.Event()
    read, healthy = [], stored.read_arrived

    def reads(client, stream, **more):
        read.append(stream)
        stop.set()
        return healthy(client, stream, **more)

    monkeypatch.setattr(stored, "read_arrived", reads)
    worker.run(stop)
    assert len(read) == 1


def test_what_was_set_aside_is_exported_by_reason(landing):
    put_hours(landing, 0, 3)
    put(landing, [{"features": {"amount": 1.0}, "event_time": time} for time in (0, 1, 4.1e9)])
    put(landing, [{"features": {"amount": 1.0}, "event_time": 0}], model_name="nothing-else")
    worker = make_worker(landing)
    worker.watch_once()
    series = worker.metrics.series(SET_ASIDE)
    assert {key: count for key, count in series.items() if count} == {
        ("till", "3", "old"): 2.0,
        ("till", "3", "future"): 1.0,
        ("nothing-else", "3", "old"): 1.0,
    }
