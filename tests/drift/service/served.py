"""A service that answers for days, by one session, and what that session reports."""

from __future__ import annotations

from driftline.log import Record
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from tests.drift.service.watching import HOUR, HOUR_S, PER_HOUR
from tests.support.traffic import MODEL, VERSION

HISTORY = 200
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
