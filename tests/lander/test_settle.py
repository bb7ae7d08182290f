"""What tables lack of a repeated block is put in once, whoever comes first, and nothing else is touched."""

from __future__ import annotations

import itertools
import threading
import uuid
from dataclasses import replace

import pytest

from driftline.errors import StoreError
from driftline.lander import settle
from driftline.lander.service import make_inserters
from driftline.log import Batch
from driftline.store import migrate, open_store
from driftline.store.grids import IN_FORCE, choose_grids, pending_choices, rebuild_profiles
from driftline.store.rollups import IS_MARK, ROLLUPS, contribution
from driftline.store.segments import follow_segments, name_segments
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record
from tests.lander.partitioned import known_schema
from tests.support.sampling import sampled

SOURCES = (f"log {number}" for number in itertools.count(1))
JANUARY, FEBRUARY = 1_769_860_800_000_000, 1_770_000_000_000_000
TABLES = ["predictions", *(rollup.table for rollup in ROLLUPS)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('settle') / 'store'}") as opened:
        client = opened.client()
        migrate(client)
        client.close()
        yield opened


@pytest.fixture
def client(store):
    opened = store.client()
    yield opened
    opened.close()


def record(session, sequence, **fields):
    number = float(sequence % 7)
    event = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{session}/{sequence}")),
        "event_time": JANUARY if sequence % 3 else FEBRUARY,
        "model_name": session,
        "model_version": "1",
        "training_run_id": "r",
        "session_id": session,
        "sequence": sequence,
        "environment": "production",
        "numeric_features": {"x": number, "y": float("nan")},
        "categorical_features": {"c": str(number)},
        "missing_features": ["z"],
    }
    return encode_record(PREDICTION, {**event, **fields})


def batch_of(source, records=30, first=0, **fields):
    offsets = list(range(first, first + records))
    return Batch(
        source=source,
        topic=PREDICTIONS_TOPIC,
        partition=0,
        first_offset=offsets[0],
        last_offset=offsets[-1],
        values=[record(source, offset + 1, **fields) for offset in offsets],
        keys=[b""] * records,
        offsets=offsets,
        timestamps_ms=[0] * records,
    )


@pytest.fixture
def batch():
    return batch_of(next(SOURCES))


def land(client, batch, **options):
    return make_inserters(client, client.database, known_schema)[PREDICTIONS_TOPIC].land(batch, **options)


def again(client, batch, **options):
    """Land it as a batch that may have landed before; return how many parts that put in."""
    return land(client, replace(batch, repeated=True), **options).settled


def ask(client, query, batch):
    return client.query(query, parameters={"model": batch.source}).result_rows


def assert_books_are_exact(client, batch, records=30):
    """What every rollup holds of a model is what its view makes of the rows, and the rows are the records."""
    rows = "SELECT count(), uniqExact(event_id) FROM predictions WHERE model_name = {model:String}"
    assert ask(client, rows, batch) == [(records, records)]
    for rollup in ROLLUPS:
        part = "''" if rollup.table == "session_profiles" else "segment"
        total = f"SELECT {part} AS part, toStartOfHour(minute) AS hour, sum({rollup.counted}) FROM {{}} "
        total += "WHERE model_name = {{model:String}} GROUP BY part, hour ORDER BY part, hour"
        given = contribution(client, rollup, rows="model_name = {model:String}")
        held = ask(client, total.format(rollup.table), batch)
        assert held == ask(client, total.format(f"({given})"), batch), rollup.table


def marks(client, table, batch):
    blocks = "SELECT block FROM predictions WHERE model_name = {model:String}"
    return ask(client, f"SELECT count() FROM {table} FINAL WHERE {IS_MARK} AND block IN ({blocks})", batch)


def take_away(client, table, batch, month):
    """Delete what a crash may have taken: a table's part of one month of the block."""
    blocks = "SELECT block FROM predictions WHERE model_name = {model:String}"
    time = "event_time" if table == "predictions" else "minute"
    which = f"toYYYYMM({time}) = {month} AND (model_name = {{model:String}}"
    which += f" OR block IN ({blocks}))" if table != "predictions" else ")"
    client.command(f"DELETE FROM {table} WHERE {which}", parameters={"model": batch.source})


def test_each_table_marks_a_block_once_a_month(client, batch):
    land(client, batch)
    for rollup in ROLLUPS:
        assert marks(client, rollup.table, batch) == [(2,)], rollup.table
    assert_books_are_exact(client, batch)


def test_a_block_without_a_value_is_marked_too(client):
    """Nothing is counted of it in some tables; they must say so."""
    source = next(SOURCES)
    nothing = {"numeric_features": {}, "categorical_features": {}, "missing_features": []}
    batch = batch_of(source, 3, **nothing)
    land(client, batch)
    for rollup in ROLLUPS:
        assert marks(client, rollup.table, batch) == [(2,)], rollup.table
    assert again(client, batch) == 0


