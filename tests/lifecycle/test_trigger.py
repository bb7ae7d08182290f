"""The trigger trains for what training cures, and never while something in the window is broken."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.domain.retraining import WHYS
from driftline.lifecycle.trigger import Facts, TriggerSettings, decide
from driftline.monitors.keys import Retrain

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = TriggerSettings(enabled=True)
DROPPED = Facts(now=NOW, drops=[("roc_auc", 0.05)], drop_since=NOW - 2 * DAY, mature_labels=5000)
ACCEPTED = Facts(now=NOW, accepted=[("i1", NOW - 2 * DAY)], mature_labels=5000)


def decided(facts, settings=SETTINGS):
    names = {"decision_id": "d", "model_name": "m", "environment": "production", "decided_by": "me"}
    return decide(facts, settings, **names)


def codes(facts, settings=SETTINGS):
    decision = decided(facts, settings)
    return decision.action, [why.code for why in decision.reasons]


@pytest.mark.parametrize(("facts", "cause"), [(DROPPED, "performance_drop"), (ACCEPTED, "accepted_drift")])
def test_what_training_cures_and_has_lasted_is_trained_for(facts, cause):
    decision = decided(facts)
    assert (decision.action, decision.cause, decision.cause_since) == ("retrain", cause, NOW - 2 * DAY)
    assert decision.facts["mature_labels"] == 5000


FAULTS = {
    "upstream_fault": {"faults": ["i2: dep_delay rose"]},
    "unacknowledged_incident": {"unacknowledged": ["i3: temp fell"]},
    "incomplete_hours": {"incomplete": ["2026-02-28 12:00: 40% are missing"]},
    "invalid_values": {"invalid": ["2026-02-28 12:00: 0.2 by prediction"]},
    "stopped": {"stopped": "stopped by ann"},
}


@pytest.mark.parametrize("facts", [DROPPED, ACCEPTED], ids=["drop", "accepted"])
@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_in_the_window_refuses_whatever_speaks_for_it(facts, code):
    assert codes(replace(facts, **FAULTS[code])) == ("refuse", [code])


@pytest.mark.parametrize(
    ("changes", "settings", "code"),
    [
        ({"drop_since": None}, {}, "too_new"),
        ({"drop_since": NOW - 23 * HOUR}, {}, "too_new"),
        ({"mature_labels": 999}, {}, "too_few_labels"),
        ({"in_flight": "run 3"}, {}, "in_flight"),
        ({"last_started": NOW - 6 * DAY}, {}, "cooldown"),
        ({"started": 4}, {}, "budget"),
        ({"failed_gates": 1, "last_failed": NOW - 23 * HOUR}, {}, "failed_gate"),
        ({"failed_gates": 3, "last_failed": NOW - 95 * HOUR}, {}, "failed_gate"),
        ({}, {"approval": True}, "approval"),
        ({"approved": NOW - 4 * DAY, "drop_since": NOW - 5 * DAY}, {"approval": True}, "approval"),
        ({"approved": NOW - 3 * DAY}, {"approval": True}, "approval"),
    ],
)
def test_what_is_too_early_waits(changes, settings, code):
    assert codes(replace(DROPPED, **changes), replace(SETTINGS, **settings)) == ("wait", [code])


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"drop_since": NOW - 24 * HOUR}, {}),
        ({"last_started": NOW - 7 * DAY}, {}),
        ({"failed_gates": 1, "last_failed": NOW - 24 * HOUR}, {}),
        ({"failed_gates": 3, "last_failed": NOW - 96 * HOUR}, {}),
        ({"approved": NOW - HOUR}, {"approval": True}),
    ],
)
def test_what_was_too_early_is_trained_in_the_end(changes, settings):
    assert codes(replace(DROPPED, **changes), replace(SETTINGS, **settings)) == ("retrain", [])


def test_without_a_cause_nothing_is_trained():
    assert codes(Facts(now=NOW, mature_labels=5000)) == ("refuse", ["no_cause"])


def test_unless_a_team_allows_it_nothing_is_trained():
    assert codes(DROPPED, TriggerSettings()) == ("refuse", ["stopped"])


def test_each_reason_is_named_and_not_the_first_alone():
    facts = replace(DROPPED, started=9, mature_labels=1, **FAULTS["invalid_values"])
    assert codes(facts) == ("refuse", ["invalid_values", "too_few_labels", "budget"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "drops": st.just([("mae", 1.0)]),
            "accepted": st.just([("i", NOW - 2 * DAY)]),
            "drop_since": st.just(NOW - 2 * DAY),
            "mature_labels": st.sampled_from([0, 5000]),
            "faults": st.just(["f"]),
            "unacknowledged": st.just(["u"]),
            "incomplete": st.just(["h"]),
            "invalid": st.just(["v"]),
            "started": st.integers(0, 6),
            "stopped": st.just("s"),
        },
    )
)
def test_whatever_is_known_a_broken_window_never_trains_and_each_reason_has_a_meaning(changes):
    facts = Facts(now=NOW, **changes)
    decision = decided(facts)
    is_broken = facts.faults or facts.unacknowledged or facts.incomplete or facts.invalid or facts.stopped
    assert not (is_broken and decision.action != "refuse")
    assert (decision.action == "retrain") == (not decision.reasons)
    assert {why.code for why in decision.reasons} <= WHYS.keys()


def test_settings_are_those_of_the_file_of_monitors():
    assert Retrain().model_dump() == {each.name: each.default for each in fields(TriggerSettings)}
