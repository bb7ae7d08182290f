"""What answers and is not declared is exported with its host; so is what nobody registered."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from driftline.domain.streams import Stream
from driftline.drift.service.declared import DeclaredExport
from driftline.drift.service.metrics import UNDECLARED, UNREGISTERED_VERSION, WORKER_METRICS
from driftline.metrics import Metrics
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, roll_back
from driftline.registry.events import Kind, Stage
from driftline.registry.policy import Handling, Policy
from tests.drift.service.watching import opened_landing
from tests.support.landing import put


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    with opened_landing(tmp_path_factory.mktemp("declared")) as opened:
        yield opened


def author(age_s):
    return Author("ann", clock=lambda: time.time() - age_s)


def register(landing, model, *versions):
    with closing(Registry(landing.log)) as registry:
        for version in versions:
            registry.submit(
                author(9_000).event(model, Kind.VERSION, model_version=version, training_run_id=version)
            )
            registry.submit(
                give_stage(
                    registry.model(model), version, Stage.PRODUCTION, author=author(8_000), reason="newer"
                )
            )


def exported(landing, model, *versions, policy=None):
    """Return the series of both metrics, without the session that is named."""
    metrics = Metrics(WORKER_METRICS)
    served = [Stream(model, version, "production") for version in versions]
    since = dict.fromkeys(served, int(time.time()) // 3600 - 23)
    DeclaredExport(metrics, policy).refresh(landing.client, served, since, ())
    return metrics


def test_a_session_that_goes_on_with_what_was_rolled_back_is_exported_with_its_host(landing):
    """One session goes on after the grace; another one followed, and a third stopped in time."""
    model = "rolled"
    register(landing, model, "1", "2", "3")
    with closing(Registry(landing.log)) as registry:
        registry.submit(roll_back(registry.model(model), author=author(600), reason="worse"))
    now_s = time.time()
    late, in_time = [now_s - 60, now_s - 30], [now_s - 700, now_s - 590]
    for version, times in (("3", late), ("3", in_time), ("2", late)):
        events = [{"features": {"x": 1.0}, "event_time": each} for each in times]
        put(landing, events, model_name=model, model_version=version)
    metrics = exported(landing, model, "2", "3")
    lines = [line for line in metrics.expose().decode().splitlines() if line.startswith(f"{UNDECLARED}{{")]
    assert len(lines) == 1
    host = landing.client.rows("SELECT any(host) FROM sessions")[0][0]
    for label in (f'host="{host}"', 'model_version="3"', 'declared="2"', 'environment="production"'):
        assert label in lines[0]
    assert lines[0].endswith(" 2.0")
    assert f"{UNREGISTERED_VERSION}{{" not in metrics.expose().decode()


def test_a_version_that_nobody_registered_is_counted_until_it_is(landing):
    model = "unknown"
    put(
        landing,
        [{"features": {"x": 1.0}, "event_time": time.time()}] * 3,
        model_name=model,
        model_version="9",
    )
    series = f'{UNREGISTERED_VERSION}{{model_name="unknown",model_version="9"}} 3.0'
    assert series in exported(landing, model, "9").expose().decode()
    register(landing, model, "9")
    landing.land()
    assert series.partition("}")[0] not in exported(landing, model, "9").expose().decode()


def test_a_version_that_a_policy_only_flags_is_not_counted(landing):
    put(
        landing,
        [{"features": {"x": 1.0}, "event_time": time.time()}],
        model_name="flagged",
        model_version="9",
    )
    for handling, is_counted in ((Handling.FLAG, False), (Handling.ALERT, True), (Handling.REFUSE, True)):
        policy = Policy(unregistered={"production": handling})
        text = exported(landing, "flagged", "9", policy=policy).expose().decode()
        assert (f'{UNREGISTERED_VERSION}{{model_name="flagged"' in text) is is_counted


def test_a_model_of_which_nothing_was_decided_answers_as_it_likes(landing):
    put(landing, [{"features": {"x": 1.0}, "event_time": time.time()}], model_name="free", model_version="1")
    assert f"{UNDECLARED}{{" not in exported(landing, "free", "1").expose().decode()
