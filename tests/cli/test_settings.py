"""Settings come from flags, then the environment, then a file; errors are told in a sentence."""

from __future__ import annotations

import json
import math
import pwd
import uuid
from datetime import UTC, date, datetime

import click
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.cli.options import load_settings
from driftline.cli.questions import plain


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("DRIFTLINE_STORE", "DRIFTLINE_LOG", "DRIFTLINE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return lambda *arguments, **env: CliRunner().invoke(driftline, arguments, env=env)


def named_store(result):
    """Each store is refused under its own name: that tells which one was meant."""
    assert result.exit_code == 1
    return result.output.split("'")[1]


def test_a_flag_wins_over_the_environment_and_that_over_the_file(run, tmp_path):
    (tmp_path / "driftline.toml").write_text('store = "chdb:file"\n')
    assert named_store(run("completeness")) == "chdb:file"
    assert named_store(run("completeness", DRIFTLINE_STORE="chdb:environment")) == "chdb:environment"
    arguments = ("completeness", "--store", "chdb:flag")
    assert named_store(run(*arguments, DRIFTLINE_STORE="chdb:environment")) == "chdb:flag"


def test_a_table_of_the_file_holds_for_its_command_alone(run, tmp_path):
    (tmp_path / "own.toml").write_text('store = "chdb:all"\n[verdicts]\nstore = "chdb:one"\n')
    assert named_store(run("--config", "own.toml", "verdicts")) == "chdb:one"
    assert named_store(run("--config", "own.toml", "completeness")) == "chdb:all"


def test_a_file_in_the_users_settings_is_found(run, tmp_path):
    (tmp_path / "settings" / "driftline").mkdir(parents=True)
    (tmp_path / "settings" / "driftline" / "driftline.toml").write_text('store = "chdb:home"\n')
    assert named_store(run("completeness")) == "chdb:home"


@pytest.mark.parametrize("name", ["an Größe", "50%25", "a#b"])
def test_log_and_store_lie_in_the_users_data_folder_whatever_its_name(run, tmp_path, name):
    assert run("migrate", XDG_DATA_HOME=str(tmp_path / name)).exit_code == 0
    assert {path.name for path in (tmp_path / name / "driftline").iterdir()} == {"store"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", ["up", "completeness", "demo", "forward"])
def test_a_user_without_a_home_is_told_what_to_set(run, monkeypatch, command):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody_of_that_number)
    result = run(command)
    assert result.exit_code == 2
    assert "set XDG_DATA_HOME" in result.output


def nobody_of_that_number(number):
    raise KeyError(number)


@pytest.mark.parametrize(("name", "text"), [("missing.toml", None), ("broken.toml", "store = ")])
def test_a_settings_file_that_is_missing_or_no_toml_is_named(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(click.UsageError, match=name):
        load_settings(str(tmp_path / name), {})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("land", "--log", "http://x"), "must begin with file:///"),
        (("verdicts", "--since", "yesterday"), "no time in ISO 8601"),
        (("completeness", "--store", "postgres://x"), "is not known"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(run, arguments, told):
    result = run(*arguments)
    assert result.exit_code != 0
    assert told in result.output
    assert "Traceback" not in result.output


def test_what_json_has_no_word_for_is_told_in_text():
    identity = uuid.UUID(int=7)
    told = plain(
        {
            "naive": datetime(2026, 1, 31, 12),  # noqa: DTZ001  what a client returns of a column in UTC
            "aware": datetime(2026, 1, 31, 12, tzinfo=UTC),
            "day": date(2026, 1, 31),
            "numbers": [1.5, math.nan, -math.inf, None, True],
            "id": identity,
            "bytes": b"a\xff",
        }
    )
    assert told == {
        "naive": "2026-01-31T12:00:00+00:00",
        "aware": "2026-01-31T12:00:00+00:00",
        "day": "2026-01-31",
        "numbers": [1.5, "nan", "-inf", None, True],
        "id": str(identity),
        "bytes": "a\\xff",
    }
    json.dumps(told, allow_nan=False)
