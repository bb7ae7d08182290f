"""Whatever several writers do at once, and however their events reach the log, there is one state."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from driftline.errors import NotFoundError
from driftline.registry.decisions import Author, give_stage, name_alias, roll_back
from driftline.registry.events import Kind, RegistryEvent, Stage
from driftline.registry.fold import fold
from driftline.registry.state import ModelState, Refused

MODELS = ("a", "b")
WRITERS = ("ann", "bob", "eve")
writers, models, picks = st.sampled_from(WRITERS), st.sampled_from(MODELS), st.integers(0, 5)


class Writers(RuleBasedStateMachine):
    """Writers see the log as it was when they last looked; some of what they write waits on their disk.

    What is checked against the fold is a plain account, kept by hand: the head of each model's production,
    who moved it, and what is in production.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[RegistryEvent] = []
        self.spilled: dict[str, list[RegistryEvent]] = {writer: [] for writer in WRITERS}
        self.seen = dict.fromkeys(WRITERS, 0)
        self.ticks = 0

    def view(self, writer: str, model: str) -> ModelState:
        return fold(self.log[: self.seen[writer]]).get(model, ModelState(model))

    def author(self, name: str) -> Author:
        self.ticks += 1
        return Author(name, clock=lambda: 1.7e9 + self.ticks, random=lambda bits: self.ticks << (bits - 40))

    def write(self, writer: str, event: RegistryEvent, *, spills: bool) -> None:
        (self.spilled[writer] if spills else self.log).append(event)

    @rule(writer=writers)
    def look(self, writer):
        self.seen[writer] = len(self.log)

    @rule(writer=writers, model=models, number=st.integers(1, 4), spills=st.booleans())
    def register(self, writer, model, number, spills):
        run = f"{writer}-{number}"
        event = self.author(writer).event(model, Kind.VERSION, model_version=str(number), training_run_id=run)
        self.write(writer, event, spills=spills)

    @rule(writer=writers, model=models, pick=picks, stage=st.sampled_from(Stage), spills=st.booleans())
    def promote_or_archive(self, writer, model, pick, stage, spills):
        state = self.view(writer, model)
        if versions := list(state.versions):
            version = versions[pick % len(versions)]
            event = give_stage(state, version, stage, author=self.author(writer), reason="r")
            self.write(writer, event, spills=spills)

    @rule(writer=writers, model=models, spills=st.booleans())
    def roll_back(self, writer, model, spills):
        try:
            event = roll_back(self.view(writer, model), author=self.author(writer), reason="worse")
        except NotFoundError:
            return
        self.write(writer, event, spills=spills)

    @rule(writer=writers, model=models, pick=picks, spills=st.booleans())
    def name(self, writer, model, pick, spills):
        state = self.view(writer, model)
        if versions := list(state.versions):
            version = versions[pick % len(versions)]
            self.write(
                writer,
                name_alias(state, "best", version, author=self.author(writer), reason=""),
                spills=spills,
            )

    @rule(writer=writers, repeats=st.booleans())
    def forward_the_spill(self, writer, repeats):
        waiting = self.spilled[writer]
        self.log += waiting
        if not repeats:  # Else the writer died before it knew, and its disk is read again.
            waiting.clear()

    @precondition(lambda self: self.log)
    @rule(pick=st.integers(0, 10_000))
    def repeat_a_record(self, pick):
        self.log.append(self.log[pick % len(self.log)])

    @invariant()
    def the_state_is_one(self):
        """Also where records of different models come in another order, and the log is read a second time."""
        state = fold(self.log)
        for order in (MODELS, MODELS[::-1]):
            assert fold(event for model in order for event in self.log if event.model_name == model) == state
        assert fold([*self.log, *self.log]) == state

    @invariant()
    def every_event_counts_or_is_refused_with_a_message(self):
        for state in fold(self.log).values():
            moved = {move.event.event_id for move in state.moves}
            first = {event.event_id: event for event in self.log if event.model_name == state.model_name}
            assert not moved & state.refusals.keys()
            assert set(first) == state.seen
            decided = {name for name, event in first.items() if event.kind != Kind.VERSION}
            assert decided <= moved | state.refusals.keys()
            assert all(refusal.message for refusal in state.refusals.values())

    @invariant()
    def of_all_who_decided_from_one_head_one_wins_at_most(self):
        for state in fold(self.log).values():
            heads = Counter(
                (move.event.environment, move.event.alias, move.event.expected_head) for move in state.moves
            )
            assert not heads or max(heads.values()) == 1

    @invariant()
    def a_stale_one_is_reported_with_its_author(self):
        for state in fold(self.log).values():
            by_id = {move.event.event_id: move for move in state.moves}
            for refusal in state.refusals.values():
                if refusal.reason is Refused.STALE:
                    assert any(str(move) in refusal.message for move in by_id.values())

    @invariant()
    def one_version_is_in_production_and_it_is_what_the_last_decision_says(self):
        for state in fold(self.log).values():
            assert len(state.at_stage(Stage.PRODUCTION)) <= 1
            moves = state.production_moves()
            expected = moves[-1].production_after if moves else ""
            assert (state.in_production() or "") == expected
            assert state.previous() != expected or not expected

    @invariant()
    def a_version_stays_with_the_first_run_that_had_it(self):
        first: dict[tuple[str, str], str] = {}
        for event in self.log:
            if event.kind == Kind.VERSION:
                first.setdefault((event.model_name, event.model_version), event.training_run_id)
        known = {
            (version.model_name, version.name): version.training_run_id
            for state in fold(self.log).values()
            for version in state.versions.values()
        }
        assert known == first


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=60, stateful_step_count=25)
