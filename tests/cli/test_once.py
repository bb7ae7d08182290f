"""Services that end by themselves leave nothing of an embedded store to another command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.profiling import Profiler
from tests.drift.service.watching import put_hours
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger


@pytest.fixture
def underived(tmp_path, monkeypatch):
    """Hours that have landed, and of which nobody has derived anything."""
    landing = Landing(Place(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(landing.profiler, "run_until_idle", lambda: 0)
        put_hours(landing, 0, 5)
    landing.close()
    return landing.place


def watch_once(place):
    return CliRunner().invoke(driftline, ["watch", "--once", "--store", place.store_url])


def test_what_has_landed_in_an_embedded_store_is_derived_and_judged(underived):
    done = watch_once(underived)
    assert done.exit_code == 0, done.output
    assert int(done.output.split()[0]) > 0
    assert "not derived yet" not in done.output


def test_a_second_one_finds_nothing_to_do(underived):
    watch_once(underived)
    assert watch_once(underived).output == "0 verdicts given\n"


def test_a_store_that_cannot_be_derived_from_says_what_waits(underived, monkeypatch):
    monkeypatch.setattr(Profiler, "run_until_idle", lambda _: 0)
    done = watch_once(underived)
    assert "4 hours that have closed are not derived yet; run 'driftline profile --until-idle'" in done.output


def test_landing_until_idle_derives_what_landed(tmp_path):
    landing = Landing(Place(tmp_path))
    with make_logger(landing.log) as logger:
        logger.log(features={"amount": 1.0})
    landing.close()
    store, log = (f"--store={landing.place.store_url}", f"--log={landing.place.log_url}")
    done = CliRunner().invoke(driftline, ["land", "--until-idle", store, log])
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(driftline, ["profile", "--until-idle", store]).output == "0 hours derived\n"
