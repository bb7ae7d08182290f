"""Incidents from the traffic to the engineer's acknowledgement and back, with a worker and a store."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.incidents import Answer
from driftline.store.incidents import read_acknowledgements
from driftline.store.profiles import read_streams
from tests.drift.service.watching import HOUR, HOUR_S, make_worker, opened_landing, put_hours, reported

BROKEN = 300
"""From this hour on all amounts are far too large."""


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def shift(hour):
    return 500.0 if hour >= BROKEN else 0.0


def ask(place, *arguments):
    done = CliRunner().invoke(
        driftline, [*arguments, "--json"], env={"DRIFTLINE_STORE": place.place.store_url}
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def newest(place, hour):
    end = (HOUR + hour) * HOUR_S
    rows = [
        row for row in reported(place) if row["window_end"].timestamp() == end and row["feature"] == "amount"
    ]
    return {row["verdict"] for row in rows if row["reference"] == "production"}


@pytest.mark.parametrize("restarts", [False, True])
def test_an_incident_is_reported_acknowledged_and_accepted_while_the_worker_goes_on(landing, restarts):
    put_hours(landing, 0, BROKEN + 4, shift=shift)
    worker = make_worker(landing)
    worker.watch_once()
    (incident,) = ask(landing, "incidents")
    assert (incident["state"], incident["acknowledged"]) == ("open", None)
    assert incident["headline"].startswith("amount: ")
    assert newest(landing, BROKEN + 3) == {"page"}
    ask(landing, "ack", incident["incident_id"][:5], "--accept", "--by", "Ada")
    if restarts:
        worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, BROKEN + 4, BROKEN + 7, shift=shift)
    worker.watch_once()
    assert newest(landing, BROKEN + 6) == {"learning"}
    (incident,) = ask(landing, "incidents")
    assert (incident["state"], incident["acknowledged"]) == ("accepted", "accept")


def test_who_answers_at_once_is_known_from_the_hour_that_paged_on_however_judging_is_cut(tmp_path):
    """The clock must not decide: hours caught up with and hours judged as they close say the same."""
    found = []
    for place, pieces in (
        ("at once", [0, BROKEN, BROKEN + 60]),
        ("in pieces", [0, BROKEN, BROKEN + 2, BROKEN + 60]),
    ):
        asked = []

        def answer(incident, asked=asked):
            asked.append(incident.incident_id)
            return Answer("real", given_by="nobody", note="", given_at=datetime(2026, 3, 1, tzinfo=UTC))

        with opened_landing(tmp_path / place) as landing:
            worker = make_worker(landing, answer=answer, reference_patience_s=0.0)
            for first, end in pairwise(pieces):
                put_hours(landing, first, end, shift=shift)
                worker.watch_once()
            (incident,) = ask(landing, "incidents")
            given = read_acknowledgements(landing.client, worker_stream(landing))
            rows = sorted(str({**row, "judged_at": None}) for row in reported(landing))
        assert asked == [incident["incident_id"]], "of an incident that is answered nothing is asked"
        found.append((rows, incident, given))
    assert found[0] == found[1]
    ((acknowledgement,),) = found[0][2].values()
    assert (acknowledgement.name, acknowledgement.known_from) == ("real", acknowledgement.detected)


def worker_stream(landing):
    (stream,) = {span.stream for span in read_streams(landing.client)}
    return stream
