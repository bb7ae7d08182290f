"""The typed examples do what they say when they are run; that mypy checks them stands in its settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.typing.examples import everything

ROOT = Path(__file__).parents[2]


def test_the_examples_run():
    log = everything()
    served = [one for one in log.predictions if one.environment == "production"]
    assert [one.prediction for one in served] == [0.81, 0.81, 0.2]
    assert [one.actual for one in log.outcomes] == [1.0, 1.0, 0.0]
    assert [run.training_run_id for run in log.training_runs] == ["run-7f3a"]


def test_make_check_has_mypy_look_at_them():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert "tests.typing.examples" in settings["modules"]
