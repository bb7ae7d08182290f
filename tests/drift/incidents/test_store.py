"""A book that is kept in the store and taken up again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.domain.hours import hour_time
from driftline.domain.incidents import Acknowledgement
from driftline.domain.streams import Stream
from driftline.domain.verdicts import VerdictName
from driftline.drift import DriftSettings
from driftline.drift.incidents.book import IncidentBook
from driftline.drift.incidents.store import keep_incidents, open_book
from driftline.drift.service.pipeline import as_kept
from driftline.store.incidents import read_acknowledgements, read_incidents, write_acknowledgement
from driftline.store.verdicts import write_verdicts
from tests.drift.incidents.books import START, busy, run, verdict
from tests.support.landing import Landing
from tests.support.running import Place

STREAM = Stream("booked", "1", "production")


@pytest.fixture
def client(tmp_path):
    opened = Landing(Place(tmp_path))
    yield opened.client
    opened.close()


def stored(one, verdict_name="page", revision=1):
    """Return a verdict as the store holds it, on so many rows that what it says follows from them."""
    return replace(
        one,
        verdict=VerdictName(verdict_name),
        revision=revision,
        sample_size=1000,
        reference_size=5000,
        rank=1,
        listed=True,
    )


def new_book():
    return IncidentBook(STREAM, settings=DriftSettings())


def test_a_book_is_taken_up_from_the_store_as_it_was(client):
    paging, end = [as_kept(one) for one in busy(7, 260)], START + 260
    steady = new_book()
    write_verdicts(client, STREAM, [stored(one) for one in paging if one.window_end <= START + 200])
    keep_incidents(client, run(steady, paging, START, START + 200))
    write_acknowledgement(
        client,
        steady.incidents[0].incident_id,
        name="real",
        given_by="Ada",
        note="",
        given_at=hour_time(START),
    )
    incident = steady.incidents[0]
    assert read_acknowledgements(client) == {
        STREAM: [
            Acknowledgement(
                incident.incident_id, incident.detected, "real", START + 200, "Ada", "", hour_time(START)
            )
        ]
    }
    book, unkept = open_book(client, STREAM, DriftSettings(), next_hour=START + 200)
    assert [(incident.incident_id, incident.acknowledged) for incident in unkept] == [
        (steady.incidents[0].incident_id, "real")
    ]
    keep_incidents(client, unkept)
    book, unkept = open_book(client, STREAM, DriftSettings(), next_hour=START + 200)
    assert unkept == []
    assert [incident.findings for incident in book.incidents] == [
        incident.findings for incident in steady.incidents
    ]
    assert book.level(START + 200) < steady.level(START + 200)
    assert run(book, paging, START + 200, end) != []


def test_a_book_of_the_past_knows_nothing_of_what_came_later(client):
    paging = [verdict("a", START + 1), verdict("b", START + 90)]
    write_verdicts(client, STREAM, [stored(one) for one in paging])
    keep_incidents(client, run(new_book(), paging, START, START + 100))
    book, _ = open_book(client, STREAM, DriftSettings(), next_hour=START + 50)
    assert [incident.detected for incident in book.incidents] == [START + 1]


def test_an_incident_that_a_revision_took_back_is_withdrawn_in_the_store(client):
    one = verdict("a", START + 1)
    write_verdicts(client, STREAM, [stored(one)])
    keep_incidents(client, run(new_book(), [one], START, START + 10))
    write_verdicts(client, STREAM, [stored(one, "ok", 2)])
    book, unkept = open_book(client, STREAM, DriftSettings(), next_hour=START + 10)
    keep_incidents(client, unkept)
    assert book.incidents == []
    (incident,) = read_incidents(client, stream=STREAM)
    assert (incident.state, incident.revision) == ("withdrawn", 2)
