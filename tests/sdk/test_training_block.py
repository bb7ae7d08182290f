"""A run around the code that trains: measured, and registered when that has ended well."""

from __future__ import annotations

import pytest

from driftline import training_run
from driftline.errors import SettingError
from driftline.sdk.training_block import OpenTrainingRun
from driftline.testing import MemoryLog
from tests.sdk.logs import events_in
from tests.support.training import WAIVED


@pytest.fixture
def url(tmp_path):
    return (tmp_path / "log").as_uri()


def test_a_block_is_registered_with_what_it_added_and_what_it_took(url):
    seconds, cpu = iter([10.0, 17.5]), iter([1.0, 3.0])
    block = OpenTrainingRun(
        monotonic=lambda: next(seconds),
        cpu=lambda: next(cpu),
        model_name="m",
        log=url,
        waive=WAIVED,
        metrics={"auc": 0.5},
    )
    with block as run:
        run.add(metrics={"test": {"auc": 0.4}}, parameters={"depth": 3}, cost={"gpu_s": 2})
        with pytest.raises(SettingError, match="when its block has ended"):
            run.registered  # noqa: B018  it raises
    (event,) = events_in(url)["driftline.training-runs"]
    assert event["metrics"] == {"auc": 0.5, "test/auc": 0.4}
    assert event["cost"] == {"wall_s": 7.5, "cpu_s": 2.0, "gpu_s": 2.0}
    assert event["parameters"] == {"depth": "3"}
    assert (run.registered, run.registered.model_version) == (event["training_run_id"], "1")


def test_a_block_that_raises_registers_nothing():
    log = MemoryLog()
    with pytest.raises(ZeroDivisionError), training_run(model_name="m", log=log, waive=WAIVED):
        1 / 0  # noqa: B018  it raises
    assert (log.training_runs, log.topics()) == ([], ["driftline.training-runs"])


def test_a_function_registers_a_run_each_time_that_it_is_called():
    log = MemoryLog()

    @training_run(model_name="m", log=log, waive=WAIVED, tags={"team": "ops"})
    def train(run, depth):
        """Train."""
        run.add(parameters={"depth": depth})
        return depth * 2

    assert [train(3), train(depth=4)] == [6, 8]
    assert train.__doc__ == "Train."
    runs = log.training_runs
    assert [(run.model_version, run.parameters) for run in runs] == [
        ("1", {"depth": "3"}),
        ("2", {"depth": "4"}),
    ]
    assert {run.tags["team"] for run in runs} == {"ops"}
