"""What a model's events come to: who is in production, what was refused, and what is reported to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from driftline.errors import NotFoundError
from driftline.registry.decisions import Author, give_stage, name_alias, roll_back
from driftline.registry.events import Kind, RegistryEvent, Stage
from driftline.registry.fold import fold
from driftline.registry.state import Refused

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Desk:
    """Somebody who decides about one model, with a log of their own; each decision is a minute later."""

    def __init__(self, *versions: str) -> None:
        self.events: list[RegistryEvent] = []
        self._minutes = count()
        self.author = Author("ann", clock=self._clock, random=lambda bits: next(self._minutes) << (bits - 40))
        for version in versions:
            self.register(version)

    def _clock(self) -> float:
        return NOON.timestamp() + 60 * len(self.events)

    @property
    def state(self):
        return fold(self.events)["m"]

    def add(self, event: RegistryEvent):
        self.events.append(event)
        return self.state.refusals.get(event.event_id)

    def register(self, version, run=None):
        return self.add(
            self.author.event(
                "m", Kind.VERSION, model_version=version, training_run_id=run or f"run-{version}"
            )
        )

    def promote(self, version, stage=Stage.PRODUCTION, environment="production"):
        return self.add(
            give_stage(self.state, version, stage, author=self.author, reason="x", environment=environment)
        )

    def roll_back(self):
        return self.add(roll_back(self.state, author=self.author, reason="it is worse"))


def test_a_version_is_given_once_and_belongs_to_the_run_that_had_it_first():
    desk = Desk("1")
    refusal = desk.register("1", "another")
    assert refusal.reason is Refused.TAKEN
    assert "version 1 of m is run run-1's, registered at 2026-01-01 12:00 UTC" in refusal.message
    assert desk.register("1", "run-1") is None
    assert desk.state.next_number() == "2"


def test_the_next_number_is_above_all_that_were_ever_given():
    desk = Desk("2", "10", "2024-05-01")
    assert desk.state.next_number() == "11"
    assert Desk("spring").state.next_number() == "1"


def test_one_version_is_in_production_in_each_environment():
    desk = Desk("1", "2")
    desk.promote("1")
    desk.promote("1", environment="eu")
    desk.promote("2")
    state = desk.state
    assert (state.in_production(), state.in_production("eu")) == ("2", "1")
    assert state.at_stage(Stage.PRODUCTION) == ["2"]
    assert state.stage("1") is Stage.CANDIDATE
    assert state.environments == ["production", "eu"]


def test_of_two_who_promote_from_one_state_the_second_learns_who_was_faster_when_and_why():
    desk = Desk("1", "2", "3")
    bob = Author("bob", clock=NOON.timestamp)
    late = give_stage(desk.state, "3", Stage.PRODUCTION, author=bob, reason="mine")
    assert desk.promote("2") is None
    refusal = desk.add(late)
    assert refusal.reason is Refused.STALE
    reported = "version 2 went from candidate to production by ann at 2026-01-01 12:03:00 UTC: x"
    assert reported in refusal.message
    assert desk.state.in_production() == "2"


def test_who_decides_in_another_environment_or_about_an_alias_is_not_in_the_way():
    desk = Desk("1", "2")
    elsewhere = give_stage(desk.state, "2", Stage.CANARY, author=desk.author, reason="", environment="eu")
    alias = name_alias(desk.state, "champion", "2", author=desk.author, reason="")
    desk.promote("1")
    assert desk.add(elsewhere) is None
    assert desk.add(alias) is None
    assert desk.state.aliases == {"champion": "2"}


def test_a_rollback_goes_back_step_by_step_and_not_to_what_was_rolled_back():
    desk = Desk("1", "2", "3")
    for version in "123":
        desk.promote(version)
    desk.roll_back()
    assert (desk.state.in_production(), desk.state.stage("3")) == ("2", Stage.CANDIDATE)
    desk.roll_back()
    assert desk.state.in_production() == "1"
    with pytest.raises(NotFoundError, match=r"version 1 is the only one that ever was in production"):
        desk.roll_back()


def test_a_rollback_passes_over_what_was_archived_meanwhile():
    desk = Desk("1", "2", "3")
    for version in "123":
        desk.promote(version)
    desk.promote("2", Stage.ARCHIVED)
    desk.roll_back()
    assert desk.state.in_production() == "1"


def test_an_archived_version_becomes_a_candidate_before_it_serves_again():
    desk = Desk("1")
    desk.promote("1", Stage.ARCHIVED)
    assert desk.promote("1").reason is Refused.ARCHIVED
    desk.promote("1", Stage.CANDIDATE)
    assert desk.promote("1") is None


def test_production_may_be_left_empty_and_rolled_back_to_what_was_there():
    desk = Desk("1")
    desk.promote("1")
    desk.promote("1", Stage.CANDIDATE)
    assert desk.state.in_production() is None
    desk.roll_back()
    assert desk.state.in_production() == "1"


def test_what_this_release_does_not_know_is_refused_and_the_rest_counts():
    desk = Desk("1")
    assert desk.add(desk.author.event("m", "praise")).reason is Refused.UNKNOWN_KIND
    strange = desk.author.event("m", Kind.STAGE, model_version="1", stage="gold")
    assert desk.add(strange).reason is Refused.UNKNOWN_STAGE
    unknown = desk.author.event("m", Kind.STAGE, model_version="9", stage="canary")
    assert "m has no version 9; there is 1" in desk.add(unknown).message
    assert desk.promote("1") is None
    assert desk.promote("1").reason is Refused.NO_CHANGE


def test_an_alias_moves_is_taken_away_and_is_no_stage():
    desk = Desk("1", "2")
    for version in ("1", "2", None):
        assert desk.add(name_alias(desk.state, "best", version, author=desk.author, reason="")) is None
    assert desk.state.aliases == {}
    refusal = desk.add(name_alias(desk.state, "production", "1", author=desk.author, reason=""))
    assert refusal.reason is Refused.BAD_NAME
    with pytest.raises(NotFoundError, match="m has no alias 'best'; there is none"):
        name_alias(desk.state, "best", None, author=desk.author, reason="")


def test_an_event_that_stands_in_the_log_twice_counts_once():
    desk = Desk("1", "2")
    desk.promote("1")
    first = desk.events[-1]
    desk.promote("2")
    before = desk.state
    desk.events.append(first)
    assert desk.state == before


def test_what_was_declared_at_a_time_is_the_last_decision_by_then():
    desk = Desk("1", "2")
    desk.promote("1")
    desk.promote("2", Stage.CANARY)
    desk.promote("2")
    desk.roll_back()
    state = desk.state

    def declared(minutes):
        move = state.declared(NOON + timedelta(minutes=minutes))
        return move and move.production_after

    assert [declared(minutes) for minutes in range(7)] == [None, None, "1", "1", "2", "1", "1"]
    stages = [state.stage_at("2", NOON + timedelta(minutes=minutes)) for minutes in range(6)]
    assert stages == [None, "candidate", "candidate", "canary", "production", "candidate"]


def test_a_clock_that_was_fast_does_not_decide_what_was_declared_after_it():
    desk = Desk("1", "2")
    desk.add(give_stage(desk.state, "1", Stage.PRODUCTION, reason="", author=Author("fast", lambda: 4e9)))
    desk.promote("2")
    assert desk.state.declared(NOON + timedelta(hours=1)).production_after == "2"
    assert desk.state.declared(datetime(2099, 1, 1, tzinfo=UTC)).production_after == "2"


def test_a_version_keeps_what_another_registry_held_of_it_until_that_holds_something_else():
    author = Author("bridge", origin="http://mlflow:5000")
    run = {"model_version": "1", "training_run_id": "run-1"}
    events = [
        author.event("till", Kind.VERSION, **run, origin_sha256="a" * 64),
        Author("ann").event("till", Kind.VERSION, **run),
        author.event("till", Kind.VERSION, **run, origin_sha256="b" * 64),
    ]
    known = [fold(events[:first])["till"].versions["1"].origin_sha256 for first in (1, 2, 3)]
    assert known == ["a" * 64, "a" * 64, "b" * 64]
    assert [event.origin for event in events] == ["http://mlflow:5000", "", "http://mlflow:5000"]


def test_a_model_is_in_the_project_that_a_version_named_last():
    author = Author("ann")

    def registered(version, run, project):
        names = {"model_version": version, "training_run_id": run}
        return author.event("till", Kind.VERSION, **names, project=project)

    events = [
        registered("1", "a", ""),
        registered("1", "a", "shop"),
        registered("2", "b", ""),
        registered("2", "another", "theirs"),  # Refused: the version is taken.
        registered("3", "c", "desk"),
    ]
    assert [fold(events[:end])["till"].project for end in (1, 2, 3, 4, 5)] == [
        "",
        "shop",
        "shop",
        "shop",
        "desk",
    ]
