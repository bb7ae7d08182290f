"""Whatever dies wherever, each record lands once: the lander's own decisions, against a model of the store.

The model remembers tokens as the engine does, without the rows if it was killed in between, and lets inserts
go on that nobody waits for. So many histories can be tried as no store could take; `test_table` and
`test_crash_points` try fewer of them on the engine itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import StoreError
from driftline.lander.delivery import ATTEMPTS, Action, Progress, Recurrence, next_attempt
from driftline.lander.insert import Inserter
from driftline.log import Batch
from driftline.store.landing import RefusedError
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC
from tests.lander.partitioned import PartitionedLog, known_schema, record

GOOD, BAD = record("good", 1), record("bad", 2, model_version="")
DEATHS = ("before", "lost", "torn", "sent", "asleep", "after")
"""How an insert can end badly: not sent; remembered without its rows, or with a part of them; sent, and under
way when the lander dies; not sent, until a lander that slept wakes up; done, and nobody learns of it."""


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


@dataclass
class ModelTable:
    """What the store holds, and what a lander can learn of it."""

    rows: Counter[int] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    under_way: list[tuple[str, list[int]]] = field(default_factory=list)
    asleep: list[tuple[str, list[int]]] = field(default_factory=list)
    refuses: bool = True
    calls_left: int | None = None
    death: str = "before"
    is_exact: bool = True

    def insert(self, batch, schema, records, token):
        del schema
        if self.refuses and any(datum in BAD for _, datum in records):
            raise RefusedError("violates_constraint", "model_version")
        block = token, [batch.offsets[place] for place, _ in records]
        if not self._dies():
            self.take(*block)
            return
        if self.death == "lost":
            self.tokens.add(token)
        elif self.death == "torn":
            self.take(token, block[1][::2])
        elif self.death == "after":
            self.take(*block)
        elif self.death != "before":
            (self.under_way if self.death == "sent" else self.asleep).append(block)
        raise Died

    def take(self, token, offsets):
        if token not in self.tokens:
            self.tokens.add(token)
            self.rows.update(offsets)

    def arrive(self):
        """Inserts that were sent end."""
        while self.under_way:
            self.take(*self.under_way.pop())

    def wake(self):
        """Landers that slept before their insert wake up, and send it."""
        while self.asleep:
            self.take(*self.asleep.pop())

    def reach(self, batch):
        self.arrive()
        return max((offset + 1 for offset in self.rows if offset >= batch.first_offset), default=0)

    def held(self, batch, first_offset, last_offset):
        del batch
        return {offset for offset in self.rows if first_offset <= offset <= last_offset}

    def _dies(self):
        if self.calls_left is None:
            return False
        self.calls_left -= 1
        return self.calls_left < 0


class World:
    """One partition, two landers that hand it to each other, and a model of the store."""

    def __init__(self):
        self.table = ModelTable()
        self.log = PartitionedLog()
        self.reader = self.log.reader()
        self.log.give(PREDICTIONS_TOPIC, 0, self.reader)
        self.dead = set()
        self.owner = 0
        self.landers = [self.begun_anew(), self.begun_anew()]

    def begun_anew(self):
        return Inserter(self.table, event=PREDICTION, schema_of=known_schema)

    def append(self, records, gap):
        self.log.append(PREDICTIONS_TOPIC, 0, [GOOD] * records, gap=gap)

    def append_refused(self, records, _unused):
        self.log.append(PREDICTIONS_TOPIC, 0, [BAD] * records)

    def accept(self, *_unused):
        """From now on the store takes what it refused."""
        self.table.refuses = False

    def rewind(self, records, _unused):
        # One that sleeps through this is the one case that tokens do not cover: see docs/delivery.md.
        self.table.asleep.clear()
        self.reader.rewind(PREDICTIONS_TOPIC, max(0, self.log.at(PREDICTIONS_TOPIC).position - records))

    def hand_over(self, *_unused):
        """The other lander gets the partition; the first one learns that it has lost it."""
        self.landers[self.owner].keep([])
        self.owner = 1 - self.owner

    def land(self, records, death):
        """Land a batch; return whether there was one.

        Args:
            records: at most.
            death: before which insert, how that ends, and whether the lander lives on.
        """
        batch = self.reader.fetch(PREDICTIONS_TOPIC, max_records=records)
        if batch is None:
            return False
        if not batch.repeated:
            self.reader.intend(batch)
        self.table.calls_left, self.table.death, lives = death or (None, "before", False)
        try:
            landing = self.landers[self.owner].land(batch)
        except Died:
            landing = None
        self.table.calls_left = None
        if death is None:
            self.dead |= {dead_letter.offset for dead_letter in landing.dead_letters}
            self.reader.commit(batch)
        elif not lives:  # It died before the commit at the latest.
            self.landers[self.owner] = self.begun_anew()
        return True

    def arrive(self, *_unused):
        self.table.arrive()

    def wake(self, *_unused):
        self.table.wake()

    def finish(self):
        """Let everything end that was begun, and land the rest."""
        self.table.wake()
        while self.land(4, None):
            pass
        self.table.arrive()

    def assert_landed_once(self):
        held = self.log.at(PREDICTIONS_TOPIC)
        good = {offset for offset, value in zip(held.offsets, held.values, strict=True) if value == GOOD}
        assert {offset: rows for offset, rows in self.table.rows.items() if rows != 1} == {}
        assert good - set(self.table.rows) == set()
        assert set(held.offsets) - good - set(self.table.rows) - self.dead == set()


EVEN = st.sampled_from([2, 4, 8])
"""Few sizes, so that ranges are cut in the same places again."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), EVEN, st.sampled_from([0, 0, 0, 2])),
        st.tuples(st.just("append_refused"), EVEN, st.none()),
        st.tuples(
            st.just("land"),
            EVEN,
            st.none() | st.tuples(st.integers(0, 3), st.sampled_from(DEATHS), st.booleans()),
        ),
        st.tuples(st.just("land"), EVEN, st.none()),
        st.tuples(st.just("rewind"), st.sampled_from([2, 4, 8, 1_000]), st.none()),
        st.tuples(st.sampled_from(["arrive", "wake", "hand_over", "accept"]), st.none(), st.none()),
    ),
    min_size=4,
    max_size=24,
)
LOST, ASLEEP, SENT = (0, "lost", False), (0, "asleep", False), (0, "sent", False)
HISTORIES = {
    "remembered twice without its rows": [("append", 8, 0), ("land", 8, LOST), ("land", 8, LOST)],
    "remembered without its rows, and its intent given up": [
        ("append", 8, 0),
        ("land", 8, LOST),
        ("rewind", 8, None),
        ("land", 8, None),
    ],
    "the same behind records that are refused": [
        ("append", 4, 0),
        ("append_refused", 4, None),
        ("append", 4, 0),
        ("land", 4, None),
        ("land", 4, None),
        ("land", 4, LOST),
        ("rewind", 8, None),
        ("land", 4, None),
        ("land", 4, None),
    ],
    "a lander that wakes up after its successor": [
        ("append", 8, 0),
        ("land", 8, ASLEEP),
        ("land", 8, None),
        ("wake", None, None),
    ],
    "an insert under way while the group is set back": [
        ("append", 8, 0),
        ("land", 4, SENT),
        ("rewind", 8, None),
        ("land", 8, None),
    ],
    "refused records are accepted, and what follows was cut otherwise": [
        ("append_refused", 4, None),
        ("append", 8, 0),
        ("land", 4, None),
        ("land", 8, None),
        ("accept", None, None),
        ("rewind", 1_000, None),
        ("land", 4, None),
        ("land", 4, None),
    ],
    "handed over, set back, and handed back where it was": [
        ("append", 8, 0),
        ("land", 4, None),
        ("hand_over", None, None),
        ("land", 8, None),
        ("rewind", 4, None),
        ("hand_over", None, None),
        ("land", 2, None),
    ],
}


