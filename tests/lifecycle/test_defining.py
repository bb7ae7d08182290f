"""Hours that would teach something false are left out of a definition, each with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from driftline.domain.hours import hour_of
from driftline.domain.incidents import Incident
from driftline.domain.streams import Stream
from driftline.errors import SettingError
from driftline.lifecycle.defining import Wanted, define
from driftline.lifecycle.facts import Subject, read_facts
from driftline.lifecycle.trigger import TriggerSettings
from driftline.log import Record
from driftline.store.incidents import write_incidents
from driftline.store.rules import set_rules
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSION, SESSIONS_TOPIC, encode_record
from tests.lifecycle.traffic import START, finding_of, serve

HOUR = timedelta(hours=1)
FIRST = hour_of(START)
HOURS = TriggerSettings(window_hours=3)


def wanted(model, as_of, **changes):
    given = {"model_name": model, "since": START, "as_of": as_of, "maturity": HOUR, "split": "none"}
    return Wanted(**{**given, **changes})


def left_out(definition):
    return [(each.first_hour - FIRST, each.end_hour - FIRST, each.reason) for each in definition.left_out]


def lose_some(landing, model):
    """Log ten predictions an hour for three hours, and lose two of the second."""
    names = {"session_id": model, "model_name": model, "model_version": "1", "environment": "production"}
    hour_us, first_us = 3_600_000_000, int(START.timestamp()) * 1_000_000
    records = []
    for number in set(range(1, 31)) - {12, 13}:
        event = {
            **names,
            "event_id": f"00000000-0000-4000-8000-{number:012d}",
            "sequence": number,
            "training_run_id": "r",
            "event_time": first_us + (number - 1) // 10 * hour_us,
        }
        records.append(Record(PREDICTIONS_TOPIC, b"", encode_record(PREDICTION, event)))
    heartbeat = {"beat_time": first_us, "last_sequence": 30, "last_outcome_sequence": 0, "final": True}
    counts = {"host": "h", "process_id": 1, "client": "test", "dropped": {}, "abandoned": {}}
    records.append(Record(SESSIONS_TOPIC, b"", encode_record(SESSION, {**names, **heartbeat, **counts})))
    landing.log.writer().append(records)
    landing.land()


def test_hours_of_which_too_little_arrived_are_left_out_and_refuse_a_training(landing, client, settled):
    lose_some(landing, "incomplete")
    definition = define(client, wanted("incomplete", settled()))
    assert left_out(definition) == [(1, 2, "incomplete")]
    assert definition.left_out[0].detail == "of its predictions 20% are missing"
    facts = read_facts(client, Subject("incomplete"), HOURS, now=START + 3 * HOUR)
    assert facts.incomplete == ["2026-01-31 13:00 to 2026-01-31 14:00: of its predictions 20% are missing"]
    assert read_facts(client, Subject("incomplete"), HOURS, now=START + 6 * HOUR).incomplete == []


def test_hours_with_invalid_values_are_left_out_and_refuse_a_training(landing, client, settled):
    serve(landing, "invalid", range(60))
    set_rules(client, "invalid", {"x": {"maximum": 39.5}})
    landing.profiler.run_until_idle()
    definition = define(client, wanted("invalid", settled()))
    assert left_out(definition) == [(2, 3, "invalid")]
    facts = read_facts(client, Subject("invalid"), HOURS, now=START + 3 * HOUR)
    assert facts.invalid == ["2026-01-31 14:00 to 2026-01-31 15:00: 1 invalid values by prediction"]


@pytest.mark.parametrize(
    ("state", "acknowledged", "is_left_out"),
    [
        ("open", None, True),
        ("ended", "real", True),
        ("dismissed", "noise", False),
        ("accepted", "accept", False),
        ("withdrawn", None, False),
    ],
)
def test_hours_of_an_incident_are_left_out_unless_somebody_called_it_harmless(
    landing, settled, state, acknowledged, is_left_out
):
    client, name = landing.client, f"incident-{state}"
    serve(landing, name, range(60))
    finding = finding_of(FIRST + 1, FIRST + 2)
    incident = Incident(
        stream=Stream(name, "1", "production"),
        incident_id=name,
        detected=FIRST + 2,
        state=state,
        acknowledged=acknowledged,
        findings=(finding,),
    )
    write_incidents(client, [incident])
    definition = define(client, wanted(name, settled()))
    assert left_out(definition) == ([(1, 2, "incident")] if is_left_out else [])
    other = replace(wanted(name, settled()), environment="canary")
    with pytest.raises(SettingError, match="predicted nothing in canary"):
        define(client, other)


def test_without_a_maturity_the_period_ends_where_nearly_all_truths_are_known(landing, client, settled):
    """All truths are known a minute after the prediction; the newest hour is too young to tell."""
    serve(landing, "matures", range(400))
    definition = define(client, wanted("matures", settled(), maturity=None))
    assert START + 18 * HOUR <= definition.until <= START + 20 * HOUR
    serve(landing, "never-known", range(20), known=False)
    with pytest.raises(SettingError, match="nobody can tell yet how long truths of never-known take"):
        define(client, wanted("never-known", settled(), maturity=None))


def test_what_is_too_young_as_a_whole_is_refused(landing, client):
    serve(landing, "young", range(20))
    with pytest.raises(SettingError, match=r"nothing since 2026-01-31T12:00 is mature as of"):
        define(client, wanted("young", START + HOUR, maturity=timedelta(days=1)))
