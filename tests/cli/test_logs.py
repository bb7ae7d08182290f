"""Logs as JSON: each line an object, whoever says it, and what nobody caught as well."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from driftline.cli.logs import json_formatter

_THREAD_DIES = """
import logging, threading, warnings
from driftline.cli.logs import configure_logs
configure_logs("json", "info", service="land")
logging.getLogger("uvicorn.error").error("a library says\\nso, on two lines")
warnings.warn("and warns")
thread = threading.Thread(target=lambda: 1 / 0, name="lander")
thread.start(); thread.join()
raise RuntimeError("nobody caught this")
"""


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def formatted(form="incident %s opened", args=("p1",), **extra):
    record = logging.LogRecord("driftline.drift", logging.INFO, "file", 7, form, args, None)
    vars(record).update(extra)
    return json.loads(json_formatter("watch").format(record))


def test_a_line_says_when_how_grave_who_and_what():
    line = formatted()
    logged_at = datetime.fromisoformat(line.pop("timestamp"))
    assert abs(datetime.now(UTC) - logged_at) < timedelta(minutes=1)
    assert re.match(r"\d", line.pop("version"))
    assert line == {
        "level": "INFO",
        "logger": "driftline.drift",
        "message": "incident p1 opened",
        "service": "watch",
    }


def test_context_stands_beside_the_message():
    line = formatted(incident_id="p1", model_name="flight-delay", offset=17)
    assert (line["incident_id"], line["model_name"], line["offset"]) == ("p1", "flight-delay", 17)


def test_whoever_speaks_speaks_json_and_what_nobody_caught_is_reported_with_its_trace():
    done = subprocess.run(
        [sys.executable, "-c", _THREAD_DIES], capture_output=True, text=True, check=False, timeout=60
    )
    library, warning, thread, error = lines_of(done.stderr)
    assert done.returncode == 1
    assert (library["logger"], library["message"]) == ("uvicorn.error", "a library says\nso, on two lines")
    assert "and warns" in warning["message"]
    assert thread["message"] == "lander ended by an error that nothing caught"
    assert "ZeroDivisionError" in thread["exception"]
    assert error["level"] == "CRITICAL"
    assert "RuntimeError: nobody caught this" in error["exception"]


def test_a_command_that_fails_says_so_in_json_and_on_no_other_line():
    command = [sys.executable, "-m", "driftline.cli", "--log-format", "json", "land", "--log", "http://x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    (line,) = lines_of(done.stderr)
    assert (done.returncode, done.stdout) == (1, "")
    assert (line["level"], line["service"]) == ("CRITICAL", "land")
    assert "must begin with file:///" in line["message"]
