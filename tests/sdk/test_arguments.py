"""Arguments of a logger that mean something else than they say at first sight."""

from __future__ import annotations

import pytest

from driftline import PredictionLogger
from driftline.sdk.arguments import environment_name
from driftline.wire import PREDICTIONS_TOPIC
from tests.sdk.logs import IDENTITY, events_in


@pytest.mark.parametrize("text", ["production", "Production", " PROD ", "prd", "Live"])
def test_production_is_one_environment_however_it_is_written(text):
    assert environment_name(text) == "production"


@pytest.mark.parametrize("text", ["shadow", "canary", "Staging", "prod-eu", "pro duction"])
def test_other_environments_are_called_as_they_are(text):
    assert environment_name(text) == text


def test_events_are_logged_under_that_name(tmp_path):
    url = (tmp_path / "log").as_uri()
    with PredictionLogger(**IDENTITY, log=url, environment="prod") as logger:
        logger.log({"a": 1.0})
    assert [event["environment"] for event in events_in(url)[PREDICTIONS_TOPIC]] == ["production"]