@pytest.mark.parametrize("may_be_under_way", [True, False])
def test_what_is_there_is_left_as_it_is(client, batch, may_be_under_way):
    land(client, batch)
    assert again(client, batch, may_be_under_way=may_be_under_way) == 0
    assert_books_are_exact(client, batch)


@pytest.mark.parametrize("may_be_under_way", [True, False])
def test_what_never_landed_lands(client, batch, may_be_under_way):
    assert again(client, batch, may_be_under_way=may_be_under_way) == 0
    assert_books_are_exact(client, batch)


@pytest.mark.parametrize("table", sampled(TABLES, 3))
def test_a_part_that_the_engine_remembers_without_holding_it_is_put_in(client, batch, table):
    land(client, batch)
    for month in (202601, 202602, 202601):  # Settling leaves tokens, too.
        take_away(client, table, batch, month)
        assert again(client, batch) >= 1
        assert_books_are_exact(client, batch)
    assert again(client, batch) == 0


def test_everything_is_put_in_where_nothing_is_left_but_tokens(client, batch):
    land(client, batch)
    for table in reversed(TABLES):
        for month in (202601, 202602):
            take_away(client, table, batch, month)
    assert again(client, batch) == 2 * len(TABLES)
    assert_books_are_exact(client, batch)


def count_in(client, batch, *segments):
    """Have a batch's model counted in segments from now on."""
    name_segments(client, batch.source, segments)
    follow_segments(client)


def rows_of(client, batch, segment):
    """Return how many events a segment has by its control totals, and by each of the profiles."""
    counted = f"model_name = {{model:String}} AND segment = '{segment}' AND {IN_FORCE}"
    return [
        ask(client, f"SELECT {total} FROM {table} WHERE {counted} {feature}", batch)[0][0]
        for table, total, feature in (
            ("segment_profiles", "sum(rows)", ""),
            ("numeric_profiles", "sum(count)", "AND feature = 'x'"),
            ("feature_profiles", "sum(nans)", "AND feature = 'y'"),
            ("categorical_profiles", "sum(count)", "AND feature = 'c'"),
        )
    ]


@pytest.mark.parametrize("table", sampled(TABLES, 3))
def test_what_is_put_in_is_counted_in_segments(client, batch, table):
    """Of thirty records five have c = 1, and four c = 3."""
    count_in(client, batch, "c=1.0", "c=3.0")
    rebuild_profiles(client)
    land(client, batch)
    for month in (202601, 202602):
        take_away(client, table, batch, month)
        assert again(client, batch) >= 1
        assert_books_are_exact(client, batch)
    assert rows_of(client, batch, "c=1.0") == [5] * 4
    assert rows_of(client, batch, "c=3.0") == [4] * 4
    assert again(client, batch) == 0


@pytest.mark.parametrize("is_recounted", [False, True])
@pytest.mark.parametrize("table", sampled(TABLES, 3))
def test_what_is_put_in_after_segments_changed_is_counted_in_the_new_ones(client, batch, table, is_recounted):
    """A crash took a table's part; then others were set, and perhaps what stood was counted in them."""
    count_in(client, batch, "c=1.0", "c=2.0")
    land(client, batch)
    take_away(client, table, batch, 202601)
    count_in(client, batch, "c=2.0", "c=3.0")
    if is_recounted:
        rebuild_profiles(client)
    assert again(client, batch) >= 1
    rebuild_profiles(client)
    assert_books_are_exact(client, batch)
    assert rows_of(client, batch, "c=1.0") == [0] * 4
    assert rows_of(client, batch, "c=2.0") == [5] * 4
    assert rows_of(client, batch, "c=3.0") == [4] * 4


def test_minutes_that_others_count_in_are_not_touched(client, batch):
    """Another lander inserts into the same minutes of the same model meanwhile."""
    other = batch_of(batch.source, 30, first=30)
    land(client, batch)
    land(client, other)
    blocks = ask(client, "SELECT DISTINCT block FROM predictions WHERE model_name = {model:String}", batch)
    assert len(blocks) == 2
    own = f"cityHash64('{batch.token}:9f8585ecbc8d66f2')"
    assert client.query(f"SELECT {own}").result_rows[0] in blocks
    client.command(
        f"DELETE FROM feature_profiles WHERE {IS_MARK} AND block = {own} AND minute < '2026-02-01'"
    )
    assert again(client, batch) == 1  # Only its mark was taken: so its counts come a second time.
    held = "SELECT sum(nulls) FROM feature_profiles WHERE model_name = {model:String}"
    assert ask(client, held, batch) == [(60 + 20,)]


