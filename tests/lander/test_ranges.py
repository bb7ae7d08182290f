"""A record lands once however often it is fetched again, and wherever fetching begins again."""

from __future__ import annotations

import itertools
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.errors import StoreError
from driftline.lander import ranges
from driftline.lander.insert import Inserter
from driftline.lander.ranges import Ranges
from driftline.lander.service import make_inserters
from driftline.store import migrate, open_store
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record
from tests.lander.partitioned import PartitionedLog, known_schema
from tests.support.sampling import sampled

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('ranges') / 'store'}") as store:
        opened = store.client()
        migrate(opened)
        yield opened
        opened.close()


def record(session, sequence, **fields):
    event = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{session}/{sequence}")),
        "event_time": 1_769_860_800_000_000,
        "model_name": "m",
        "model_version": "1",
        "training_run_id": "r",
        "session_id": session,
        "sequence": sequence,
        "environment": "production",
    }
    return encode_record(PREDICTION, {**event, **fields})


class World:
    """A log with one partition of predictions and one reader of it, a session of its own in the store."""

    def __init__(self, client, *, records=0):
        self.client = client
        self.session = f"session {next(NUMBERS)}"
        self.log = PartitionedLog(self.session)
        self.reader = self.log.reader()
        self.log.give(PREDICTIONS_TOPIC, 0, self.reader)
        self.ranges = Ranges(client, [PREDICTIONS_TOPIC], schema_of=known_schema)
        self.inserter = make_inserters(client, client.database, known_schema)[PREDICTIONS_TOPIC]
        self.appended = 0
        self.append(records)

    def append(self, records, **how):
        values = [record(self.session, self.appended + number + 1) for number in range(records)]
        self.appended += records
        self.log.append(PREDICTIONS_TOPIC, 0, values, **how)

    def fetch(self, records=10):
        return self.ranges.fetch(self.reader, PREDICTIONS_TOPIC, max_records=records, max_bytes=1 << 30)

    def land(self, records=10, *, until="end"):
        """Land a piece, or as much of one as is done until a step; return its bounds."""
        piece = self.fetch(records)
        if piece is None:
            return None
        if not piece.is_intended:
            self.reader.intend(piece.batch)
        steps = [
            ("record", lambda: self.ranges.record(piece)),
            (
                "insert",
                lambda: self.inserter.land(
                    piece.batch, repeats=piece.repeats, may_be_under_way=piece.may_be_under_way
                ),
            ),
            ("finish", lambda: self.ranges.finish(piece)),
            ("commit", lambda: self.reader.commit(piece.batch)),
        ]
        for name, step in steps:
            if name == until:
                self.begin_anew()
                break
            step()
        return piece.batch.first_offset, piece.batch.last_offset

    def begin_anew(self):
        """As another process does, which knows nothing."""
        self.ranges = Ranges(self.client, [PREDICTIONS_TOPIC], schema_of=known_schema)

    def rewind(self, offset):
        self.reader.rewind(PREDICTIONS_TOPIC, offset)

    def land_all(self, records=10):
        bounds = []
        while (landed := self.land(records)) is not None:
            bounds.append(landed)
        return bounds

    def rows(self):
        """Return how many rows landed, and how many different ones."""
        return self.client.query(
            "SELECT count(), uniqExact(sequence) FROM predictions WHERE session_id = {session:String}",
            parameters={"session": self.session},
        ).result_rows[0]

    def assert_landed_once(self):
        assert self.rows() == (self.appended, self.appended)
        counted = "SELECT sum(rows), groupBitmapMerge(sequences) FROM session_profiles WHERE session_id = "
        held = self.client.query(counted + "{session:String}", parameters={"session": self.session})
        assert held.result_rows == [(self.appended, self.appended)]


def test_what_landed_is_passed_over_without_an_insert(client, monkeypatch):
    world = World(client, records=25)
    assert world.land_all() == [(0, 9), (10, 19), (20, 24)]
    world.rewind(0)
    world.begin_anew()
    with monkeypatch.context() as patched:
        patched.setattr(Inserter, "land", lambda *_given, **_more: pytest.fail("it was inserted again"))
        assert world.land_all(7) == []
    world.append(3)
    assert world.land_all() == [(25, 27)]
    world.assert_landed_once()


