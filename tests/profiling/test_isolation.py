"""An hour or a model that cannot be derived is named and tried again; the others are derived and learned."""

from __future__ import annotations

import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.errors import StoreError
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler, service
from driftline.profiling.metrics import FAILING
from driftline.store.connection import Connection
from driftline.store.hours import read_pointers
from driftline.store.rules import read_rules
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.training import WAIVED

HOUR = 490_008
BAD, GOOD = "bad", "good"


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def landing(tmp_path):
    opened = Landing(Place(tmp_path))
    opened.profiler.close()
    opened.clock = Clock()
    opened.profiler = Profiler(opened.store, metrics=Metrics(PROFILER_METRICS), monotonic=opened.clock)
    yield opened
    opened.close()


def hours(count):
    return [
        {"features": {"amount": float(number)}, "event_time": (HOUR + hour) * 3600.0 + number}
        for hour in range(count)
        for number in range(5)
    ]


def failing(landing):
    return landing.profiler.metrics.series(FAILING)


@pytest.mark.parametrize("error", [StoreError("odd"), OverflowError("odd")], ids=["foreseen", "not foreseen"])
def test_an_hour_that_fails_holds_up_no_other(landing, monkeypatch, error):
    healthy = service.derive_hours

    def fails(client, wanted, *arguments, **options):
        if any(each.stream.model_name == BAD and each.hour == HOUR + 1 for each in wanted):
            raise error
        healthy(client, wanted, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(service, "derive_hours", fails)
        put(landing, hours(3), model_name=BAD)
        put(landing, hours(3), model_name=GOOD)
        derived = {(each.stream.model_name, each.hour - HOUR) for each in read_pointers(landing.client)}
        assert derived == {(BAD, 0), (BAD, 2), (GOOD, 0), (GOOD, 1), (GOOD, 2)}
        assert set(failing(landing)) == {(BAD, "3", "production")}
        assert "bad 3 production 2025-11-25 01:00: " in landing.profiler.failing
    landing.clock.now_s += 1000
    landing.profiler.run_until_idle()
    assert len(read_pointers(landing.client)) == 6
    assert failing(landing) == {}


@pytest.mark.parametrize("step", ["pending_choices", "choose_grids", "learn_rules"])
def test_a_model_that_nothing_can_be_learned_of_holds_up_no_other(landing, monkeypatch, step):
    healthy = getattr(service, step)

    def fails(client, what, *arguments):
        if BAD in repr(what):
            raise StoreError("odd")
        return healthy(client, what, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(service, step, fails)
        for model in (BAD, GOOD):
            reference = {"amount": [float(number % 11) for number in range(1100)]}
            register_training_run(
                f"run-{model}",
                model_name=model,
                model_version="3",
                waive=WAIVED,
                log=landing.log,
                reference=reference,
            )
        landing.land()
        assert set(read_rules(landing.client, GOOD)) == {"3"}
        assert set(failing(landing)) == {(BAD, "", "")}
    landing.clock.now_s += 1000
    landing.profiler.run_until_idle()
    assert set(read_rules(landing.client, BAD)) == {"3"}
    assert failing(landing) == {}


def test_a_store_that_is_away_is_no_hours_fault(landing, monkeypatch):
    put(landing, hours(1), model_name=GOOD)
    landing.lander.run_until_idle()

    def away(*_, **__):
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "rows", away)
        patched.setattr(Connection, "command", away)
        with pytest.raises(StoreError, match="away"):
            landing.profiler.step(is_patient=False)
    assert failing(landing) == {}
    assert {each.stream for each in read_pointers(landing.client)} == {Stream(GOOD, "3", "production")}
