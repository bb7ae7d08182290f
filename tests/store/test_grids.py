"""Grids are chosen while others land: whatever meets, dies or comes late, each value is counted once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing

import numpy as np
import pytest

from driftline.store import grids
from driftline.store.grids import (
    IN_FORCE,
    Choice,
    choose_grids,
    is_grid_due,
    pending_choices,
    read_grids,
    rebuild_profiles,
    reload_grids,
)
from driftline.store.rollups import IS_MARK
from tests.store.test_profiles import HOUR, HOUR_S, assert_equal_to_numpy, events, made, read
from tests.support.landing import put
from tests.support.sampling import sampled


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


def die(*_given, **_options):
    raise Died


def choose(client, model, monkeypatch):
    """Choose the grids of a model, as if it had rows enough."""
    with monkeypatch.context() as patched:
        patched.setattr(grids, "PRODUCTION_ROWS", 100)
        (choice,) = (choice for choice in pending_choices(client) if choice.model_name == model)
    choose_grids(client, choice)


def choose_and_rebuild(client, model, monkeypatch):
    choose(client, model, monkeypatch)
    rebuild_profiles(client)


def land_block(client, model, columns, token, *, generation=None):
    """Land rows as a block of their own, on the generation in force or on one that was when it began."""
    names = [
        *("event_id", "event_time", "model_name", "model_version", "training_run_id", "session_id"),
        *("sequence", "environment", "prediction_label"),
        *("numeric_features", "categorical_features", "missing_features"),
        *([] if generation is None else ["generation"]),
    ]
    rows = [
        f"(generateUUIDv4(), {event['event_time']}, '{model}', '3', 'r', '{token}', {place + 1}, "
        f"'production', 'yes', {_map(event, float)}, {_map(event, str)}, {_missing(event)}"
        + ("" if generation is None else f", {generation}")
        + ")"
        for place, event in enumerate(events(columns))
    ]
    client.command(
        f"INSERT INTO prediction_inbox ({', '.join(names)}) VALUES {', '.join(rows)}",
        settings={"insert_deduplication_token": token},
    )


def _map(event, kind):
    features = event["features"].items()
    entries = [f"'{name}', {_literal(value)}" for name, value in features if isinstance(value, kind)]
    return f"map({', '.join(entries)})" if entries else "map()"


def _literal(value):
    return f"'{value}'" if isinstance(value, str) else f"toFloat64('{value}')"


def _missing(event):
    return [name for name, value in event["features"].items() if value is None]


def together(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def held(client, model):
    """Return the generations and recounts that a model's rows, and its marks, are of."""
    which = f"(model_name = '{model}' OR ({IS_MARK} AND model_version = '{model}'))"
    query = f"SELECT DISTINCT generation, recount FROM numeric_profiles WHERE {which} ORDER BY 1, 2"
    return client.query(query).result_rows


def in_force(client, model):
    """Return the generation and the recount that count."""
    query = "SELECT max((generation, recount)) FROM feature_grids WHERE model_name = {model:String}"
    return client.query(query, parameters={"model": model}).result_rows[0][0]


def assert_settled(client, model, columns):
    """Everything is counted on one generation, and nothing else is left."""
    assert rebuild_profiles(client) == 0
    assert_equal_to_numpy(client, model, columns)
    assert not is_grid_due(client, model)
    generation, recount = in_force(client, model)
    assert {pair[0] for pair in held(client, model)} == {generation}
    assert {pair[1] for pair in held(client, model)} <= {0, recount}


def test_what_landed_before_and_after_a_choice_is_counted_on_the_same_grid(landing, client, monkeypatch):
    before, after = made(400, seed=1), made(300, seed=2)
    put(landing, events(before), model_name="simple")
    choose(client, "simple", monkeypatch)
    put(landing, events(after), model_name="simple")
    assert set(read_grids(client, "simple")) == {"age", "amount"}
    assert_settled(client, "simple", together(before, after))


