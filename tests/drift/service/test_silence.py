"""A model that used to speak and falls silent, while nothing of it is missing."""

from __future__ import annotations

import pytest

from driftline.domain.names import VOLUME
from driftline.log import Record
from driftline.store.incidents import read_incidents
from driftline.store.verdicts import read_verdicts
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from tests.drift.service.watching import HOUR, HOUR_S, PER_HOUR, ends_of, make_worker, opened_landing
from tests.support.traffic import MODEL, VERSION

HISTORY = 200


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


NAMES = {
    "session_id": "steady",
    "model_name": MODEL,
    "model_version": VERSION,
    "environment": "production",
}


def serve(landing):
    """Land the predictions of a session: as many in each hour."""
    records = []
    for number in range(HISTORY * PER_HOUR):
        hour, place = divmod(number, PER_HOUR)
        event = {
            **NAMES,
            "event_id": f"01890000-0000-7000-8000-{number:012x}",
            "training_run_id": "run",
            "sequence": number + 1,
            "event_time": ((HOUR + hour) * HOUR_S + place) * 1_000_000,
            "numeric_features": {"amount": (7.0 * place + hour) % 31},
        }
        records.append(Record(PREDICTIONS_TOPIC, b"", encode_record(PREDICTION, event)))
    landing.log.writer().append(records)
    landing.land()


def let_land_at_once(landing):
    """Make the events those of a live service: each landed as soon as it was made."""
    landing.client.command(
        "ALTER TABLE predictions UPDATE landed_at = event_time + INTERVAL 3 SECOND WHERE true",
        settings={"mutations_sync": 2},
    )


def report(landing, hour, *, lost=0, is_final=False):
    """Land what the session reports eleven minutes into an hour."""
    process = {"final": is_final, "host": "h", "process_id": 1, "client": "test"}
    counts = {"last_sequence": HISTORY * PER_HOUR + lost, "last_outcome_sequence": 0}
    heartbeat = {"beat_time": ((HOUR + hour) * HOUR_S + 660) * 1_000_000, "dropped": {}, "abandoned": {}}
    value = encode_record(SESSION, {**NAMES, **process, **counts, **heartbeat})
    landing.log.writer().append([Record(SESSIONS_TOPIC, b"", value)])
    landing.land()


def silence(landing):
    rows = read_verdicts(landing.client, limit=1_000_000)
    return ends_of(row for row in rows if row["feature"] == VOLUME and row["verdict"] == "page")


def test_silence_is_an_incident_by_the_reports_of_sessions_that_go_on(landing):
    serve(landing)
    let_land_at_once(landing)
    worker = make_worker(landing)
    while worker.watch_once():
        pass
    assert silence(landing) == set()
    report(landing, HISTORY + 3)
    while worker.watch_once():
        pass
    assert silence(landing) == {HISTORY + 1, HISTORY + 2, HISTORY + 3}
    (incident,) = read_incidents(landing.client)
    assert "0% of the predictions" in incident.headline


def test_the_end_of_a_replay_is_not_called_silence(landing):
    """Its sessions go on, and its events are of another time than their reports."""
    serve(landing)
    worker = make_worker(landing)
    report(landing, HISTORY + 3)
    while worker.watch_once():
        pass
    assert silence(landing) == set()


def test_what_the_ledger_misses_is_not_called_silence(landing):
    serve(landing)
    let_land_at_once(landing)
    worker = make_worker(landing)
    report(landing, HISTORY + 3, lost=120)
    while worker.watch_once():
        pass
    assert silence(landing) == set()