def test_fetching_that_begins_within_what_landed_passes_over_the_rest_of_it(client):
    world = World(client, records=25)
    world.land_all()
    world.append(5)
    world.rewind(13)
    assert world.land_all() == [(25, 29)]
    world.assert_landed_once()


REPEATS = list(itertools.product([3, 10, 40], [0, 5, 10, 12, 19], ["record", "insert", "finish", "commit"]))


@pytest.mark.parametrize(("records", "start", "until"), sampled(REPEATS, 7))
def test_a_range_that_was_begun_is_repeated_as_it_was_wherever_fetching_begins(client, records, start, until):
    world = World(client, records=25)
    world.land()
    assert world.land(until=until) == (10, 19)
    world.rewind(start)  # The log forgets what was intended.
    world.land_all(records)
    if until == "record":  # Of a range that was not recorded nothing was inserted.
        world.rewind(0)
        world.begin_anew()
        world.land_all()
    world.assert_landed_once()


def test_a_batch_ends_before_a_range_that_is_known(client):
    world = World(client, records=20)
    world.rewind(10)
    world.land()
    world.rewind(0)
    world.begin_anew()
    assert world.land_all(15) == [(0, 9)]
    world.assert_landed_once()


def test_an_intent_that_is_no_range_as_it_was_recorded_is_given_up(client):
    """The store came back from a backup, or another one was landed into meanwhile."""
    world = World(client, records=20)
    world.land(until="finish")
    world.reader.rewind(PREDICTIONS_TOPIC, 0)
    world.reader.intend(world.reader.fetch(PREDICTIONS_TOPIC, max_records=15))
    assert world.land_all() == [(0, 9), (10, 19)]
    world.assert_landed_once()


def test_offsets_without_a_record_do_no_harm(client):
    world = World(client, records=10)
    world.append(10, gap=3)
    world.append(10, gap=7)
    world.land_all(6)
    world.rewind(0)
    world.begin_anew()
    assert world.land_all() == []
    world.assert_landed_once()


def test_the_rest_of_a_range_whose_beginning_was_deleted_is_repeated_under_its_name(client):
    world = World(client, records=10)
    world.land(until="finish")
    held = world.log.at(PREDICTIONS_TOPIC)
    del held.offsets[:4], held.values[:4]
    world.rewind(0)
    assert world.land_all() == [(0, 9)]
    world.assert_landed_once()


def test_a_range_whose_end_does_not_come_is_waited_for(client):
    world = World(client, records=10)
    world.land(until="finish")
    held = world.log.at(PREDICTIONS_TOPIC)
    gone = held.offsets[7:], held.values[7:]
    del held.offsets[7:], held.values[7:]
    world.rewind(0)
    assert [world.land(3), world.land(3)] == [None, None]
    held.offsets += gone[0]
    held.values += gone[1]
    assert world.land_all(3) == [(0, 9)]
    world.assert_landed_once()


def test_a_log_that_holds_other_records_under_the_same_offsets_is_refused(client):
    """A copy of the log that was brought back: its new records would pass for old ones."""
    world = World(client, records=10)
    world.land_all()
    held = world.log.at(PREDICTIONS_TOPIC)
    held.values[9] = record(world.session, 99)
    world.rewind(0)
    world.begin_anew()
    with pytest.raises(StoreError, match=r"@9 is not the record that was landed under this offset"):
        world.land()


def test_a_range_that_was_begun_long_ago_is_not_left_to_the_deduplication_window(client, monkeypatch):
    """The engine has forgotten the insert; the tables have not."""
    world = World(client, records=10)
    world.land(until="finish")
    forget(client)
    client.command(f"DELETE FROM numeric_profiles WHERE block IN ({block_of(world)})")
    client.command(f"DELETE FROM session_profiles WHERE block IN ({block_of(world)})")
    client.command(f"DELETE FROM session_profiles WHERE session_id = '{world.session}'")
    monkeypatch.setattr(ranges, "UNDER_WAY_S", 0.0)
    world.rewind(0)
    assert world.land_all() == [(0, 9)]
    world.assert_landed_once()


