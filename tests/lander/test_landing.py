"""A batch is landed once, whatever is in it, however often it is repeated, wherever it was interrupted."""

from __future__ import annotations

import threading

import pytest

from driftline.errors import LogError, StatementError, StoreAwayError, StoreError
from driftline.lander import insert, service
from driftline.lander.insert import Inserter
from driftline.lander.metrics import EVENTS, SETTLED, STORE_FAILURES
from driftline.lander.service import GROUP, make_inserters
from driftline.lander.table import StoredTable
from driftline.log import Record
from driftline.log.local import LocalReader
from driftline.log.schemas import WriterSchemas
from driftline.store.connection import Connection
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record
from tests.lander.partitioned import record
from tests.lander.records import refused_record
from tests.support.running import wait_until
from tests.support.traffic import event, expected_books, make_logger, read_books

TOTAL = 60


def serve(landing, *, refused_after=()):
    """Log sixty events of two months, with records that the engine refuses behind some of them."""
    writer = landing.log.writer()
    with make_logger(landing.log, heartbeat_interval_s=1000.0) as logger:
        for number in range(TOTAL):
            logger.log(**event(number, TOTAL))
            if number in refused_after:
                assert logger.flush()
                writer.append([Record(PREDICTIONS_TOPIC, b"", refused_record())])


def assert_exact(landing, *, dead=0):
    landing.profiler.run_until_idle()
    assert read_books(landing.client) == expected_books(TOTAL)
    assert landing.count("dead_letters") == dead
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing, line.duplicates) == (TOTAL, TOTAL, 0, 0)


class Crash(BaseException):
    """Nothing catches it: as if the process ended here."""


def crash(*_arguments, **_options):
    raise Crash


@pytest.mark.parametrize(
    "refused_after",
    [pytest.param((), id="all good", marks=pytest.mark.exhaustive), pytest.param((7, 8, 31), id="three bad")],
)
@pytest.mark.parametrize("point", ["after intend", "between pieces", "after insert", "before commit"])
def test_a_crash_at_a_step_of_the_lander_is_mended_by_the_next_one(
    landing, monkeypatch, point, refused_after
):
    serve(landing, refused_after=refused_after)
    lander = landing.lander
    if point == "after intend":
        monkeypatch.setattr(Inserter, "land", crash)
    elif point == "between pieces":
        whole, calls = StoredTable.insert, []
        monkeypatch.setattr(
            StoredTable,
            "insert",
            lambda *given, **more: crash() if len(calls) == 3 else (calls.append(1), whole(*given, **more)),
        )
    elif point == "after insert":
        land = Inserter.land
        monkeypatch.setattr(Inserter, "land", lambda *given, **more: crash(land(*given, **more)))
    else:
        monkeypatch.setattr(LocalReader, "commit", crash)
    if point != "between pieces" or refused_after:
        with pytest.raises(Crash):
            lander.land_once()
    monkeypatch.undo()
    landing.again()
    landing.lander.run_until_idle()
    assert_exact(landing, dead=len(refused_after))


def test_a_batch_that_has_landed_in_whole_is_repeated_without_effect(landing):
    serve(landing, refused_after=(3, 40))
    batch = landing.log.reader(GROUP, [PREDICTIONS_TOPIC]).fetch(PREDICTIONS_TOPIC)
    inserters = make_inserters(landing.client, landing.store.database, WriterSchemas(landing.log))
    for _ in range(3):
        inserters[PREDICTIONS_TOPIC].land(batch)
    landing.lander.run_until_idle()
    assert_exact(landing, dead=2)


