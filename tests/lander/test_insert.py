"""A batch lands once whatever became of its first insert, and of each piece that it was cut into."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing

import pytest

from driftline.errors import StoreError
from driftline.lander import insert, table
from driftline.lander.delivery import ATTEMPTS
from driftline.lander.service import make_inserters
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.partitioned import known_schema
from tests.lander.world import World
from tests.support.sampling import sampled


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


class TestRememberedWithoutRows:
    """Killed in the midst of an insert, the engine may remember it without holding its rows."""

    def test_a_repeated_batch_is_put_in_anew(self, client):
        world = World(client, records=10)
        for _ in range(4):
            world.land_and_lose()
        assert world.land() == (0, 9)
        assert world.landing.settled == 4
        world.assert_landed_once()

    @pytest.mark.parametrize("month", [202601, 202602])
    def test_one_months_rows_are_put_in_anew(self, client, month):
        world = World(client, records=10)
        world.land(until="insert")
        world.take_away(range(10), month)
        world.land()
        assert 0 < world.landing.new < 10
        world.assert_landed_once()

    @pytest.mark.parametrize(("refused", "start"), [(0, 0), (0, 10), (10, 0), (10, 10), (20, 0), (20, 30)])
    def test_a_batch_whose_intent_was_given_up_is_put_in_anew(self, client, refused, start):
        """Nothing of it is in the table, and the group was set back: it looks like any new batch."""
        world = World(client, records=10)
        world.append_refused(refused)
        world.append(20)
        for _ in range(1 + refused // 10):
            world.land()
        world.land_and_lose()
        world.rewind(start)
        world.land_all()
        world.assert_landed_once()

    def test_a_store_that_does_not_keep_what_it_takes_is_reported(self, client, monkeypatch):
        world = World(client, records=10)
        world.land(until="intend")
        taken = []
        monkeypatch.setattr(table, "insert_block", lambda *_given, **more: taken.append(more["token"]))
        with pytest.raises(StoreError, match=r"the store takes .* and does not hold it"):
            world.land()
        assert len(set(taken)) == len(taken) == ATTEMPTS


BAD = (3, 4, 17, 29)
STEPS_OF_A_REFUSED_BATCH = [
    (is_suspected, call, is_done)
    for is_suspected in (True, False)
    for call in range(12)
    for is_done in (0, 1)
]


@pytest.mark.parametrize(("is_suspected", "call", "is_done"), sampled(STEPS_OF_A_REFUSED_BATCH, 5))
def test_a_refused_batch_that_died_at_any_of_its_inserts_lands_once(
    client, monkeypatch, is_suspected, call, is_done
):
    """Before the insert, or behind it; what is repeated is cut as it was."""
    if not is_suspected:
        monkeypatch.setattr(insert, "suspects", lambda _schema, _datums: [])
    world = World(client, records=3)
    for first, end in itertools.pairwise((*BAD, 34)):
        world.append_refused(1)
        world.append(end - first - 1)
    calls = itertools.count()
    healthy = table.insert_block

    def dying(*given, **more):
        number = next(calls)
        if number == call and not is_done:
            raise Died
        try:
            healthy(*given, **more)
        finally:
            if number == call:
                raise Died

    with monkeypatch.context() as patched:
        patched.setattr(table, "insert_block", dying)
        try:
            world.land(40)
        except Died:
            world.begin_anew()
    world.land(40)
    assert sorted(dead_letter.offset for dead_letter in world.landing.dead_letters) == list(BAD)
    world.assert_landed_once()


def test_landers_that_repeat_one_batch_at_once_put_it_in_once(store, client):
    for _ in range(3):
        world = World(client, records=200)
        world.land_and_lose(200)
        batch, barrier = world.fetch(200), threading.Barrier(3)

        def land(batch=batch, barrier=barrier):
            with closing(store.connect()) as own:
                inserter = make_inserters(own, own.database, known_schema)[PREDICTIONS_TOPIC]
                barrier.wait()
                inserter.land(batch)

        threads = [threading.Thread(target=land) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        world.assert_landed_once()