def test_until_the_recount_counts_readers_stay_on_the_grids_before(landing, client, monkeypatch):
    """And hours in which rows landed on the new grid already are not believed."""
    before = made(300, seed=3, hours=2)
    put(landing, events(before), model_name="unready")
    choose(client, "unready", monkeypatch)
    assert is_grid_due(client, "unready")
    assert read_grids(client, "unready") == {}
    assert_equal_to_numpy(client, "unready", before)
    late = made(50, seed=4, hours=1)
    late["hour"] = late["hour"] + 1
    with monkeypatch.context() as patched:
        patched.setattr("driftline.lander.service.rebuild_profiles", lambda _client: 0)
        put(landing, events(late), model_name="unready")
    assert read(client, "unready").end_hour == HOUR + 1
    assert rebuild_profiles(client) == 1
    assert_settled(client, "unready", together(before, late))


STEPS = ["reload", "count", "write", "delete 1", "delete 2"]


@pytest.mark.parametrize("step", sampled(STEPS, 2))
def test_whoever_comes_next_finishes_what_was_begun(landing, client, monkeypatch, step):
    model, columns = f"interrupted {step}", made(300, seed=5)
    put(landing, events(columns), model_name=model)
    command, insert, counted = client.command, client.insert, []

    def dying_command(query, **options):
        kind = query.split()[0].lower()
        counted.append(kind)
        if (kind, step) in {("system", "reload"), ("insert", "count")} or (
            kind == "delete" and step == f"delete {counted.count('delete')}"
        ):
            raise Died
        return command(query, **options)

    def dying_insert(table, rows, **options):
        if step == "write" and rows[0][-1] != 0:
            raise Died
        return insert(table, rows, **options)

    with monkeypatch.context() as patched:
        patched.setattr(client, "command", dying_command)
        patched.setattr(client, "insert", dying_insert)
        with pytest.raises(Died):
            choose_and_rebuild(client, model, monkeypatch)
    reload_grids(client)
    more = made(100, seed=6)
    put(landing, events(more), model_name=model)
    assert_settled(client, model, together(columns, more))


def test_a_block_that_comes_late_on_an_earlier_grid_is_counted_on_the_one_in_force(
    landing, client, monkeypatch
):
    first, late = made(300, seed=7), made(80, seed=8)
    put(landing, events(first), model_name="late")
    choose_and_rebuild(client, "late", monkeypatch)
    assert_settled(client, "late", first)
    land_block(client, "late", late, "late", generation=0)
    assert read(client, "late").end_hour < HOUR + 3  # It is not counted yet, and readers know.
    assert rebuild_profiles(client) == 1
    assert_settled(client, "late", together(first, late))


def test_cleaning_up_leaves_the_mark_of_what_is_still_to_be_counted(landing, client, monkeypatch):
    """A tender that was given up cleans up as things stood, and a block came since then."""
    first, late = made(300, seed=16), made(80, seed=17)
    put(landing, events(first), model_name="cleaned")
    choose_and_rebuild(client, "cleaned", monkeypatch)
    land_block(client, "cleaned", late, "cleaned", generation=0)
    grids._clean(client, "cleaned", *in_force(client, "cleaned"))
    assert rebuild_profiles(client) == 1
    assert_settled(client, "cleaned", together(first, late))