def forget(client):
    """Have the engine remember no token."""
    for table in ("predictions", "numeric_profiles", "feature_profiles", "categorical_profiles"):
        for window in (0, 10_000):
            setting = f"non_replicated_deduplication_window = {window}"
            client.command(f"ALTER TABLE {table} MODIFY SETTING {setting}")
    client.command("ALTER TABLE session_profiles MODIFY SETTING non_replicated_deduplication_window = 0")
    client.command("ALTER TABLE session_profiles MODIFY SETTING non_replicated_deduplication_window = 10000")


def block_of(world):
    return f"SELECT block FROM predictions WHERE session_id = '{world.session}'"


def test_following_on_asks_the_store_nothing(client, monkeypatch):
    world = World(client, records=40)
    world.land()
    with monkeypatch.context() as patched:
        patched.setattr(client, "query", lambda *_given, **_more: pytest.fail("it was asked"))
        assert world.land_all() == [(10, 19), (20, 29), (30, 39)]
    world.assert_landed_once()


class TestRecordsThatMayRepeat:
    """Their earlier copy is looked for, in the batch and in the store."""

    def test_a_copy_of_what_landed_is_left_out(self, client):
        world = World(client, records=10)
        world.land_all()
        copies = world.log.at(PREDICTIONS_TOPIC).values[4:8]
        world.log.append(PREDICTIONS_TOPIC, 0, copies, may_repeat=True)
        world.append(2, may_repeat=True)
        piece = world.fetch()
        assert piece.repeats == (0, 1, 2, 3)
        world.land_all()
        world.assert_landed_once()

    def test_a_copy_of_what_stands_earlier_in_the_batch_is_left_out(self, client):
        world = World(client, records=3)
        copies = world.log.at(PREDICTIONS_TOPIC).values[:2]
        world.log.append(PREDICTIONS_TOPIC, 0, copies, may_repeat=True)
        assert world.fetch().repeats == (3, 4)
        world.land_all()
        world.assert_landed_once()

    @pytest.mark.parametrize("until", ["insert", "finish", "commit"])
    def test_what_was_left_out_is_left_out_again_and_nothing_else(self, client, until):
        """Repeated, the batch finds its own records in the store."""
        world = World(client, records=4)
        world.land_all()
        world.log.append(PREDICTIONS_TOPIC, 0, world.log.at(PREDICTIONS_TOPIC).values[:1], may_repeat=True)
        world.append(5, may_repeat=True)
        world.land(until=until)
        world.rewind(4)
        world.land_all()
        world.assert_landed_once()

    def test_other_records_are_not_looked_at(self, client):
        world = World(client, records=2)
        world.land_all()
        world.log.append(PREDICTIONS_TOPIC, 0, world.log.at(PREDICTIONS_TOPIC).values[:1])
        world.land_all()
        assert world.rows() == (3, 2)

    @pytest.mark.parametrize(
        "bad", [b"", b"\xc3\x01", record("it's \\", 1)[:-30], record("s", 1, event_id="no")]
    )
    def test_what_can_not_land_is_no_copy(self, client, bad):
        world = World(client, records=1)
        world.log.append(PREDICTIONS_TOPIC, 0, [bad, bad], may_repeat=True)
        assert world.fetch().repeats == ()

    def test_names_are_quoted(self, client):
        world = World(client)
        names = {"model_name": "it's \\' a 'model'\n"}
        world.log.append(PREDICTIONS_TOPIC, 0, [record(world.session, 1, **names)])
        world.land_all()
        world.log.append(PREDICTIONS_TOPIC, 0, [record(world.session, 1, **names)], may_repeat=True)
        world.land_all()
        assert world.rows() == (1, 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("land"), st.integers(1, 12), st.just(None)),
        st.tuples(
            st.just("die"), st.integers(1, 12), st.sampled_from(["record", "insert", "finish", "commit"])
        ),
        st.tuples(st.just("rewind"), st.floats(0, 1), st.booleans()),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_dies_and_wherever_the_group_is_set_each_record_lands_once(client, steps):
    world = World(client, records=8)
    for kind, first, second in steps:
        if kind == "append":
            world.append(first, gap=second)
        elif kind == "rewind":
            world.rewind(int(first * (world.log.at(PREDICTIONS_TOPIC).offsets[-1] + 1)))
            if second:
                world.begin_anew()
        else:
            world.land(first, until=second or "end")
    world.rewind(0)
    world.begin_anew()
    world.land_all(5)
    world.assert_landed_once()