def test_two_landers_that_settle_one_block_at_once_put_it_in_once(store, client):
    for _ in range(2):
        batch = batch_of(next(SOURCES))
        land(client, batch)
        for table in reversed(TABLES):
            for month in (202601, 202602):
                take_away(client, table, batch, month)
        barrier = threading.Barrier(3)

        def settle_at_once(batch=batch, barrier=barrier):
            own = store.client()
            barrier.wait()
            again(own, batch)
            own.close()

        threads = [threading.Thread(target=settle_at_once) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert_books_are_exact(client, batch)


def test_what_is_being_inserted_is_waited_for(store, client, monkeypatch):
    """A lander that was given up still inserts, and its successor sees the first tables of the block."""
    batch = batch_of(next(SOURCES), 20_000)
    by_month = settle.PredictionSettler._by_month
    known = {}

    def land_alone():
        own = store.client()
        land(own, batch)
        own.close()

    def months(settler, piece):
        return known.setdefault(piece.token, by_month(settler, piece) if piece.token not in known else None)

    def some(settler, piece):
        months(settler, piece)
        thread.start()
        return True, False

    thread = threading.Thread(target=land_alone)
    monkeypatch.setattr(settle.PredictionSettler, "_by_month", months)
    monkeypatch.setattr(settle.PredictionSettler, "holds", some)
    again(client, batch)
    thread.join()
    assert_books_are_exact(client, batch, 20_000)


@pytest.mark.parametrize("table", sampled(TABLES, 3))
def test_a_settled_block_counts_on_the_grids_that_are_in_force(client, table, monkeypatch):
    monkeypatch.setattr("driftline.store.grids.PRODUCTION_ROWS", 10)
    batch = batch_of(next(SOURCES))
    land(client, batch)
    (choice,) = (choice for choice in pending_choices(client) if choice.model_name == batch.source)
    choose_grids(client, choice)
    rebuild_profiles(client)
    take_away(client, table, batch, 202601)
    assert again(client, batch) >= 1
    in_force = f"SELECT sum(count) FROM numeric_profiles WHERE model_name = {{model:String}} AND {IN_FORCE}"
    assert ask(client, in_force, batch) == [(30,)]
    assert_books_are_exact(client, batch)


def test_pieces_of_a_refused_block_are_settled_each(client):
    batch = batch_of(next(SOURCES))
    values = list(batch.values)
    for place in (3, 17):
        values[place] = record(batch.source, place + 1, model_version="")
    values[20] = b"no event"
    batch = replace(batch, values=values)
    assert len(land(client, batch).dead_letters) == 3
    for tables in ((), ("predictions", "categorical_profiles")):
        for table in tables:
            take_away(client, table, batch, 202601)
        landing = land(client, replace(batch, repeated=True))
        assert (len(landing.dead_letters), len(landing.landed)) == (3, 27)
    assert_books_are_exact(client, batch, 27)


def test_a_feature_without_a_name_is_refused_since_that_marks_a_block(client):
    batch = batch_of(next(SOURCES), 3)
    for names in (
        {"numeric_features": {"": 1.0}},
        {"categorical_features": {"": "a"}},
        {"missing_features": [""]},
    ):
        values = [batch.values[0], record(batch.source, 2, **names), batch.values[2]]
        landing = land(client, replace(batch, values=values, source=next(SOURCES)))
        assert [letter.reason for letter in landing.dead_letters] == ["violates_feature_names_given"]


def test_a_wide_block_is_one_part_in_each_table(client):
    """Its counts have many more rows than it has itself, and its mark must stand in one part with all."""
    batch = batch_of(next(SOURCES), 3000)
    batch = replace(batch, values=[wide_record(batch.source, offset) for offset in batch.offsets])
    for table in TABLES:
        client.command(f"SYSTEM STOP MERGES {table}")
    land(client, batch)
    for table in TABLES:
        client.command(f"SYSTEM START MERGES {table}")
        parts = f"SELECT uniqExact(_part) FROM {table} WHERE {{model:String}} IN (model_name, model_version)"
        assert ask(client, parts, batch) == [(1,)], table
    counted = "SELECT count() FROM numeric_profiles WHERE model_name = {model:String}"
    assert ask(client, counted, batch)[0][0] > 1_100_000


def wide_record(source, offset):
    return record(
        source,
        offset + 1,
        event_time=JANUARY + 60_000_000 * (offset % 700),
        numeric_features={f"number {column}": (column + 0.5) * offset for column in range(400)},
        categorical_features={f"word {column}": f"{offset}" for column in range(100)},
    )


def test_a_store_that_does_not_keep_what_it_takes_is_told(client, batch, monkeypatch):
    land(client, batch)
    take_away(client, "session_profiles", batch, 202601)
    monkeypatch.setattr(settle.PredictionSettler, "_put_in", lambda *_given: None)
    with pytest.raises(StoreError, match=r"the store takes .* and does not hold it"):
        again(client, batch)
