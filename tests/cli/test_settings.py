"""Settings come from flags, then the environment, then a file; errors are reported in a sentence."""

from __future__ import annotations

import json
import math
import pwd
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.cli.options import Shard, default_store_url
from driftline.cli.output import plain
from driftline.cli.settings import SettingsFile, default_map, leaves_of, load_settings, options_of
from driftline.store.url import parse_store_url


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
def test_a_user_without_a_home_learns_what_to_set(run, monkeypatch, command):
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
    ("arguments", "expected"),
    [
        (("land", "--log", "http://x"), "must begin with file:///"),
        (("verdicts", "--since", "yesterday"), "no time"),
        (("completeness", "--store", "postgres://x"), "is not known"),
    ],
)
def test_a_wrong_setting_is_reported_in_a_sentence(run, arguments, expected):
    result = run(*arguments)
    assert result.exit_code != 0
    assert expected in result.output
    assert "Traceback" not in result.output


def test_what_json_has_no_type_for_is_reported_in_text():
    identity = uuid.UUID(int=7)
    shown = plain(
        {
            "naive": datetime(2026, 1, 31, 12),  # noqa: DTZ001  what a client returns of a column in UTC
            "aware": datetime(2026, 1, 31, 12, tzinfo=UTC),
            "day": date(2026, 1, 31),
            "numbers": [1.5, math.nan, -math.inf, None, True],
            "id": identity,
            "bytes": b"a\xff",
        }
    )
    assert shown == {
        "naive": "2026-01-31T12:00:00+00:00",
        "aware": "2026-01-31T12:00:00+00:00",
        "day": "2026-01-31",
        "numbers": [1.5, "nan", "-inf", None, True],
        "id": str(identity),
        "bytes": "a\\xff",
    }
    json.dumps(shown, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('stroe = "chdb:///x"', "stroe is no setting; did you mean store?"),
        ("[verdict]\nlimit = 3", "verdict is no command; did you mean verdicts?"),
        ("[verdicts]\nlimits = 3", "limits is no setting of verdicts; did you mean limit?"),
        ("[dead-letters.lst]\nlimit = 3", "lst is no setting of dead-letters; did you mean list?"),
        ("[dead-letters.list]\nreplay = 3", "replay is no setting of dead-letters.list"),
        ("[up]\nport = 'http'", "up.port = 'http': a whole number is wanted"),
        ("[up]\nport = [8321]", "up.port = [8321]: a whole number is wanted"),
        ("[up]\nport = true", "up.port = True: a whole number is wanted"),
        ("[up]\nport = 2.5", "up.port = 2.5: a whole number is wanted"),
        ("[land]\ndead_letter_limit = 7", "land.dead_letter_limit = 7: 7.0 is not in the range 0<=x<=1"),
        ("store = 5", "store = 5: a text in quotes is wanted"),
        ("store = 2026-01-01", "a text in quotes is wanted"),
        ("[verdicts]\njson = 'yes'", "verdicts.json = 'yes': true or false is wanted"),
        ("[incidents]\nstate = ['open', 'shut']", "incidents.state = 'shut'"),
        ("log_level = 'loud'", "log_level = 'loud'"),
        ("[log]\nlevel = 'info'", "log is no command"),
    ],
)
def test_what_the_file_says_and_nobody_reads_is_refused_with_what_is_nearest(run, tmp_path, text, expected):
    (tmp_path / "driftline.toml").write_text(text)
    result = run("completeness")
    assert result.exit_code == 2, result.output
    assert expected in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_file_that_is_no_text_is_refused(run, tmp_path):
    (tmp_path / "driftline.toml").write_bytes(b"\xff\xfe")
    result = run("completeness")
    assert result.exit_code == 2
    assert "settings file driftline.toml" in result.output


@pytest.mark.parametrize("command", sorted(driftline.commands))
def test_every_option_can_stand_in_the_file_with_dashes_or_without(command):
    for leaf in leaves_of(driftline.commands[command]):
        for key, option in options_of(leaf).items():
            value = True if option.is_flag else _allowed(option)
            for name in (key, key.replace("_", "-")):
                found = default_map(driftline, SettingsFile("f", {command: {name: value}}))
                assert option.name in str(found[command])


