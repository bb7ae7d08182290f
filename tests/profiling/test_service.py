"""What is derived is what numpy makes of the raw rows, whatever lands, changes or dies meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.profiling.metrics import DIRTY, HOURS, LAG, ROWS
from driftline.store import grids
from driftline.store.derive import DERIVED_TABLES, delete_superseded
from driftline.store.grids import read_grids
from driftline.store.hours import read_pointers, read_unsettled
from driftline.store.ledger import read_ledger
from driftline.store.rules import set_rules
from driftline.store.segments import name_segments
from driftline.store.visible import visible
from tests.store.counted import HOUR, assert_equal_to_numpy, events, made
from tests.store.counted_segments import CITIES, assert_all_counted
from tests.support.landing import put
from tests.support.profiling import Died, insert_rows, together


def stream(model):
    return Stream(model, "3", "production")


def pointers_of(client, model):
    return {
        each.hour: pointer for each, pointer in read_pointers(client).items() if each.stream == stream(model)
    }


def value_of(metrics, name):
    for family in metrics.collect():
        for sample in family.samples:
            if sample.name == name:
                return sample.value
    return None


def make_profiler(landing, **options):
    return Profiler(landing.store, metrics=Metrics(PROFILER_METRICS), **options)


@pytest.fixture
def profiler(landing):
    made = make_profiler(landing)
    yield made
    made.close()


def test_late_rows_have_their_hour_derived_again_and_no_other(landing, client):
    before, late = made(400, seed=1), made(50, seed=2, hours=1)
    put(landing, events(before), model_name="late")
    known = pointers_of(client, "late")
    put(landing, events(late), model_name="late")
    now = pointers_of(client, "late")
    assert now[HOUR].derivation > known[HOUR].derivation
    assert {hour: now[hour] for hour in now if hour != HOUR} == {h: known[h] for h in known if h != HOUR}
    assert_equal_to_numpy(client, "late", together(before, late))


def test_what_is_derived_in_whole_is_not_derived_again(landing, client, profiler):
    put(landing, events(made(100, seed=3)), model_name="settled")
    before = read_pointers(client)
    assert profiler.run_until_idle() == 0
    assert read_pointers(client) == before


STEPS = ["rows", "missing", "numeric", "categorical", "sessions", "invalid", "pointer"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_of_a_derivation_the_hour_is_as_it_was_until_it_is_derived_in_whole(
    landing, client, monkeypatch, step
):
    model = f"killed {step}"
    before, late = made(300, seed=4), made(90, seed=5)
    set_rules(client, model, {"amount": {"maximum": 10.0}})
    put(landing, events(before), model_name=model)
    insert_rows(client, model, late, "late")
    kind, done = type(client), []
    command, insert = kind.command, kind.insert

    def dying_command(self, query, *given, **options):
        if query.lstrip().startswith("INSERT INTO"):
            done.append(query)
            if len(done) == STEPS.index(step) + 1:
                raise Died
        return command(self, query, *given, **options)

    def dying_insert(self, table, *given, **options):
        if table == "derived_hours":
            raise Died
        return insert(self, table, *given, **options)

    with monkeypatch.context() as patched, closing(make_profiler(landing)) as profiler:
        patched.setattr(kind, "command", dying_command)
        patched.setattr(kind, "insert", dying_insert)
        with pytest.raises(Died):
            profiler.run_until_idle()
    assert_equal_to_numpy(client, model, before)
    landing.profiler.run_until_idle()
    assert_equal_to_numpy(client, model, together(before, late))


def test_two_that_derive_at_once_do_no_harm(landing, client):
    model, parts = "two", [made(60, seed=20 + number) for number in range(10)]
    put(landing, events(parts[0]), model_name=model)
    done = threading.Event()

    def derive():
        with closing(make_profiler(landing)) as own:
            while not done.is_set():
                own.run_until_idle()

    with ThreadPoolExecutor(2) as pool:
        deriving = [pool.submit(derive) for _ in range(2)]
        for number, part in enumerate(parts[1:]):
            insert_rows(client, model, part, f"part {number}")
        done.set()
        for each in deriving:
            each.result()
    landing.profiler.run_until_idle()
    assert_equal_to_numpy(client, model, together(*parts))
    (line,) = (line for line in read_ledger(client) if line.model_name == model)
    assert (line.landed, line.duplicates) == (600, 0)


def test_grids_segments_and_rules_may_change_while_events_land(landing, client, monkeypatch):
    """Another lands all the time: in the end each value is counted once, on what is in force."""
    model, parts = "changing", [made(80, seed=40 + number) for number in range(8)]
    put(landing, events(parts[0]), model_name=model)
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", 200)
    done = threading.Event()

    def derive():
        with closing(make_profiler(landing)) as own:
            while not done.is_set():
                own.step(is_patient=False)

    with ThreadPoolExecutor(1) as pool:
        deriving = pool.submit(derive)
        for number, part in enumerate(parts[1:]):
            insert_rows(client, model, part, f"part {number}")
            name_segments(client, model, CITIES if number % 2 else CITIES[:1])
            set_rules(client, model, {"amount": {"maximum": 100.0 - number}})
        name_segments(client, model, CITIES)
        done.set()
        deriving.result()
    landing.profiler.run_until_idle()
    assert set(read_grids(client, model)) == {"amount", "age"}
    assert_all_counted(client, model, together(*parts))


def test_a_feature_that_gets_its_grid_later_has_only_its_own_hours_derived_again(
    landing, client, monkeypatch
):
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", 100)
    columns = made(400, seed=60)
    put(landing, events(columns), model_name="grown")
    before, pointers = read_grids(client, "grown"), pointers_of(client, "grown")
    rows = [{"features": {"new": float(n)}, "event_time": float((HOUR + 5) * 3600)} for n in range(200)]
    put(landing, rows, model_name="grown")
    after = read_grids(client, "grown")
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"new"}
    now = pointers_of(client, "grown")
    assert {hour: now[hour] for hour in pointers} == pointers


def test_an_hour_whose_rows_have_begun_to_expire_stays_as_it_is(landing, client, profiler):
    columns = made(300, seed=61)
    put(landing, events(columns), model_name="expired")
    client.command("DELETE FROM predictions WHERE model_name = 'expired' AND sequence % 2 = 0")
    name_segments(client, "expired", CITIES)
    profiler.run_until_idle()
    assert_equal_to_numpy(client, "expired", columns)


def test_shards_share_the_models_and_readers_wait_for_the_slowest(landing, client):
    models = [f"shared {number}" for number in range(8)]
    for number, model in enumerate(models):
        insert_rows(client, model, made(30, seed=70 + number), model)
    shards = [make_profiler(landing, shard=number, shards=2) for number in range(2)]
    shards[0].run_until_idle()
    first = {each.stream.model_name for each in read_pointers(client)} & set(models)
    assert 0 < len(first) < len(models)
    assert {each.stream.model_name for each in read_unsettled(client)} >= set(models) - first
    shards[1].run_until_idle()
    assert {each.stream.model_name for each in read_pointers(client)} >= set(models)
    for shard in shards:
        shard.close()
    landing.profiler.run_until_idle()  # One alone again: it says how far everything is.


def test_what_no_pointer_names_any_more_is_deleted_and_nothing_else(landing, client):
    columns, late = made(200, seed=80), made(100, seed=81)
    put(landing, events(columns), model_name="cleaned")
    put(landing, events(late), model_name="cleaned")
    superseded = f"SELECT count() FROM profiles WHERE model_name = 'cleaned' AND NOT {visible()}"
    assert client.rows(superseded)[0][0] > 0
    delete_superseded(client)  # Somebody may be reading them at this moment.
    assert client.rows(superseded)[0][0] > 0
    delete_superseded(client, older_than_s=0)
    for table in DERIVED_TABLES:
        left = f"SELECT count() FROM {table} WHERE NOT {visible()}"
        assert client.rows(left) == [(0,)], table
    assert_equal_to_numpy(client, "cleaned", together(columns, late))


def test_the_metrics_say_what_waits_and_what_was_done(landing, client):
    metrics = Metrics(PROFILER_METRICS)
    with closing(Profiler(landing.store, metrics=metrics)) as profiler:
        profiler.run_until_idle()
        assert (value_of(metrics, DIRTY), value_of(metrics, LAG)) == (0, 0)
        insert_rows(client, "measured", made(120, seed=90), "measured")
        assert profiler.step(is_patient=False) == 3
        assert (value_of(metrics, HOURS), value_of(metrics, ROWS)) == (3, 120)


def test_a_ledger_is_exact_whether_hours_are_derived_or_not(landing, client):
    columns, more = made(300, seed=91), made(100, seed=92)
    put(landing, events(columns), model_name="booked")
    insert_rows(client, "booked", more, "booked session")

    def landed():
        (line,) = (line for line in read_ledger(client) if line.model_name == "booked")
        return line.landed, line.duplicates

    assert landed() == (400, 0)
    landing.profiler.run_until_idle()
    assert landed() == (400, 0)
    assert np.isfinite(columns["age"]).all()