@pytest.mark.parametrize("is_suspected", [True, False], ids=["suspected", "found by bisection"])
def test_exactly_the_bad_records_are_left(landing, monkeypatch, is_suspected):
    if not is_suspected:
        monkeypatch.setattr(insert, "suspects", lambda _schema, _datums: [])
    bad = {0, 1, 17, 30, 58, 59}
    serve(landing, refused_after=bad)
    landing.lander.run_until_idle()
    assert_exact(landing, dead=len(bad))
    offsets = landing.client.rows("SELECT offset FROM dead_letters FINAL ORDER BY offset")
    assert [row[0] for row in offsets] == [number + 1 + place for place, number in enumerate(sorted(bad))]
    counted = landing.metrics.series(EVENTS)
    assert counted[PREDICTIONS_TOPIC, "landed"] == TOTAL
    assert counted[PREDICTIONS_TOPIC, "dead_lettered"] == len(bad)


def test_a_record_that_stands_twice_in_the_log_is_reported_as_a_duplicate(landing):
    names = {"model_name": "m", "model_version": "1", "training_run_id": "r", "session_id": "s"}
    own = {"event_id": "01890000-0000-7000-8000-000000000001", "event_time": 1_769_860_800_000_000}
    value = encode_record(PREDICTION, {**names, **own, "sequence": 1, "environment": "production"})
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", value)] * 2)
    landing.lander.run_until_idle()
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing, line.duplicates) == (1, 1, 0, 1)
    assert landing.client.rows("SELECT count() FROM predictions") == [(2,)]


@pytest.mark.parametrize(
    "error",
    [
        StatementError("refused", code=243, detail="Code: 243. DB::Exception: no space left"),
        StoreAwayError("connection lost"),
    ],
)
def test_trouble_of_the_store_is_nobodys_dead_letter(landing, monkeypatch, error):
    serve(landing)

    def fail(*_arguments, **_options):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "insert_avro", fail)
        with pytest.raises(StoreError):
            landing.lander.land_once()
    assert landing.count("dead_letters") == 0
    landing.lander.run_until_idle()
    assert_exact(landing)


def test_a_lander_that_runs_outlives_the_trouble_of_its_store(landing, monkeypatch):
    serve(landing)
    healthy, failures = landing.lander.land_once, []

    def fail_twice(*, is_patient):
        assert is_patient
        if len(failures) < 2:
            failures.append(1)
            raise StoreError("away")
        return healthy(is_patient=is_patient)

    monkeypatch.setattr(landing.lander, "land_once", fail_twice)
    stop = threading.Event()
    thread = threading.Thread(target=landing.lander.run, args=(stop,))
    thread.start()
    wait_until(lambda: landing.place.lag() == 0, what="landing")
    stop.set()
    thread.join()
    assert landing.metrics.series(STORE_FAILURES)[()] == 2
    assert_exact(landing)


def test_a_second_lander_of_a_local_log_waits_for_its_turn(landing):
    serve(landing)
    landing.lander.land_once()
    other = service.Lander(landing.log, landing.store, metrics=landing.metrics)
    with pytest.raises(LogError, match="another lander"):
        other.land_once()
    with make_logger(landing.log, model_name="later") as logger:
        logger.log({"x": 1.0})
    stop = threading.Event()
    thread = threading.Thread(target=other.run, args=(stop,))
    thread.start()
    stop.wait(0.2)
    assert landing.place.lag() > 0
    landing.lander.close()
    wait_until(lambda: landing.place.lag() == 0, what="landing by the second")
    stop.set()
    thread.join()
    other.close()


def test_a_repeated_batch_whose_rows_are_gone_is_put_in_anew(landing, monkeypatch):
    """The engine remembers inserts that it does not hold: they are taken away behind its back."""
    serve(landing)
    with monkeypatch.context() as patched:
        patched.setattr(LocalReader, "commit", crash)
        with pytest.raises(Crash):
            landing.lander.land_once()
    landing.client.command("DELETE FROM predictions WHERE toYYYYMM(event_time) = 202602")
    landing.again()
    landing.lander.run_until_idle()
    assert landing.metrics.series(SETTLED)[()] == 1
    assert_exact(landing)


