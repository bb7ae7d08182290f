"""``driftline dashboards push``: where its token comes from, and what it prints."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from tests.support.grafana import serving_grafana

TOKEN = "token-of-an-admin"


@pytest.fixture
def fake():
    with serving_grafana() as serving:
        yield serving


@pytest.fixture
def run(fake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("DRIFTLINE_GRAFANA_TOKEN", "DRIFTLINE_GRAFANA_TOKEN_FILE", "DRIFTLINE_STORE_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "password").write_text("swordfish\n")

    def command(*arguments, **environ):
        line = ["dashboards", "push", "--grafana", fake.url, *arguments]
        return CliRunner().invoke(driftline, line, env=environ)

    return command


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["--token-file", "token"], {}),
        ([], {"DRIFTLINE_GRAFANA_TOKEN_FILE": "token"}),
        ([], {"DRIFTLINE_GRAFANA_TOKEN": TOKEN}),
        (["--token-file", "token"], {"DRIFTLINE_GRAFANA_TOKEN": "another one, that a flag goes before"}),
    ],
    ids=["flag", "file named in the environment", "environment", "flag before environment"],
)
def test_a_token_comes_from_a_file_or_the_environment(run, fake, arguments, environ):
    result = run(*arguments, **environ)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == [
        "created   folder driftline",
        "created   dashboard driftline-feature",
    ]
    assert len(fake.dashboards) == 5


def test_again_it_says_unchanged(run):
    run("--token-file", "token")
    lines = run("--token-file", "token").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["unchanged"] * 6


def test_json_tells_the_same_to_programs(run):
    done = json.loads(run("--token-file", "token", "--json").stdout)
    assert done[0] == {"kind": "folder", "uid": "driftline", "done": "created"}
    assert len(done) == 6


def test_data_sources_are_pushed_with_a_password_that_is_never_shown(run, fake):
    result = run(
        "--token-file",
        "token",
        "--prometheus-url",
        "http://prometheus:9090",
        "--clickhouse-url",
        "clickhouse://reader@clickhouse/driftline",
        DRIFTLINE_STORE_PASSWORD_FILE="password",
    )
    assert result.exit_code == 0, result.output
    assert fake.secrets["driftline-clickhouse"] == {"password": "swordfish"}
    assert "swordfish" not in result.output
    assert TOKEN not in result.output


def test_a_password_in_a_flag_is_refused(run, fake):
    result = run(
        "--token-file", "token", "--clickhouse-url", "clickhouse://reader:swordfish@clickhouse/driftline"
    )
    assert result.exit_code == 2
    assert "process list" in " ".join(result.output.split())
    assert fake.writes == []


def test_without_a_token_it_says_where_to_put_one(run):
    result = run()
    assert result.exit_code == 1
    assert "DRIFTLINE_GRAFANA_TOKEN_FILE" in result.stderr


def test_a_conflict_ends_with_status_1_and_what_to_do(run, fake):
    run("--token-file", "token")
    fake.edit("driftline-fleet", title="mine")
    result = run("--token-file", "token")
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert run("--token-file", "token", "--overwrite").exit_code == 0
