"""``driftline events``: what is planned, and what was deployed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"chdb://{tmp_path_factory.mktemp('events') / 'store'}"


def run(store, *arguments):
    return CliRunner().invoke(driftline, ["events", *arguments, "--store", store])


def listed(store, *arguments):
    return json.loads(run(store, "list", "--json", *arguments).stdout)


def test_events_are_added_listed_by_model_and_removed_by_the_beginning_of_their_id(store):
    CliRunner().invoke(driftline, ["migrate", "--store", store])
    times = ("--from", "2026-07-01", "--until", "2026-07-04", "--by", "ann")
    added = run(store, "add", "Summer sale", *times, "--model", "eta")
    assert added.exit_code == 0, added.output
    run(store, "add", "Summer sale", *times, "--model", "eta")
    run(store, "add", "Move", *times)
    rows = listed(store)
    assert [(row["name"], row["model_name"], row["given_by"]) for row in rows] == [
        ("Move", "", "ann"),
        ("Summer sale", "eta", "ann"),
    ]
    assert [row["name"] for row in listed(store, "--model", "other")] == ["Move"]
    assert run(store, "remove", rows[0]["event_id"][:5]).exit_code == 0
    assert [row["name"] for row in listed(store)] == ["Summer sale"]


def test_an_event_that_ends_before_it_begins_is_refused(store):
    refused = run(store, "add", "Sale", "--from", "2026-07-04", "--until", "2026-07-01")
    assert refused.exit_code == 2
    assert "ends before it begins" in refused.output
