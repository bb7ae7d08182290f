"""The commands ``invalid`` and ``rules``: what they ask, print and refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from driftline.cli import invalid as command
from driftline.cli.app import driftline
from driftline.store.invalid import InvalidCount
from driftline.store.rules import Rule

FOUND = InvalidCount(
    model_name="till",
    model_version="3",
    environment="production",
    feature="amount",
    reason="below_range",
    count=17,
    rows=20_000,
    oldest=datetime(2026, 1, 31, 12, tzinfo=UTC),
    newest=datetime(2026, 1, 31, 14, 5, tzinfo=UTC),
    examples=("019c0000-0000-7000-8000-000000000002", "019c0000-0000-7000-8000-000000000001"),
)


@pytest.fixture
def asked(monkeypatch):
    """Answer from here instead of from a store; note what was asked."""
    noted = []

    def read_invalid(_client, **options):
        noted.append(options)
        return [FOUND] if options["model_name"] != "fine" else []

    monkeypatch.setattr(command, "read_invalid", read_invalid)
    monkeypatch.setattr(command, "read_rules", lambda _client, _model: {})
    monkeypatch.setattr(command, "set_rules", lambda _client, model, given: noted.append((model, given)))
    monkeypatch.setattr(command, "ask_store", lambda _url, question, **_: question(None))
    return noted


def run(*arguments, **options):
    return CliRunner().invoke(driftline, arguments, **options)


def test_counts_are_listed_with_the_newest_event_to_trace(asked):
    heading, line = run("invalid").output.splitlines()
    cells = dict(zip(heading.split(), line.split("  "), strict=False))
    assert line.split()[:7] == ["till", "3", "production", "amount", "below_range", "17", "20000"]
    assert line.split()[-1] == FOUND.examples[0]
    assert cells["model_name"] == "till"
    assert asked == [{"model_name": None, "model_version": None, "since": None}]


def test_json_has_every_example_and_says_that_times_are_utc(asked):
    (line,) = json.loads(run("invalid", "--json").output)
    assert line["examples"] == list(FOUND.examples)
    assert line["newest"] == "2026-01-31T14:05:00+00:00"
    assert len(asked) == 1


def test_model_version_and_time_are_asked_for(asked):
    run("invalid", "--model", "till", "--version", "3", "--since", "2026-01-31T12:00")
    since = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert asked == [{"model_name": "till", "model_version": "3", "since": since}]
    assert "is no time, such as" in run("invalid", "--since", "yesterday").output


def test_that_nothing_is_invalid_is_reported(asked):
    assert run("invalid", "--model", "fine").output.startswith("nothing invalid has landed")
    assert json.loads(run("invalid", "--model", "fine", "--json").output) == []
    assert len(asked) == 2


def test_rules_are_set_from_a_file_or_standard_input(asked, tmp_path):
    file = tmp_path / "rules.json"
    file.write_text('{"amount": {"minimum": 0}, "city": null}')
    assert run("rules", "till", "--set", str(file)).exit_code == 0
    run("rules", "till", "--set", "-", input="{}")
    assert asked == [("till", {"amount": {"minimum": 0}, "city": None}), ("till", {})]


@pytest.mark.parametrize("text", ["{", "[]", '{"amount": 3}'])
def test_a_file_that_holds_no_rules_is_refused_with_what_it_should_hold(asked, text):
    refused = run("rules", "till", "--set", "-", input=text)
    assert refused.exit_code == 2
    assert "is no JSON" in refused.output or '{"age": {"minimum": 0}, "note": null}' in refused.output
    assert asked == []


def test_a_model_without_rules_is_reported_with_what_it_waits_for(asked):
    assert "its reference, or 5,000 predictions, must land first" in run("rules", "till").output
    assert asked == []


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Rule(), "anything"),
        (Rule("numeric", 0.0, 12.5, may_be_missing=False), "0..12.5; never missing"),
        (Rule("numeric", maximum=3.0), "..3"),
        (Rule("categorical", allowed=("a", "b")), "one of a, b"),
        (
            Rule("numeric", may_be_absent=False, may_be_not_finite=False),
            "never absent or NaN or infinite",
        ),
    ],
)
def test_a_rule_is_described(rule, sentence):
    assert command.described(rule) == sentence