def test_a_recount_that_was_cut_short_counts_for_nobody(landing, client, monkeypatch):
    columns = made(300, seed=18)
    put(landing, events(columns), model_name="cut short")
    choose_and_rebuild(client, "cut short", monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(client, "insert", die)
        with pytest.raises(Died):
            grids._recount(client, "cut short", in_force(client, "cut short")[0])
    finite = sum(np.isfinite(columns["amount"])) + sum(~columns["is_null"])
    counted = f"SELECT sum(count) FROM numeric_profiles WHERE model_name = {{model:String}} AND {IN_FORCE}"
    assert client.query(counted, parameters={"model": "cut short"}).result_rows == [(finite,)]
    assert_equal_to_numpy(client, "cut short", columns)
    rebuild_profiles(client)
    assert len({recount for _, recount in held(client, "cut short")}) == 2  # Perhaps it is still at work.
    monkeypatch.setattr(grids, "_GIVEN_UP_US", 0)
    grids._clean(client, "cut short", *in_force(client, "cut short"))
    assert_settled(client, "cut short", columns)


def test_a_block_of_which_the_counts_are_still_to_come_is_left_alone(landing, client, monkeypatch):
    """Its rows are there, and its counts come on the grid in force: it must not be counted beside them."""
    first, under_way = made(300, seed=9), made(60, seed=10)
    put(landing, events(first), model_name="under way")
    choose_and_rebuild(client, "under way", monkeypatch)
    generation, _ = in_force(client, "under way")
    land_block(client, "under way", under_way, "under way", generation=generation)
    client.command("CREATE TABLE aside AS numeric_profiles")
    block = f"block = cityHash64('under way') AND {IS_MARK}"
    counted = f"({block}) OR (model_name = 'under way' AND generation = {generation} AND recount = 0)"
    client.command(f"INSERT INTO aside SELECT * FROM numeric_profiles WHERE {counted}")
    client.command(f"DELETE FROM numeric_profiles WHERE {counted}")
    grids._recount(client, "under way", generation)
    client.command("INSERT INTO numeric_profiles SELECT * FROM aside")
    assert_settled(client, "under way", together(first, under_way))


@pytest.mark.parametrize("seen_by", ["first", "second"])
def test_of_two_recounts_at_once_the_one_that_was_begun_later_counts(landing, client, monkeypatch, seen_by):
    """A tender that was given up finishes when its successor has finished. One of them saw a late block."""
    model = f"two {seen_by}"
    first, late = made(300, seed=12), made(70, seed=13)
    put(landing, events(first), model_name=model)
    choose(client, model, monkeypatch)
    (generation,) = (number for name, number in grids._due(client) if name == model)
    insert = client.insert

    def meanwhile(table, rows, **options):
        """The first one is about to publish."""
        monkeypatch.setattr(client, "insert", insert)
        if seen_by == "second":
            land_block(client, model, late, model, generation=0)
        rebuild_profiles(client)
        if seen_by == "first":
            land_block(client, model, late, model, generation=0)
        return insert(table, rows, **options)

    monkeypatch.setattr(client, "insert", meanwhile)
    grids._recount(client, model, generation)
    rebuild_profiles(client)
    assert_settled(client, model, together(first, late))


def test_two_that_choose_at_once_leave_one_choice_in_force(landing, client, monkeypatch):
    columns = made(400, seed=14)
    put(landing, events(columns), model_name="chosen twice")
    with monkeypatch.context() as patched:
        patched.setattr(grids, "PRODUCTION_ROWS", 100)
        (choice,) = (each for each in pending_choices(client) if each.model_name == "chosen twice")
    choose_grids(client, choice)
    choose_grids(client, choice)
    rebuild_profiles(client)
    assert_settled(client, "chosen twice", columns)


def test_a_feature_that_gets_its_grid_later_leaves_the_others_theirs(landing, client, monkeypatch):
    first = made(300, seed=15)
    put(landing, events(first), model_name="grown")
    choose_and_rebuild(client, "grown", monkeypatch)
    before = read_grids(client, "grown")
    rows = [{"features": {"new": float(n)}, "event_time": float((HOUR + 5) * HOUR_S)} for n in range(200)]
    put(landing, rows, model_name="grown")
    choose(client, "grown", monkeypatch)
    assert is_grid_due(client, "grown")
    assert rebuild_profiles(client) == 1
    after = read_grids(client, "grown")
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"new"}
    counts = {profile.hour: profile.numeric for profile in read(client, "grown").profiles}
    assert counts[HOUR + 5]["new"].counts.sum() == 200
    assert {pair[0] for pair in held(client, "grown")} == {in_force(client, "grown")[0]}


def test_landers_and_tenders_meet_and_every_value_is_counted_once(landing, client):
    """Two land blocks; two others choose grids of the same model, and count anew, all the time."""
    model, store = "crowd", landing.store
    parts = [made(60, seed=100 + number) for number in range(24)]
    put(landing, events(parts[0]), model_name=model)
    to_land = iter(enumerate(parts[1:]))
    lock, done = threading.Lock(), threading.Event()

    def land():
        with closing(store.client()) as own:
            while True:
                with lock:
                    number, columns = next(to_land, (0, None))
                if columns is None:
                    return
                land_block(own, model, columns, f"crowd {number}")

    def tend():
        with closing(store.client()) as own:
            while not done.is_set():
                choose_grids(own, Choice(model, ("amount", "age"), ("production",) * 2))
                rebuild_profiles(own)

    with ThreadPoolExecutor(4) as pool:
        tending = [pool.submit(tend) for _ in range(2)]
        landed = [pool.submit(land) for _ in range(2)]
        wait(landed)
        done.set()
        for each in [*landed, *tending]:
            each.result()
    rebuild_profiles(client)
    assert_settled(client, model, together(*parts))
