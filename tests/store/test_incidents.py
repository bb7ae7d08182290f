"""Incidents as they are written and read, and their acknowledgements."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from driftline.domain.hours import hour_time
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError, SettingError, StatementError
from driftline.store.incidents import (
    find_incident,
    read_acknowledgements,
    read_incidents,
    write_acknowledgement,
    write_incidents,
)
from driftline.store.verdicts import write_verdicts
from tests.store.stored_incident import FINDING, HOUR, INCIDENT, STREAM
from tests.store.stored_verdict import VERDICT

NOW = hour_time(HOUR + 2) + timedelta(microseconds=17)


def incident_of(model, **changes):
    return replace(INCIDENT, stream=STREAM._replace(model_name=model), **changes)


def acknowledge(client, incident_id, name="real", at=NOW, **changes):
    given = {"given_by": "Ada", "note": "it's the feed", **changes}
    return write_acknowledgement(client, incident_id, name=name, given_at=at, **given)


def test_an_incident_is_read_as_it_was_written(client):
    write_incidents(client, [INCIDENT])
    write_incidents(client, [])
    assert read_incidents(client, model_name="paged") == [INCIDENT]
    assert read_incidents(client, model_name="never") == []


def test_a_later_revision_replaces_an_earlier_one_in_whatever_order_they_come(client):
    first = incident_of("revised", incident_id="bb11")
    write_incidents(client, [replace(first, state="ended", revision=3)])
    write_incidents(client, [replace(first, revision=2)])
    assert [
        (incident.state, incident.revision) for incident in read_incidents(client, model_name="revised")
    ] == [("ended", 3)]


def test_incidents_are_chosen_the_newest_first(client):
    first = incident_of("chosen", incident_id="cc11")
    later = replace(
        first,
        incident_id="cc22",
        detected=HOUR + 40,
        findings=(replace(FINDING, last=HOUR + 45),),
        state="ended",
    )
    other = replace(
        first, stream=first.stream._replace(model_version="4"), incident_id="cc33", detected=HOUR + 30
    )
    write_incidents(client, [first, later, other])

    def ids(**conditions):
        return [
            incident.incident_id for incident in read_incidents(client, model_name="chosen", **conditions)
        ]

    assert ids() == ["cc22", "cc33", "cc11"]
    assert ids(limit=1) == ["cc22"]
    assert ids(states=["open"]) == ["cc33", "cc11"]
    assert ids(since=hour_time(HOUR + 5)) == ["cc22"]
    assert ids(incident_id="cc3") == ["cc33"]
    assert ids(stream=Stream("chosen", "3", "production")) == ["cc22", "cc11"]
    assert ids(stream=Stream("chosen", "3", "shadow")) == []


def test_an_incident_is_found_by_the_beginning_of_its_id(client):
    write_incidents(client, [incident_of("found", incident_id=name) for name in ("dd11", "dd12", "de11")])
    assert find_incident(client, "de").incident_id == "de11"
    assert find_incident(client, "dd12").incident_id == "dd12"
    with pytest.raises(NotFoundError, match=r"several incidents begin with 'dd', such as dd1. and dd1.;"):
        find_incident(client, "dd")


@pytest.mark.parametrize("incident_id", ["", "ffff", "%"])
def test_an_incident_that_is_not_there_is_reported_with_where_incidents_are_listed(client, incident_id):
    with pytest.raises(
        NotFoundError, match=f"there is no incident '{incident_id}'; `driftline incidents` lists"
    ):
        find_incident(client, incident_id)


def test_an_acknowledgement_is_known_from_the_newest_judged_hour_on(client):
    incident = incident_of("judged-incident", incident_id="ee11")
    write_incidents(client, [incident])
    _, unjudged = acknowledge(client, "ee")
    assert unjudged.known_from == incident.last
    stream = Stream("judged-incident", "3", "production")
    write_verdicts(client, stream, [replace(VERDICT, window_end=HOUR + 9)])
    reported, acknowledged = acknowledge(client, "ee11", "noise", NOW + timedelta(seconds=1))
    assert reported == replace(incident, acknowledged="noise", state="dismissed")
    assert acknowledged.known_from == HOUR + 9
    assert read_acknowledgements(client, stream) == {stream: [unjudged, acknowledged]}
    assert [(one.name, one.given_by, one.note) for one in (unjudged, acknowledged)] == [
        ("real", "Ada", "it's the feed"),
        ("noise", "Ada", "it's the feed"),
    ]
    assert acknowledged in read_acknowledgements(client)[stream]
    assert read_acknowledgements(client, Stream("judged-incident", "3", "shadow")) == {}


def test_an_acknowledgement_that_is_written_again_is_one(client):
    write_incidents(client, [incident_of("again", incident_id="f011")])
    acknowledge(client, "f011")
    acknowledge(client, "f011")
    assert len(read_acknowledgements(client)[Stream("again", "3", "production")]) == 1


def test_unknown_acknowledgements_are_refused(client):
    write_incidents(client, [incident_of("refused", incident_id="f111", state="withdrawn")])
    with pytest.raises(
        SettingError, match="'maybe' is nothing to say of an incident; say one of real, noise, acc"
    ):
        acknowledge(client, "f111", "maybe")
    with pytest.raises(SettingError, match="incident f111 was withdrawn: events that arrived late"):
        acknowledge(client, "f111")
    assert read_acknowledgements(client, Stream("refused", "3", "production")) == {}
    with pytest.raises(StatementError, match="acknowledgement_is_known"):
        client.command("INSERT INTO acknowledgements (incident_id, acknowledgement) VALUES ('f111', 'maybe')")
