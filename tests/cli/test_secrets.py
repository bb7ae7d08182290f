"""Where a password may stand, and that it is shown nowhere; nor what an event says of somebody."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from driftline.cli.app import driftline
from driftline.cli.settings import load_settings, warn_of_secret
from driftline.embedded import open_store
from driftline.log import Record
from driftline.log.local import LocalLog
from driftline.metrics import Metrics
from driftline.web import create_app
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, TOPICS, decode_record, encode_record
from tests.support.landing import Landing
from tests.support.running import Place, wait_until
from tests.support.traffic import make_logger

SECRET = "s3cret-text"
AWAY = f"clickhouse://me:{SECRET}@127.0.0.1:1/driftline"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DRIFTLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return lambda *arguments, **env: CliRunner().invoke(driftline, arguments, env=env)


@pytest.mark.parametrize(
    "command", ["up", "migrate", "land", "watch", "serve", "trace x", "completeness", "verdicts"]
)
@pytest.mark.parametrize("url", [AWAY, f"clickhouses://db?access_token={SECRET}"])
def test_a_password_in_a_flag_is_refused_with_what_to_do_instead(run, command, url):
    result = run(*command.split(), "--store", url)
    assert result.exit_code == 2
    for way in ("DRIFTLINE_STORE_PASSWORD_FILE", "DRIFTLINE_STORE ", "driftline.toml"):
        assert way in result.output.replace("\n", " ")
    assert SECRET not in result.output


def test_a_password_in_the_environment_or_a_file_is_used_and_shown_nowhere(run, tmp_path):
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "driftline.toml").write_text(f'store = "{AWAY}"\n')
    (tmp_path / "driftline.toml").chmod(0o600)
    ways = [
        {"DRIFTLINE_STORE": AWAY},
        {"DRIFTLINE_STORE": "clickhouse://127.0.0.1:1", "DRIFTLINE_STORE_PASSWORD": SECRET},
        {
            "DRIFTLINE_STORE": "clickhouse://127.0.0.1:1",
            "DRIFTLINE_STORE_PASSWORD_FILE": str(tmp_path / "password"),
        },
        {},
    ]
    for way in ways:
        result = run("completeness", **way)
        assert "127.0.0.1:1 does not answer" in result.output
        assert SECRET not in result.output + repr(result.exception)


def test_a_settings_file_with_a_password_that_others_may_read_is_warned_of(tmp_path, caplog):
    file = tmp_path / "driftline.toml"
    for text in (f'store = "{AWAY}"\n', f'[land]\nstore = "{AWAY}"\n'):
        for mode, warned in ((0o644, 1), (0o640, 1), (0o600, 0)):
            file.write_text(text)
            file.chmod(mode)
            caplog.clear()
            warn_of_secret(load_settings(str(file), {}))
            assert len(caplog.records) == warned
            assert "chmod 600" in caplog.text or not warned
            assert SECRET not in caplog.text
    file.write_text('store = "clickhouse://me@db"\n')
    file.chmod(0o644)
    warn_of_secret(load_settings(str(file), {}))
    assert not caplog.records


def test_no_page_tells_a_password(caplog):
    caplog.set_level(logging.DEBUG)
    with open_store(AWAY) as store:
        pages = TestClient(create_app(store, Metrics(), clock=time.time), raise_server_exceptions=False)
        answers = [pages.get(path) for path in ("/", "/models/m", "/readyz", "/metrics", "/nothing")]
    assert [answer.status_code for answer in answers] == [503, 503, 503, 200, 404]
    assert "127.0.0.1:1 does not answer" in answers[0].text
    assert SECRET not in "".join(answer.text for answer in answers) + caplog.text


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("command", ["land", "watch", "serve --port 0"])
def test_a_running_service_tells_no_password_in_its_command_line_or_log(tmp_path, command):
    environment = os.environ | {"DRIFTLINE_STORE": AWAY, "DRIFTLINE_LOG": (tmp_path / "log").as_uri()}
    line = [sys.executable, "-m", "driftline.cli", "--log-level", "debug", *command.split()]
    with (tmp_path / "errors").open("w+") as errors:
        process = subprocess.Popen(line, env=environment, stdout=errors, stderr=errors)
        try:
            read = Path(f"/proc/{process.pid}/cmdline").read_bytes
            wait_until(lambda: b"driftline.cli" in read(), what="the command")
            assert SECRET.encode() not in read()
            wait_until(
                lambda: "127.0.0.1" in (tmp_path / "errors").read_text(), what="trouble that is reported"
            )
            assert SECRET.encode() not in read()
        finally:
            process.kill()
            process.wait()
    assert SECRET not in (tmp_path / "errors").read_text()


def test_migrate_creates_the_topics_of_a_log_that_is_given(run, tmp_path):
    log, store = (tmp_path / "log").as_uri(), f"chdb://{tmp_path / 'store'}"
    without = run("migrate", "--store", store)
    assert (without.exit_code, "topics" in without.output) == (0, False)
    result = run("migrate", "--store", store, "--log", log)
    assert result.exit_code == 0, result.output
    assert f"topics  {', '.join(TOPICS)}" in result.output


def test_migrate_asks_the_log_for_the_topics(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(LocalLog, "ensure_topics", lambda _, topics: asked.append(tuple(topics)))
    run("migrate", "--store", f"chdb://{tmp_path / 'store'}", "--log", (tmp_path / "log").as_uri())
    assert asked == [tuple(TOPICS)]


def test_users_of_an_embedded_store_are_refused(run, tmp_path):
    result = run("migrate", "--users", "--store", f"chdb://{tmp_path / 'store'}")
    assert result.exit_code == 1
    assert "an embedded store has none" in result.output
    assert "Traceback" not in result.output


def test_what_is_logged_of_a_refused_record_holds_no_feature(tmp_path, caplog):
    """It names the rule that was broken and the value that broke it; no rule is about a feature."""
    caplog.set_level(logging.WARNING)
    arguments = {
        "features": {"diagnosis": SECRET},
        "prediction": 0.5,
        "entity_id": SECRET,
        "tags": {"who": SECRET},
    }
    landing = Landing(Place(tmp_path))
    try:
        with make_logger(landing.log) as logger:
            logger.log(**arguments)
        good = landing.log.reader("look", [PREDICTIONS_TOPIC]).fetch(PREDICTIONS_TOPIC).values[0]
        refused = encode_record(PREDICTION, {**decode_record(good)[1], "model_version": ""})
        for value in (
            refused,
            good[: len(good) // 2],
            good.replace(SECRET.encode(), SECRET.encode()[:-1] + b"\xff"),
        ):
            landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", value)])
        landing.land()
        assert landing.count("dead_letters") == 2
    finally:
        landing.close()
    assert "violates_model_version_given" in caplog.text
    assert "undecodable" in caplog.text
    assert SECRET not in caplog.text
