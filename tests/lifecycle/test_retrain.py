"""Each decision not to train is kept with its cause, and what is decided is carried out once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from driftline import register_training_run
from driftline.domain.hours import hour_of
from driftline.domain.incidents import Incident
from driftline.domain.retraining import Permission
from driftline.domain.streams import Stream
from driftline.lifecycle.executors import KEY, Calling
from driftline.lifecycle.retrain import plan_retraining, run_retraining
from driftline.lifecycle.trigger import TriggerSettings
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from driftline.store.incidents import write_acknowledgement, write_incidents
from driftline.store.pipelines import Claim, add_claim
from driftline.store.retraining import read_decisions, start_training, write_permission
from tests.lifecycle.receiver import Receiver
from tests.lifecycle.traffic import START, event, finding_of, serve, truth
from tests.support.training import WAIVED

STEP_S = 1800
ROWS = range(48 * 7 * 3)
"""Three weeks, two an hour."""

END = START + timedelta(seconds=STEP_S * ROWS.stop)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BROKEN = {"x_broke": finding_of(hour_of(END - 40 * HOUR), hour_of(END - 30 * HOUR))}


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def model(landing):
    """Right for two weeks, wrong in the third: by mature truths, AUC fell."""
    last_week = START + timedelta(seconds=STEP_S * 48 * 7 * 2)

    def turned(number):
        is_late = event(number, step_s=STEP_S)["event_time"] >= last_week.timestamp()
        return truth(number) if not is_late or number % 3 else 1 - truth(number)

    events = {number: event(number, step_s=STEP_S) for number in ROWS}
    serve(landing, "fell", ROWS, events=events, truths=turned, step_s=STEP_S)
    names = {"model_name": "fell", "model_version": "1", "log": landing.log}
    register_training_run("run-1", **names, waive=WAIVED, clock=START.timestamp)
    registry = Registry(landing.log)
    promote = give_stage(registry.model("fell"), "1", Stage.PRODUCTION, author=Author("me"), reason="first")
    registry.submit(promote)
    registry.close()
    landing.land()
    return "fell"


@pytest.fixture
def ask(client, model, receiver):
    def decide(at, ask=run_retraining, **changes):
        given = {"enabled": True, "minimum_labels": 100, "window_hours": 24, "webhook": receiver.url}
        calling = {"calling": Calling(sleep=lambda _: None)} if ask is run_retraining else {}
        names = {"environment": "production", "now": at, "author": "timer"}
        return ask(client, model, TriggerSettings(**{**given, **changes}), **names, **calling)

    return decide


def codes(decision):
    return decision.action, [why.code for why in decision.reasons]


def incident(model, **changes):
    given = {"incident_id": "abcd1234", "detected": hour_of(END - 39 * HOUR), "state": "ended"}
    findings = (BROKEN["x_broke"],)
    return Incident(stream=Stream(model, "1", "production"), **{**given, "findings": findings, **changes})


def test_from_a_drop_to_one_training(client, model, ask, receiver):
    """A day after the drop was seen first; before, a fault in the window refuses, and says so."""
    seen = ask(END, ask=plan_retraining)
    assert seen.cause == "performance_drop"
    assert codes(seen) == ("wait", ["too_new"])
    assert read_decisions(client, model_name=model) == []

    write_incidents(
        client, [incident(model, state="open", findings=(replace(BROKEN["x_broke"], last=hour_of(END)),))]
    )
    assert codes(ask(END).decision) == ("refuse", ["unacknowledged_incident", "too_new"])
    write_acknowledgement(client, "abcd1234", name="real", given_by="ann", note="the feed", given_at=END)
    assert codes(ask(END + HOUR).decision) == ("refuse", ["upstream_fault", "too_new"])
    write_incidents(client, [incident(model, revision=2)])
    assert codes(ask(END + 20 * HOUR).decision) == ("wait", ["too_new"])
    assert receiver.requests == []

    receiver.statuses += [503] * 5
    failed = ask(END + DAY + HOUR)
    assert (failed.decision.action, failed.problem.startswith("the webhook answers 503")) == ("retrain", True)
    again = ask(END + DAY + 2 * HOUR)
    assert (again.done, again.decision.decision_id) == ("webhook answered 202", failed.decision.decision_id)
    assert {request.headers[KEY] for request in receiver.requests} == {failed.decision.decision_id}
    asked = len(receiver.requests)
    assert codes(ask(END + DAY + 3 * HOUR).decision) == ("wait", ["in_flight", "cooldown"])
    assert len(receiver.requests) == asked

    kept = read_decisions(client, model_name=model)
    assert [each.action for each in kept] == ["wait", "retrain", "wait", "refuse", "refuse"]
    assert kept[-1].reasons[0].detail.startswith("abcd1234: x: the share that moved most rose")
    assert all(each.facts["mature_labels"] >= 300 for each in kept)


def test_of_two_triggers_that_decide_at_once_one_starts_the_training(client, ask):
    """Both decide before either has written: their decisions have one id, which the store takes once."""
    at = END + 20 * DAY
    first, second = (ask(at, ask=plan_retraining, cooldown_hours=1, window_hours=1) for _ in range(2))
    assert first.action == second.action == "retrain"
    decisions = [first, replace(second, decided_by="another timer")]
    assert [start_training(client, each) for each in decisions] == [True, False]


def test_somebody_can_stop_it_and_allow_it_again(client, model, ask):
    at = END + 40 * DAY
    write_permission(client, Permission(model, at, "stop", "ann", "holidays"))
    decision = ask(at + HOUR, ask=plan_retraining)
    assert decision.action == "refuse"
    assert decision.reasons[0].detail.endswith(": holidays")
    write_permission(client, Permission(model, at + 2 * HOUR, "allow", "ann", "back"))
    assert "stopped" not in codes(ask(at + 3 * HOUR, ask=plan_retraining))[1]
    write_permission(client, Permission("", at + 4 * HOUR, "stop", "ann", "freeze"))
    assert "stopped" in codes(ask(at + 5 * HOUR, ask=plan_retraining))[1]
    write_permission(client, Permission("", at + 6 * HOUR, "allow", "ann", "thaw"))


def test_one_of_two_that_claim_a_run_at_once_has_it(client):
    claims = [
        Claim(model_name="claimed", number=1, attempt=1, run_id=f"r{who}", claimed_by=f"host {who} 0 x")
        for who in "ab"
    ]
    assert [add_claim(client, claim) for claim in claims] == [True, False]
    assert add_claim(client, replace(claims[1], attempt=2))


def test_a_change_that_was_accepted_is_trained_for_once(client, landing):
    serve(landing, "changed", range(200))
    at = START + 20 * DAY
    finding = replace(
        BROKEN["x_broke"], since=hour_of(START), detected=hour_of(START), last=hour_of(START + DAY)
    )
    made = incident(
        "changed",
        state="accepted",
        acknowledged="accept",
        accepted_at=hour_of(START + DAY),
        incident_id="eeee",
        detected=hour_of(START),
        findings=(finding,),
    )
    write_incidents(client, [made])
    names = {"environment": "production", "now": at, "author": "timer"}
    decision = plan_retraining(client, "changed", TriggerSettings(enabled=True), **names)
    assert (decision.cause, decision.cause_since) == ("accepted_drift", START + DAY)
    assert codes(decision) == ("wait", ["too_few_labels"])