def assert_lands_once(steps):
    world = World()
    for kind, first, second in steps:
        getattr(world, kind)(first, second)
    world.finish()
    world.assert_landed_once()
    world.rewind(1_000, None)
    world.finish()
    world.assert_landed_once()


@pytest.mark.parametrize("history", HISTORIES)
def test_each_record_lands_once_where(history):
    assert_lands_once(HISTORIES[history])


@settings(max_examples=500)
@given(steps=STEPS)
def test_whatever_dies_wherever_each_record_lands_once(steps):
    assert_lands_once(steps)


def batch(first, last, *, repeated=False):
    offsets = list(range(first, last + 1))
    size = len(offsets)
    return Batch(
        "log",
        PREDICTIONS_TOPIC,
        0,
        first,
        last,
        [GOOD] * size,
        [b""] * size,
        offsets,
        [0] * size,
        repeated=repeated,
    )


class TestProgress:
    """What one lander knows of one partition by what it has seen itself."""

    def test_the_first_range_is_astray_and_what_comes_behind_it_follows(self):
        assert Progress().recurrence(batch(0, 9)) is Recurrence.ASTRAY
        ahead = Progress().begun().landed(batch(0, 9), is_new=True)
        assert ahead.recurrence(batch(10, 19)) is Recurrence.FOLLOWS
        assert ahead.recurrence(batch(11, 19)) is Recurrence.ASTRAY
        assert ahead.recurrence(batch(10, 19, repeated=True)) is Recurrence.INTENDED

    def test_a_range_that_failed_is_followed_by_none(self):
        ahead = Progress().landed(batch(0, 9), is_new=True).begun()
        assert ahead.recurrence(batch(10, 19)) is Recurrence.ASTRAY

    def test_it_asks_until_it_is_beyond_what_the_table_reaches(self):
        progress = Progress().reaching(batch(0, 9), 25)
        assert progress.action(batch(20, 29)) is Action.COMPLETE
        assert progress.action(batch(25, 29)) is Action.COMPLETE
        assert progress.action(batch(26, 29)) is Action.INSERT

    def test_it_asks_on_until_something_new_has_landed(self):
        known = Progress().reaching(batch(0, 9), 0)
        assert known.landed(batch(0, 9), is_new=True).action(batch(10, 19)) is Action.INSERT
        assert known.landed(batch(0, 9), is_new=False).action(batch(10, 19)) is Action.COMPLETE


def test_an_attempt_is_of_what_the_table_lacks_under_a_number_of_its_own():
    attempt = next_attempt([3, 4, 7], {4}, 2)
    assert (attempt.action, attempt.number, list(attempt.missing)) == (Action.COMPLETE, 2, [3, 7])
    assert next_attempt([3, 4], {3, 4, 5}, 2).action is Action.NOTHING
    assert next_attempt([3], set(), ATTEMPTS).action is Action.GIVE_UP


def test_a_store_that_takes_and_does_not_hold_is_given_up():
    world = World()
    world.append(3, 0)
    world.table.take = lambda token, offsets: world.table.tokens.add((token, *offsets))
    with pytest.raises(StoreError, match=r"takes .* and does not hold it"):
        world.land(3, None)
    assert len(world.table.tokens) == ATTEMPTS
