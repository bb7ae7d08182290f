"""Whatever a model or a feature is called: a terminal shows its name, and does nothing else."""

from __future__ import annotations

import json
import logging
import pkgutil
import re
from pathlib import Path

import click
from click.testing import CliRunner

from driftline import cli
from driftline.cli.logs import FailureError, Flood, TextFormatter, json_formatter
from driftline.cli.output import echo, echo_json, echo_table

HOSTILE = "a\x1b[2Jb\nWARNING forged\r\u202ec\x9bd"
SHOWN = "a\\u001b[2Jb\\u000aWARNING forged\\u000d\\u202ec\\u009bd"
MAY_PRINT_BY_THEMSELVES = {"output": 1, "report": 1, "calibrate": 1, "runs": 1, "watch_model": 1}
"""The one place; a whole page of HTML, a line that goes back to its beginning, a kept file, JSON."""


def printed(print_it):
    @click.command()
    def command():
        print_it()

    return CliRunner().invoke(command).output


def record(message, *args, exc_info=None):
    return logging.LogRecord("driftline.drift", logging.WARNING, "file", 7, message, args, exc_info)


def test_a_line_is_one_line():
    assert printed(lambda: echo(f"model {HOSTILE}")) == f"model {SHOWN}\n"
    assert printed(lambda: echo(f"{HOSTILE}\n2", lines=True)).count("\n") == 3


def test_a_cell_is_as_wide_as_it_is_shown():
    rows = [{"model": HOSTILE, "n": 17}, {"model": "b", "n": 18}]
    table = printed(lambda: echo_table(rows, ["model", "n"])).splitlines()
    assert [line.rindex(end) for line, end in zip(table, ("n", "17", "18"), strict=True)] == [
        len(SHOWN) + 2
    ] * 3
    assert table[1].startswith(SHOWN)


def test_json_says_the_same_without_the_characters():
    shown = printed(lambda: echo_json({"name": HOSTILE}))
    assert json.loads(shown) == {"name": HOSTILE}
    assert not set("\x1b\r\u202e\x9b") & set(shown)


def test_an_error_is_reported_without_them():
    def fail():
        raise FailureError(f"no model {HOSTILE}")

    shown = printed(fail)
    assert not set("\x1b\r\u202e\x9b") & set(shown)


def test_a_name_in_a_message_makes_no_line_of_the_log():
    line = TextFormatter("%(levelname)s %(name)s: %(message)s").format(record("%s opened", HOSTILE))
    assert line == f"WARNING driftline.drift: {SHOWN} opened"


def test_a_name_in_a_traceback_makes_no_line_that_looks_like_one_of_the_log():
    shown = record("failed", exc_info=(ValueError, ValueError(HOSTILE), None))
    first, *others = TextFormatter("%(levelname)s %(message)s").format(shown).split("\n")
    assert first == "WARNING failed"
    assert others
    assert all(line.startswith("  ") for line in others)
    assert not set("\x1b\r\u202e\x9b") & set("".join(others))


def test_a_name_in_a_message_of_the_log_in_json_is_escaped():
    line = json_formatter("watch").format(record("%s opened", HOSTILE))
    assert json.loads(line)["message"] == f"{HOSTILE} opened"
    assert not set("\x1b\r\u202e\x9b\n") & set(line)


def test_every_command_prints_through_the_one_place():
    prints = {}
    for module in pkgutil.iter_modules(cli.__path__):
        source = Path(cli.__path__[0], f"{module.name}.py").read_text()
        if count := len(re.findall(r"\bclick\.s?echo\(|(?<![\w.])print\(", source)):
            prints[module.name] = count
    assert prints == MAY_PRINT_BY_THEMSELVES


def test_a_flood_of_one_kind_is_cut_with_a_note_and_other_kinds_come_through():
    now_s = [0.0]
    flood = Flood(lambda: now_s[0], limit=3)
    shown = [record("bad request of %s", number) for number in range(10)]
    assert [flood.filter(each) for each in shown] == [True] * 3 + [False] * 7
    assert (
        shown[2].getMessage() == "bad request of 2 (there are more of this kind; silent for up to a minute)"
    )
    assert flood.filter(record("another"))
    now_s[0] = 60.0
    assert flood.filter(record("bad request of %s", 11))
