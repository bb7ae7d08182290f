"""Where a policy says so, no logger is made for a version that nobody registered, and no waiver is taken."""

from __future__ import annotations

import pytest

from driftline import PredictionLogger, register_training_run
from driftline.errors import SettingError
from driftline.log import open_log
from tests.support.training import WAIVED


@pytest.fixture
def log(tmp_path):
    with open_log((tmp_path / "log").as_uri()) as opened:
        yield opened


@pytest.fixture
def policy(tmp_path, monkeypatch):
    def written(text):
        (tmp_path / "policy.toml").write_text(text)
        monkeypatch.setenv("DRIFTLINE_POLICY", str(tmp_path / "policy.toml"))

    return written


REFUSED = '[unregistered]\nproduction = "refuse"\n'


def test_a_version_that_nobody_registered_gets_no_logger_and_a_registered_one_does(log, policy):
    policy(REFUSED)
    names = {"model_name": "delay", "model_version": "1", "training_run_id": "run-1", "log": log}
    with pytest.raises(SettingError, match="version 1 of delay was never registered"):
        PredictionLogger(**names)
    with PredictionLogger(**names, environment="shadow") as logger:
        assert logger.log({"distance": 1.0}, 0.5)
    register_training_run("run-1", model_name="delay", log=log, waive=WAIVED)
    for environment in ("production", "prod"):
        with PredictionLogger(**names, environment=environment) as logger:
            assert logger.log({"distance": 1.0}, 0.5)
    with pytest.raises(SettingError, match="was made by run run-1, not by run-9"):
        PredictionLogger(**{**names, "training_run_id": "run-9"})


def test_a_log_that_can_only_be_written_to_is_refused_where_a_version_is_looked_up(log, policy):
    policy(REFUSED)
    with pytest.raises(SettingError, match="version '1' is looked up in the log"):
        PredictionLogger(model_name="delay", model_version="1", training_run_id="run-1", log=log.writer())


def test_a_waiver_that_the_policy_does_not_allow_leaves_nothing_registered(log, policy):
    policy('waivable = ["data"]\n')
    with pytest.raises(SettingError, match="may not be waived"):
        register_training_run("run-1", model_name="delay", log=log, waive=WAIVED)
    policy('waivable = ["artifact", "code", "environment", "data"]\n')
    assert register_training_run("run-1", model_name="delay", log=log, waive=WAIVED).model_version == "1"


def test_a_policy_that_cannot_be_read_stops_a_service_when_it_starts(log, monkeypatch):
    monkeypatch.setenv("DRIFTLINE_POLICY", "/nowhere/policy.toml")
    with pytest.raises(SettingError, match="No such file"):
        PredictionLogger(model_name="delay", model_version="1", training_run_id="run-1", log=log)
