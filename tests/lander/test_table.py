"""A record lands once however often it is fetched again, wherever fetching begins, whatever was under way."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import StoreError
from driftline.lander import LANDER_METRICS, Lander, service, table
from driftline.lander.service import make_inserters
from driftline.metrics import Metrics
from driftline.store.landing import read_inserts_under_way
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.partitioned import known_schema, record
from tests.lander.world import World
from tests.support.running import wait_until
from tests.support.sampling import sampled


@pytest.fixture
def no_inserts(monkeypatch):
    """While this is in force, an insert is a failure."""

    def forbid():
        monkeypatch.setattr(table, "insert_block", lambda *_given, **_more: pytest.fail("it was inserted"))

    yield forbid
    monkeypatch.undo()


def test_what_landed_is_not_inserted_again(client, no_inserts, monkeypatch):
    world = World(client, records=25)
    world.land_all()
    world.rewind(0)
    world.begin_anew()
    no_inserts()
    assert world.land_all(7) == [(0, 6), (7, 13), (14, 20), (21, 24)]
    monkeypatch.undo()
    world.append(3)
    assert world.land_all() == [(25, 27)]
    world.assert_landed_once()


def test_a_batch_that_has_landed_in_part_gets_the_rest(client):
    world = World(client, records=25)
    world.land_all()
    world.append(5)
    world.rewind(13)
    assert world.land_all() == [(13, 22), (23, 29)]
    assert world.landing.new == 5
    world.assert_landed_once()


REPEATS = list(itertools.product([3, 10, 40], [0, 5, 10, 12, 19], ["intend", "insert", "commit"]))


@pytest.mark.parametrize(("records", "start", "until"), sampled(REPEATS, 7))
def test_wherever_fetching_begins_what_was_begun_lands_once(client, records, start, until):
    world = World(client, records=25)
    world.land()
    assert world.land(until=until) == (10, 19)
    world.rewind(start)
    world.land_all(records)
    world.rewind(0)  # What was passed over lands now.
    world.begin_anew()
    world.land_all()
    world.assert_landed_once()


@pytest.mark.parametrize("until", ["intend", "insert"])
def test_a_lander_that_dies_while_it_goes_through_the_log_again_has_a_successor_that_still_asks(
    client, until
):
    """The successor goes on behind a range that is repeated, of which a row was lost and is put in."""
    world = World(client, records=40)
    world.land_all()
    world.take_away([2])
    world.rewind(0)
    world.land(7, until=until)
    world.begin_anew()
    world.land_all(7)
    world.assert_landed_once()


def test_following_on_asks_the_store_nothing(client, monkeypatch):
    world = World(client, records=40)
    world.land()
    with monkeypatch.context() as patched:
        patched.setattr(client, "rows", lambda *_given, **_more: pytest.fail("it was asked"))
        assert world.land_all() == [(10, 19), (20, 29), (30, 39)]
    world.assert_landed_once()


def test_offsets_without_a_record_do_no_harm(client):
    world = World(client, records=10)
    world.append(10, gap=3)
    world.append(10, gap=7)
    world.land_all(6)
    world.rewind(0)
    world.begin_anew()
    world.land_all()
    world.assert_landed_once()


def test_what_is_left_of_a_range_whose_beginning_was_deleted_lands_once(client):
    world = World(client, records=10)
    world.land(until="insert")
    held = world.log.at(PREDICTIONS_TOPIC)
    del held.offsets[:4], held.values[:4]
    assert world.land_all() == [(0, 9)]
    world.assert_landed_once()


def test_a_log_that_holds_other_records_under_the_same_offsets_is_refused(client):
    """A copy of the log that was brought back: its new records would pass for old ones."""
    world = World(client, records=10)
    world.land_all()
    held = world.log.at(PREDICTIONS_TOPIC)
    del held.offsets[5:], held.values[5:]
    world.log.append(PREDICTIONS_TOPIC, 0, [record(world.session, 99 + number) for number in range(5)])
    world.rewind(3)
    world.begin_anew()
    with pytest.raises(StoreError, match=r"@9 is not the record that was landed under this offset"):
        world.land()
    assert world.ask("count(), max(sequence)") == [(10, 10)]


class TestInsertsUnderWay:
    """Another lander's may be of the same records, cut otherwise: they end before the table is asked."""

    def test_what_is_under_way_when_the_group_is_set_back_is_counted_in(self, client, monkeypatch):
        world = World(client, records=30)
        world.land()
        world.take_away([6])  # Something new lands first, so that it has to know how far the table reaches.
        under_way = world.fetch()
        world.reader.intend(under_way)
        other = make_inserters(client, client.database, known_schema)[PREDICTIONS_TOPIC]
        world.rewind(5)
        answers = iter([{"a", "b"}, {"a", "c"}])
        monkeypatch.setattr(table, "read_inserts_under_way", lambda _connection: next(answers, set()))
        slept = []

        def end_of_insert(seconds):
            slept.append(seconds)
            if len(slept) == 2:
                monkeypatch.setattr(table, "read_inserts_under_way", lambda _connection: set())
                other.land(under_way)

        world.begin_anew(sleep=end_of_insert)
        world.land_all(8)
        assert len(slept) == 2
        world.assert_landed_once()

    def test_an_insert_that_began_later_is_not_waited_for(self, client, monkeypatch):
        """Others land all the time; who begins later follows the intent that was written before."""
        world = World(client, records=3)
        answers = iter([{"a"}, {"b"}])
        monkeypatch.setattr(table, "read_inserts_under_way", lambda _connection: next(answers))
        world.begin_anew(sleep=lambda _seconds: None)
        world.land_all()
        world.assert_landed_once()

    def test_an_insert_without_an_end_is_the_stores_trouble(self, client, monkeypatch):
        world = World(client, records=3)
        monkeypatch.setattr(table, "read_inserts_under_way", lambda _connection: {"a"})
        now = itertools.count()
        world.begin_anew(monotonic=lambda: next(now), sleep=lambda _seconds: None)
        with pytest.raises(StoreError, match="under way for 60 s"):
            world.land()

    def test_the_engine_tells_of_an_insert_until_its_rows_are_there(self, store, client):
        world = World(client, records=3)
        slow = (
            f"INSERT INTO {store.database}.prediction_inbox (log_id, event_id, event_time, model_name, "
            "model_version, training_run_id, session_id, sequence, environment) "
            "SELECT 'slow', generateUUIDv4(), toDateTime64('2026-01-01', 6), 'slow', '1', 'r', "
            "{session:String}, number + 1, 'production' FROM numbers(2) WHERE sleepEachRow(1) = 0"
        )

        def insert_slowly():
            with closing(store.connect()) as own:
                own.command(slow, parameters={"session": world.session})

        thread = threading.Thread(target=insert_slowly)
        thread.start()
        try:
            wait_until(lambda: bool(read_inserts_under_way(client)), what="an insert")
            world.land()
            assert world.ask("countIf(log_id = 'slow')") == [(2,)]
        finally:
            thread.join()


