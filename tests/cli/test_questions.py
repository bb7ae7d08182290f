"""Commands that ask the store: what they print, and what they say when they can't."""

import errno
import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import pytest

from driftline.cli.questions import plain


@pytest.mark.parametrize(
    ("value", "told"),
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
def test_json_holds_every_value_that_the_store_does(value, told):
    assert plain(value) == told
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == told


def test_a_server_that_is_not_there_is_told_in_one_line():
    """No traceback, no warnings of libraries, no waiting."""
    line = [sys.executable, "-m", "driftline.cli", "completeness", "--store", "clickhouse://127.0.0.1:9/x"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    refused = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert done.returncode == 1
    assert done.stderr == f"Error: the store at 127.0.0.1:9 does not answer: {refused}\n"