def test_landers_of_two_logs_are_distinguished(landing, tmp_path):
    """Equal offsets of a log that was begun anew are other events."""
    serve(landing, refused_after={0})
    landing.lander.run_until_idle()
    landing.close()
    (tmp_path / "log").rename(tmp_path / "old log")
    landing.open()
    with make_logger(landing.log, model_name="anew") as logger:
        for number in range(TOTAL):
            logger.log(**event(number, TOTAL))
            if number == 0:
                assert logger.flush()
                landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", refused_record())])
    landing.lander.run_until_idle()
    assert {line.model_name: line.landed for line in landing.ledger()} == {"till": TOTAL, "anew": TOTAL}
    dead_letters = landing.client.rows("SELECT offset FROM dead_letters FINAL")
    assert dead_letters == [(1,), (1,)]


def test_a_heartbeat_lands_only_behind_the_predictions_that_it_counts(landing, monkeypatch):
    """Otherwise a backlog would look like loss, and the hours in it would be judged incomplete."""
    monkeypatch.setattr(service, "BATCH_RECORDS", 10)
    with make_logger(landing.place.log_url, model_name="behind") as logger:
        for _ in range(25):
            logger.log(features={"x": 1.0}, prediction=0.5)
    for landed in (10, 20):
        landing.lander.land_once()
        (line,) = landing.ledger()
        assert (line.sent, line.landed, line.missing) == (landed, landed, 0)
    landing.lander.run_until_idle()
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing) == (25, 25, 0)
    assert landing.count("sessions") == 1


def test_a_heartbeat_waits_for_what_follows_a_repeated_batch(landing, monkeypatch):
    """A repeated batch is as small as it was; what came into the log since then follows it."""
    with make_logger(landing.place.log_url, model_name="behind", heartbeat_interval_s=1000.0) as logger:
        for number in range(25):
            logger.log(features={"x": 1.0}, prediction=0.5)
            if number == 9:
                assert logger.flush()
                with monkeypatch.context() as patch:
                    patch.setattr(LocalReader, "commit", crash)
                    with pytest.raises(Crash):
                        landing.lander.land_once()
    landing.again()
    landing.lander.land_once()
    (line,) = landing.ledger()
    assert (line.landed, line.missing) == (10, 0)
    landing.lander.run_until_idle()
    (line,) = landing.ledger()
    assert (line.sent, line.landed, line.missing) == (25, 25, 0)


def test_a_suspicion_that_the_engine_does_not_share_costs_nothing(landing, monkeypatch):
    serve(landing, refused_after=(5,))
    monkeypatch.setattr(insert, "suspects", lambda _schema, datums: list(range(0, len(datums) - 1, 2)))
    landing.lander.run_until_idle()
    assert_exact(landing, dead=1)


@pytest.mark.parametrize("names", [{"numeric_features": {"": 1.0}}, {"missing_features": [""]}])
def test_a_feature_without_a_name_is_refused(landing, names):
    """Profiles would take it for the whole event."""
    values = [record("s", 1), record("s", 2, **names), record("s", 3)]
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", value) for value in values])
    landing.lander.run_until_idle()
    dead_letters = landing.client.rows("SELECT offset, reason FROM dead_letters FINAL")
    assert dead_letters == [(1, "violates_feature_names_given")]
    assert landing.client.rows("SELECT count() FROM predictions") == [(2,)]


def test_a_batch_is_one_part_a_month_however_large_it_is(landing, monkeypatch):
    """Of two parts of a month, a crash could leave the engine with the one and a token of both."""
    monkeypatch.setattr(service, "BATCH_BYTES", 1 << 30)
    wide = {"numeric_features": {f"number {column}": column + 0.5 for column in range(400)}}
    values = [record("s", number + 1, **wide) for number in range(service.BATCH_RECORDS)]
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", value) for value in values])
    landing.client.command("SYSTEM STOP MERGES predictions")
    assert landing.lander.land_once() == service.BATCH_RECORDS
    landing.client.command("SYSTEM START MERGES predictions")
    parts = "SELECT uniqExact(_part), uniqExact(toYYYYMM(event_time)) FROM predictions"
    assert landing.client.rows(parts) == [(2, 2)]