def test_a_partition_that_was_anothers_meanwhile_is_asked_about(store, client, monkeypatch):
    """It comes back where this lander had left it, since the group was set back."""
    monkeypatch.setattr(service, "BATCH_RECORDS", 10)
    world = World(client, records=10)
    lander = Lander(world.log, store, metrics=Metrics(LANDER_METRICS))
    own = world.log.readers[-1]
    world.log.give(PREDICTIONS_TOPIC, 0, own)
    assert lander.land_once() == 10
    world.log.give(PREDICTIONS_TOPIC, 0, world.reader)
    world.append(20)
    assert lander.land_once() == 0
    world.land_all(8)
    world.rewind(10)
    world.log.give(PREDICTIONS_TOPIC, 0, own)
    while lander.land_once():
        pass
    lander.close()
    world.assert_landed_once()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("refused"), st.integers(1, 6), st.none()),
        st.tuples(st.just("copies"), st.integers(1, 6), st.none()),
        st.tuples(st.just("land"), st.integers(1, 12), st.sampled_from(["intend", "insert", "commit"])),
        st.tuples(st.just("lose"), st.integers(1, 12), st.none()),
        st.tuples(st.just("rewind"), st.floats(0, 1), st.booleans()),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(steps=STEPS)
def test_whatever_dies_and_however_far_the_group_is_set_back_each_record_lands_once(client, steps):
    world = World(client, records=8)
    for kind, first, second in steps:
        if kind == "append":
            world.append(first, gap=second)
        elif kind == "refused":
            world.append_refused(first)
        elif kind == "copies":
            held = world.log.at(PREDICTIONS_TOPIC)
            world.log.append(PREDICTIONS_TOPIC, 0, held.values[:first], may_repeat=True)
        elif kind == "rewind":
            world.rewind(int(first * world.log.at(PREDICTIONS_TOPIC).position))
            if second:
                world.begin_anew()
        elif kind == "lose":
            world.land_and_lose(first)
        else:
            world.land(first, until=second)
    world.rewind(0)
    world.begin_anew()
    world.land_all(5)
    world.assert_landed_once()
