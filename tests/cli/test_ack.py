"""What is shown of incidents, and how an engineer acknowledges them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.embedded import open_store
from driftline.store import ready_connection
from driftline.store.incidents import write_incidents
from tests.store.stored_incident import FINDING, HOUR, INCIDENT

OLDER = replace(
    INCIDENT,
    incident_id="bb22",
    stream=INCIDENT.stream._replace(model_name="older"),
    detected=HOUR - 99,
    state="accepted",
    accepted_at=HOUR,
    findings=(replace(FINDING, segment="", channel=Channel(ChannelKind.STUCK), z=None),),
)


@pytest.fixture(scope="module")
def store_url(tmp_path_factory):
    url = f"chdb://{tmp_path_factory.mktemp('ack')}/store"
    with open_store(url) as store, closing(ready_connection(store)) as client:
        write_incidents(client, [INCIDENT, OLDER])
    return url


def run(store_url, *arguments):
    return CliRunner().invoke(driftline, [*arguments], env={"DRIFTLINE_STORE": store_url})


def ask(store_url, *arguments):
    done = run(store_url, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_an_incident_is_acknowledged_once_by_the_beginning_of_its_id_and_listed_with_that(store_url):
    done = run(store_url, "ack", "aa", "--real", "--by", "Ada", "--note", "the feed")
    assert done.exit_code == 0
    headline = "amount and b: share at or below 5 rose from 33.33% to 75.00% in carrier=DL"
    assert done.output.splitlines() == [
        f"incident aa11 of paged 3 (production): {headline}",
        "  real: a fault: it counts as confirmed, and its hours stay out of the reference",
    ]
    newest, older = ask(store_url, "incidents")
    assert ask(store_url, "ack", "--list") == [newest, older]
    assert (newest["incident_id"], newest["state"], newest["acknowledged"]) == ("aa11", "open", "real")
    assert newest["detected"] == hour_time(HOUR + 1).isoformat()
    assert newest["since"] == hour_time(HOUR).isoformat()
    assert [finding["feature"] for finding in newest["findings"]] == ["amount", "b"]
    assert newest["findings"][0]["observed"] == 0.75
    (given,) = newest["acknowledgements"]
    assert (given["acknowledgement"], given["given_by"], given["note"]) == ("real", "Ada", "the feed")
    assert given["known_from"] == hour_time(HOUR + 5).isoformat()
    assert (older["acknowledged"], older["acknowledgements"]) == (None, [])


def test_the_last_acknowledgement_counts(store_url):
    shown = ask(store_url, "ack", "bb22", "--noise", "--by", "Bo")
    assert (shown["incident_id"], shown["acknowledged"]) == ("bb22", "noise")
    assert ask(store_url, "ack", "bb22", "--accept", "--by", "Bo")["acknowledged"] == "accept"
    (older,) = ask(store_url, "incidents", "--model", "older")
    assert older["acknowledged"] == "accept"
    assert [one["acknowledgement"] for one in older["acknowledgements"]] == ["noise", "accept"]


def test_incidents_are_listed_for_people(store_url):
    lines = run(store_url, "incidents", "--state", "accepted").output.splitlines()
    assert lines[0] == "bb22  accepted   older 3 (production)"
    assert lines[2].startswith(f"  since {hour_time(HOUR):%Y-%m-%d %H:%M}, detected ")
    assert lines[2].endswith(f"the new normal from {hour_time(HOUR):%Y-%m-%d %H:%M}")
    assert lines[3].startswith("    amount: stuck  (6 h against production, since ")
    shown = run(store_url, "incidents").output
    assert "    amount in carrier=DL: share at or below 5 33.33% -> 75.00%  (6 h against production" in shown
    assert run(store_url, "incidents", "--model", "never").output == "no incidents\n"
    assert ask(store_url, "incidents", "--model", "never") == []


@pytest.mark.parametrize(
    "arguments", [(), ("aa11",), ("--real",), ("aa11", "--real", "--noise"), ("aa11", "--real", "--accept")]
)
def test_one_incident_and_one_acknowledgement_have_to_be_given(store_url, arguments):
    done = run(store_url, "ack", *arguments)
    assert done.exit_code == 2
    assert (
        "give one incident and one of --real, --noise, --accept; `driftline incidents` lists them"
        in done.output
    )


def test_an_incident_that_is_not_there_is_reported_in_one_line(store_url):
    done = run(store_url, "ack", "ffff", "--real")
    assert done.exit_code == 1
    assert (
        done.output
        == "Error: there is no incident 'ffff'; `driftline incidents` lists those that there are\n"
    )