def _allowed(option):
    if isinstance(option.type, click.Choice):
        return next(iter(option.type.choices))
    if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType)):
        lowest, highest = (getattr(option.type, bound, None) for bound in ("min", "max"))
        if isinstance(option.type, click.FloatRange) and None not in {lowest, highest}:
            return (lowest + highest) / 2
        return lowest or 1
    return "1/2" if isinstance(option.type, Shard) else "/dev/null"


def test_the_file_says_how_much_is_logged_where_nothing_else_does(run, tmp_path):
    (tmp_path / "driftline.toml").write_text('log_format = "json"\nstore = "chdb:x"')
    assert run("completeness").output == ""  # It is a line of the log.
    assert "Error: store URL" in run("--log-format", "text", "completeness").output


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DRIFTLINE_LOGS", "DRIFTLINE_LOG"),
        ("DRIFTLINE_STORE_PASSWORD_FIEL", "DRIFTLINE_STORE_PASSWORD_FILE"),
        ("DRIFTLINE_METRICS_PROT", "DRIFTLINE_METRICS_PORT"),
        ("DRIFTLINE_PORT", ""),
    ],
)
def test_a_variable_that_nobody_reads_is_refused_with_what_is_nearest(run, name, nearest):
    result = run("completeness", **{name: "1"})
    assert result.exit_code == 2
    assert f"the variable {name} is none that driftline reads; did you mean {nearest}" in result.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"DRIFTLINE{service}_{end}", value)
        for service in ("", "_METRICS", "_LOG", "_STORE", "_WEB_2")
        for end, value in [
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "8321"),
            ("SERVICE_PORT_HTTP", "8321"),
            ("PORT", "tcp://10.0.0.1:8321"),
            ("PORT_8321_TCP", "tcp://10.0.0.1:8321"),
            ("PORT_8321_TCP_ADDR", "10.0.0.1"),
            ("PORT_8321_TCP_PORT", "8321"),
            ("PORT_8321_TCP_PROTO", "tcp"),
        ]
    ],
)
def test_a_variable_that_kubernetes_sets_for_a_service_is_none_of_ours(run, name, value):
    """One of them has the name of one of ours: DRIFTLINE_METRICS_PORT."""
    result = run("watch", "--once", DRIFTLINE_STORE="chdb:named", **{name: value})
    assert named_store(result) == "chdb:named"


@pytest.mark.parametrize("name", ["DRIFTLINE_KAFKA_SASL_USERNAME", "DRIFTLINE_REGISTRY_SSL_CA_LOCATION"])
def test_a_variable_for_kafka_or_a_registry_is_theirs_to_judge(run, name):
    assert named_store(run("completeness", DRIFTLINE_STORE="chdb:named", **{name: "x"})) == "chdb:named"


def test_who_has_no_home_learns_what_to_set(run, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    result = run("completeness")
    assert result.exit_code == 2, result.output
    assert "set XDG_DATA_HOME" in result.output
    assert named_store(run("completeness", "--store", "chdb:named")) == "chdb:named"


def test_a_data_folder_with_any_name_is_found_again(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data/a b#c%41")
    assert parse_store_url(default_store_url()).folder == Path("/data/a b#c%41/driftline/store")


ASK = (
    "completeness, verdicts, incidents, invalid, rules m, trace x, report -o x, calibrate, "
    "dead-letters list, ack p --real, dead-letters replay"
)


@pytest.mark.parametrize("command", ASK.split(", "))
def test_asking_a_store_that_is_not_there_is_an_error_and_makes_none(run, tmp_path, command):
    result = run(*command.split(), "--store", f"chdb://{tmp_path / 'nowhere'}")
    assert result.exit_code == 1, result.output
    assert f"there is no store at chdb://{tmp_path / 'nowhere'}" in result.output
    assert not (tmp_path / "nowhere").exists()
