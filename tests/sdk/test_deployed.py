"""A service asks once which version is in production, logs under it, and is called when that changes."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from driftline import ModelWatch, PredictionLogger, resolve_model
from driftline.errors import LogError, NotFoundError, SettingError
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, name_alias, roll_back
from driftline.registry.events import Kind, Stage
from driftline.testing import MemoryLog

ANN = Author("ann")
PATIENCE_S = 20.0


@pytest.fixture
def log():
    """Hold three versions, of which the second is in production and a canary in eu."""
    log = MemoryLog()
    with closing(Registry(log)) as registry:
        for version in "123":
            registry.submit(
                ANN.event(
                    "m",
                    Kind.VERSION,
                    model_version=version,
                    training_run_id=f"run-{version}",
                    artifact_uri=f"s3://models/{version}",
                )
            )
    move(log, "2")
    return log


def decide(log, make):
    with closing(Registry(log)) as registry:
        registry.submit(make(registry.model("m")))


def move(log, version, stage=Stage.PRODUCTION, environment="production"):
    decide(
        log,
        lambda state: give_stage(state, version, stage, author=ANN, reason="x", environment=environment),
    )


def test_a_stage_and_an_alias_name_a_version_with_its_artifact(log):
    deployed = resolve_model("m@production", log=log)
    assert (deployed.model_version, deployed.training_run_id) == ("2", "run-2")
    assert deployed.artifact_uri == "s3://models/2"
    decide(log, lambda state: name_alias(state, "best", "3", author=ANN, reason="x"))
    assert resolve_model("m@best", log=log).model_version == "3"
    move(log, "1", environment="eu")
    assert resolve_model("m@production", log=log, environment="eu").model_version == "1"


def test_what_names_nothing_is_reported_with_what_there_is(log):
    with pytest.raises(
        NotFoundError, match=r"m@canary names no version in production; there is @production \(2\)"
    ):
        resolve_model("m@canary", log=log)
    with pytest.raises(NotFoundError, match="nothing is in production, and there is no alias"):
        resolve_model("m@production", log=log, environment="mars")
    with pytest.raises(NotFoundError, match="no model 'n' is registered; there is m"):
        resolve_model("n@production", log=log)
    with pytest.raises(SettingError, match="'m' names no version: write MODEL@production"):
        resolve_model("m", log=log)
    for version in "13":
        move(log, version, Stage.CANARY)
    with pytest.raises(SettingError, match="names several versions in production, 1, 3"):
        resolve_model("m@canary", log=log)


def test_a_logger_looks_once_and_logs_under_the_version_that_it_found(log):
    logger = PredictionLogger(model_name="m@production", log=log)
    assert logger.model_version == "2"
    logger.log({"x": 1.0}, 0.5)
    move(log, "3")
    logger.log({"x": 1.0}, 0.5)
    assert {(each.model_name, each.model_version, each.training_run_id) for each in log.predictions} == {
        ("m", "2", "run-2")
    }
    logger.close()


def test_a_canarys_logger_finds_what_is_a_canary_in_production(log):
    move(log, "3", Stage.CANARY)
    with PredictionLogger(model_name="m@canary", environment="canary", log=log) as logger:
        assert logger.model_version == "3"


def test_a_name_with_an_at_sign_is_a_name_where_a_version_is_given():
    log = MemoryLog()
    with PredictionLogger(model_name="m@home", model_version="1", training_run_id="r", log=log) as logger:
        logger.log({"x": 1.0}, 0.5)
    assert log.predictions[0].model_name == "m@home"


def test_a_reference_needs_a_log_that_can_be_read(log):
    with pytest.raises(SettingError, match="is looked up in the log"):
        PredictionLogger(model_name="m@production", log=OnlyWriter())
    with pytest.raises(NotFoundError, match="no model 'other' is registered"):
        PredictionLogger(model_name="other@production", log=log)


class OnlyWriter:
    """A writer that somebody opened; nothing is written to it here."""

    append = close = None


class Moves:
    """What a watch called back with."""

    def __init__(self):
        self.seen = []
        self._came = threading.Condition()

    def __call__(self, before, now):
        with self._came:
            self.seen.append((before and before.model_version, now and now.model_version))
            self._came.notify_all()
        if len(self.seen) == 1:
            raise ZeroDivisionError

    def wait(self, count):
        with self._came:
            assert self._came.wait_for(lambda: len(self.seen) >= count, PATIENCE_S)


def test_a_watch_calls_back_each_time_that_the_version_moves_whatever_the_callback_raises(log, caplog):
    moves = Moves()
    known = resolve_model("m@production", log=log)
    with ModelWatch("m@production", moves, log=log, known=known, interval_s=0.01):
        move(log, "3")
        moves.wait(1)
        decide(log, lambda state: roll_back(state, author=ANN, reason="worse"))
        moves.wait(2)
        move(log, "1", Stage.CANARY)
        move(log, "2", Stage.CANDIDATE)
        moves.wait(3)
    assert moves.seen == [("2", "3"), ("3", "2"), ("2", None)]
    assert "what was to be done when m@production moved failed" in caplog.text


def test_a_watch_tells_of_a_move_between_loading_the_model_and_its_first_look(log):
    moves = Moves()
    known = resolve_model("m@production", log=log)
    move(log, "3")
    with ModelWatch("m@production", moves, log=log, known=known, interval_s=0.01):
        moves.wait(1)
    assert moves.seen == [("2", "3")]


def test_a_watch_goes_on_when_the_log_is_back(log, caplog):
    flaky = FlakyLog(log)
    moves = Moves()
    known = resolve_model("m@production", log=log)
    with ModelWatch("m@production", moves, log=flaky, known=known, interval_s=0.01):
        assert flaky.failed.wait(PATIENCE_S)
        move(log, "3")
        flaky.is_away = False
        moves.wait(1)
    assert moves.seen == [("2", "3")]
    assert caplog.text.count("can't be watched now") == 1


class FlakyLog:
    """A log that is away until it is set to be back; it was read once before."""

    def __init__(self, log):
        self._log = log
        self.is_away = True
        self.failed = threading.Event()

    def scan(self, topic):
        if self.is_away:
            self.failed.set()
            raise LogError("the brokers are away")
        return self._log.scan(topic)

    def __getattr__(self, name):
        return getattr(self._log, name)
