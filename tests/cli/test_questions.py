"""Commands that ask the store: what they print, and what they say when they can't."""

import errno
import json
import os
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.cli.options import clean_errors
from driftline.cli.output import plain
from driftline.cli.settings import leaves_of
from driftline.embedded import open_store
from driftline.store import migrate


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (datetime(2026, 1, 31, 12), "2026-01-31T12:00:00+00:00"),  # noqa: DTZ001  as drivers do
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"\xc3\xa9\xff", "é\\xff"),
        ((1, None, True), [1, None, True]),
        ({1: uuid.UUID(int=7)}, {"1": "00000000-0000-0000-0000-000000000007"}),
    ],
)
def test_json_holds_every_value_that_the_store_does(value, expected):
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected


def test_a_server_that_is_not_there_is_reported_in_one_line():
    """No traceback, no warnings of libraries, no waiting."""
    line = [sys.executable, "-m", "driftline.cli", "completeness", "--store", "clickhouse://127.0.0.1:9/x"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert done.returncode == 1
    assert done.stderr == f"Error: the store at 127.0.0.1:9 does not answer: {refused}\n"


@pytest.mark.parametrize(
    "question", ["completeness", "verdicts", "incidents", "invalid", "dead-letters list"]
)
def test_every_list_is_of_a_model_and_since_a_time_or_an_age(tmp_path, question):
    url = f"chdb://{tmp_path}/store"
    with open_store(url) as store, closing(store.connect()) as client:
        migrate(client)
    asked = [*question.split(), "--store", url, "--json", "--model", "m"]
    for since in ("7d", "2026-01-31T12:00"):
        done = CliRunner().invoke(driftline, [*asked, "--since", since])
        assert (done.exit_code, json.loads(done.output)) == (0, [])
    assert CliRunner().invoke(driftline, [*asked, "--since", "yesterday"]).exit_code == 2


@pytest.mark.parametrize("command", sorted(driftline.commands))
def test_every_command_takes_log_and_store(command):
    for leaf in leaves_of(driftline.commands[command]):
        assert {"--log", "--store"} <= {name for option in leaf.params for name in option.opts}


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "/x"), MemoryError(), OSError(28, "No space left")]
)
def test_what_disk_and_memory_refuse_is_reported_in_a_sentence(error):
    @click.command()
    @clean_errors
    def command():
        raise error

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "Traceback" not in result.output
