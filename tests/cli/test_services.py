"""Services as an operator sees them: their health, and that they end cleanly on SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from driftline.cli.services import migrate_command
from driftline.errors import StoreAwayError
from driftline.log import open_log
from driftline.store import migrate
from driftline.wire import PREDICTIONS_TOPIC
from tests.support.running import Place, wait_until
from tests.support.store_process import StoreProcess
from tests.support.traffic import make_logger

STOP_TIMEOUT_S = 20.0
COMMANDS = {
    "up": ("up", "--port", "0"),
    "land": ("land", "--metrics-port", "0"),
    "profile": ("profile", "--metrics-port", "0"),
    "watch": ("watch", "--metrics-port", "0"),
    "serve": ("serve", "--port", "0"),
}
CHECKS = {
    "up": {
        *("lander", "profiler", "drift worker", "sealer"),
        *("log", "store", "landing", "deriving", "judging", "sealing"),
    },
    "land": {"lander", "log", "store", "landing"},
    "profile": {"profiler", "sealer", "store", "deriving", "sealing"},
    "watch": {"drift worker", "store", "judging"},
    "serve": {"store"},
}


class Running:
    """One service in a process of its own, with what it says on standard error as JSON."""

    def __init__(self, place, command, *, store_url=None):
        self.log_path = place.folder / "log.jsonl"
        line = [
            sys.executable,
            "-m",
            "driftline.cli",
            "--log-format",
            "json",
            "--log-level",
            "info",
            *command,
        ]
        urls = {"DRIFTLINE_LOG": place.log_url, "DRIFTLINE_STORE": store_url or place.store_url}
        with self.log_path.open("w") as errors:
            pipes = {"stdout": subprocess.PIPE, "stderr": errors}
            self.process = subprocess.Popen(line, **pipes, text=True, env=os.environ | urls)

    def lines(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def url(self):
        """Wait until it says where it listens."""
        wait_until(lambda: self.process.poll() is not None or self._found(), timeout_s=90, what="an address")
        return self._found()

    def _found(self):
        addresses = [re.search(r"http://[\d.:]+", line["message"]) for line in self.lines()]
        return next((found[0] for found in addresses if found), None)

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.url() + path, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def stop(self):
        """End it as an orchestrator does; return its exit status, what it printed, and how long it took."""
        begun_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=STOP_TIMEOUT_S)
        return self.process.returncode, printed, time.monotonic() - begun_s


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def run(place):
    started = []

    def start(*command, store_url=None):
        started.append(Running(place, command, store_url=store_url))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_service_says_that_it_is_ready_and_ends_in_order_when_asked_to(run, name):
    running = run(*COMMANDS[name])
    wait_until(lambda: running.ask("/readyz")[0] == 200, timeout_s=60, what=f"readiness of {name}")
    shown = {"status": "ok", "checks": dict.fromkeys(CHECKS[name], "ok"), "problems": []}
    assert running.ask("/readyz") == (200, shown)
    assert running.ask("/healthz")[0] == 200
    assert running.stop()[:2] == (0, "")
    lines = running.lines()
    assert {line["service"] for line in lines} == {name}
    assert not [line for line in lines if line["level"] in {"ERROR", "CRITICAL"}]


def test_a_lander_that_is_stopped_leaves_nothing_half_done(run, place):
    logger = make_logger(place.log_url)
    running = run(*COMMANDS["land"])
    wait_until(lambda: running.ask("/readyz")[0] == 200, timeout_s=60, what="readiness")
    sent = 0
    while place.lag() < 3000 or sent < 3000:  # It is stopped while it has work.
        for number in range(3000):
            logger.log(features={"amount": float(number)}, prediction=0.5)
        sent += 3000
        assert logger.flush(timeout=30)
        assert sent < 300_000, "the lander is never behind"
    assert running.stop()[0] == 0
    assert logger.close(timeout=30)
    with open_log(place.log_url) as log:
        landed = log.reader("lander", [PREDICTIONS_TOPIC]).positions().get((PREDICTIONS_TOPIC, 0), 0)
    (line,) = place.ask("completeness") if landed else ({"landed": 0},)
    assert line["landed"] == landed
    place.run("land", "--until-idle")
    (line,) = place.ask("completeness")
    assert (line["landed"], line["duplicates"]) == (sent, 0)


def test_a_store_that_goes_away_makes_a_service_unready_and_not_dead(run, tmp_path):
    store = StoreProcess(tmp_path / "server")
    store.start()
    running = run(*COMMANDS["watch"], store_url=store.url)
    wait_until(lambda: running.ask("/readyz")[0] == 200, timeout_s=60, what="readiness")
    store.stop()
    status, shown = running.ask("/readyz")
    assert status == 503
    assert (shown["checks"]["drift worker"], shown["checks"]["store"]) == ("ok", "failed")
    assert "does not answer" in shown["problems"][0]
    assert running.ask("/healthz")[0] == 200
    store.start()
    wait_until(lambda: running.ask("/readyz")[0] == 200, timeout_s=60, what="readiness again")
    assert running.stop()[0] == 0
    store.stop()


def test_migrating_waits_for_a_store_that_is_still_coming_up(run, tmp_path):
    store = StoreProcess(tmp_path / "server")
    running = run("migrate", "--wait", "60", store_url=store.url)
    wait_until(lambda: any("waiting" in line["message"] for line in running.lines()), timeout_s=60)
    store.start()
    assert running.process.wait(60) == 0
    assert "topics driftline.predictions" in running.lines()[-1]["message"]
    store.stop()


def test_migrating_goes_on_with_the_next_owner_of_an_embedded_store(monkeypatch, tmp_path):
    """Another command that owned the store ends at this moment."""
    done = []

    def cut_short_once(client):
        done.append(client)
        if len(done) == 1:
            raise StoreAwayError("Connection refused")
        return migrate(client)

    monkeypatch.setattr("driftline.cli.services.migrate", cut_short_once)
    shown = CliRunner().invoke(migrate_command, ["--store", f"chdb://{tmp_path / 'store'}"])
    assert shown.exit_code == 0, shown.output
    assert len(done) == 2


def test_migrating_gives_up_when_it_was_asked_to_wait_no_longer(run):
    running = run("migrate", "--wait", "1", store_url="clickhouse://default@127.0.0.1:1/driftline")
    assert running.process.wait(60) == 1
    assert "does not answer" in running.lines()[-1]["message"]
