"""The caller is safe, and no event is lost in silence."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import PredictionLogger
from driftline.errors import LogFullError, SettingError
from driftline.log import Record, open_log
from driftline.wire import Reason
from tests.sdk.logs import IDENTITY, MemoryLog, events_in, quick_logger

REASONS = {reason.value for reason in Reason}


class Hostile:
    """An argument that raises whatever is done with it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __hash__(self):
        return 1

    def __eq__(self, other):
        raise RuntimeError

    def __bool__(self):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError


garbage = st.one_of(
    st.none() | st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(alphabet=st.characters()),
    st.binary(),
    st.datetimes() | st.dates(),
    st.uuids(),
    st.lists(st.integers(), max_size=2),
    st.complex_numbers(),
    st.sampled_from([pd.NA, pd.NaT, np.datetime64("NaT", "s")]),
    st.just(np.array([1.0, 2.0])),
    st.builds(Hostile),
    st.builds(object),
    st.dictionaries(
        st.text(alphabet=st.characters()) | st.integers() | st.none(),
        st.none() | st.text() | st.floats(),
        max_size=3,
    ),
    st.dictionaries(st.text(), st.builds(Hostile) | st.decimals() | st.binary(), max_size=3),
)
LOG_ARGUMENTS = (
    "features prediction label probabilities entity_id request_id trace_id tags event_time latency_us "
    "compute_us event_id outputs classes"
).split()


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def logger(log):
    with quick_logger(log) as logger:
        yield logger


def dropped(logger) -> dict[str, int]:
    return dict(logger.stats().dropped)


def test_an_event_arrives_as_it_was_logged(log, logger):
    event_id = logger.log(
        features={"distance": 733.0, "carrier": "UA", "seats": None},
        prediction=0.81,
        label="late",
        probabilities={"late": 0.81, "on time": 0.19},
        entity_id="N14228",
        request_id=17,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        tags={"origin": "EWR"},
        event_time=datetime(2013, 1, 1, tzinfo=UTC),
        latency_us=1500,
        compute_us=900.4,
        outputs={"p90": 0.95, "kind": "weather", "gate": None},
    )
    assert logger.flush()
    (event,) = log.predictions
    assert event == {
        "event_id": UUID(event_id),
        "event_time": datetime(2013, 1, 1, tzinfo=UTC),
        "model_name": "flight-delay",
        "model_version": "3",
        "training_run_id": "run-7f3a",
        "session_id": logger.session_id,
        "sequence": 1,
        "environment": "production",
        "entity_id": "N14228",
        "request_id": "17",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "numeric_features": {"distance": 733.0},
        "categorical_features": {"carrier": "UA"},
        "missing_features": ["seats"],
        "prediction_number": 0.81,
        "prediction_label": "late",
        "class_probabilities": {"late": 0.81, "on time": 0.19},
        "tags": {"origin": "EWR"},
        "latency_us": 1500,
        "compute_us": 900,
        "numeric_outputs": {"p90": 0.95},
        "categorical_outputs": {"kind": "weather"},
        "missing_outputs": ["gate"],
    }


def test_time_and_identity_come_from_the_clock_and_the_random_source(log):
    with quick_logger(log, clock=lambda: 1_700_000_000.5, random=lambda _: 5) as logger:
        event_id = logger.log()
    (event,) = log.predictions
    assert event["event_time"] == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)
    assert event_id == "018bcfe5-69f4-7000-8000-000000000005"


def test_an_event_id_of_the_users_own_is_kept(log, logger):
    assert logger.log(event_id=UUID(int=7)) == str(UUID(int=7))
    logger.flush()
    assert log.predictions[0]["event_id"] == UUID(int=7)


def test_what_happens_to_the_arguments_afterwards_does_not_matter(log):
    with quick_logger(log, flush_interval_s=5) as logger:
        features, tags = {"distance": 1.0}, {"origin": "EWR"}
        logger.log(features=features, tags=tags)
        features["distance"] = 2.0
        tags.clear()
    assert log.predictions[0]["numeric_features"] == {"distance": 1.0}
    assert log.predictions[0]["tags"] == {"origin": "EWR"}


def test_tags_of_the_logger_are_on_every_event(log):
    with quick_logger(log, tags={"region": "eu", "zone": 1}) as logger:
        logger.log()
        logger.log(tags={"region": "us"})
    assert [event["tags"] for event in log.predictions] == [
        {"region": "eu", "zone": "1"},
        {"region": "us", "zone": "1"},
    ]


def test_outcomes_are_numbered_apart_from_predictions(log, logger):
    ids = [logger.log(prediction=0.5) for _ in range(3)]
    assert logger.log_outcome(ids[0], actual=1)
    assert logger.log_outcome(ids[1], "late", observed_time=datetime(2024, 1, 1, tzinfo=UTC))
    assert logger.flush()
    assert [event["sequence"] for event in log.predictions] == [1, 2, 3]
    assert [event["sequence"] for event in log.outcomes] == [1, 2]
    assert log.outcomes[0]["actual_number"] == 1.0
    assert log.outcomes[1]["observed_time"] == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "name", "remark"),
    [
        ({"features": {"embedding": [0.5], "other": 1.0}}, "embedding", "unencodable"),
        ({"features": {"carrier": "\ud800", "other": 1.0}}, "carrier", "unencodable"),
        ({"features": {"customer": 2**53 + 1}}, "customer", "rounded"),
        ({"features": {"a\nb": b"x"}}, "a\nb", "unencodable"),
        ({"features": Hostile()}, "features", "unencodable"),
        ({"prediction": Hostile()}, "prediction", "unencodable"),
        ({"event_time": -1}, "event_time", "unencodable"),
        ({"event_id": "x"}, "event_id", "unencodable"),
        ({"tags": {"region": []}}, "tags.region", "unencodable"),
        ({"prediction": "late", "label": "on time"}, "prediction", "unencodable"),
    ],
)
def test_a_value_that_does_not_fit_is_counted_and_reported_once_and_its_event_stays(
    logger, caplog, arguments, name, remark
):
    with caplog.at_level(logging.WARNING, logger="driftline.sdk"):
        assert None not in [logger.log(**arguments) for _ in range(3)]
    assert getattr(logger.stats(), remark) == {name: 3}
    assert dropped(logger) == {}
    (message,) = [record.getMessage() for record in caplog.records]
    assert remark in message
    assert name.encode("unicode_escape").decode() in message
    assert ("the time of the call stands in its place" in message) == (name == "event_time")
    assert "\n" not in message
    assert logger.stats().accepted == 3


def test_an_event_that_is_too_large_is_dropped_counted_and_reported_once(log, logger, caplog):
    with caplog.at_level(logging.WARNING, logger="driftline.sdk"):
        assert [logger.log({f"{i}": "x" * 60_000 for i in range(17)}) for _ in range(3)] == [None] * 3
    assert dropped(logger) == {"too_large": 3}
    assert [record.getMessage().count("too_large") for record in caplog.records] == [1]
    assert logger.log(prediction=0.5) is not None
    assert logger.flush()
    assert [event["sequence"] for event in log.predictions] == [1]


@pytest.mark.parametrize(
    ("event_id", "actual", "reason"),
    [
        (None, 1, "invalid_event_id"),
        (UUID(int=1), None, "missing_actual"),
        (UUID(int=1), math.nan, "missing_actual"),
        (UUID(int=1), object(), "unencodable"),
        (UUID(int=1), "\ud800", "unencodable"),
    ],
)
def test_an_outcome_that_does_not_fit_is_dropped_and_counted(logger, event_id, actual, reason):
    assert logger.log_outcome(event_id, actual) is False
    assert dropped(logger) == {reason: 1}


@settings(max_examples=300)
@given(arguments=st.dictionaries(st.sampled_from(LOG_ARGUMENTS), garbage))
def test_logging_never_raises_and_counts_every_event(logger, arguments):
    before = logger.stats()
    event_id = logger.log(**arguments)
    after = logger.stats()
    assert after.accepted - before.accepted == (event_id is not None)
    assert after.dropped.keys() <= REASONS
    assert sum(after.dropped.values()) - sum(before.dropped.values()) == (event_id is None)


@given(event_id=garbage, actual=garbage, observed_time=garbage)
def test_logging_outcomes_never_raises_and_counts_every_event(logger, event_id, actual, observed_time):
    before = logger.stats()
    accepted = logger.log_outcome(event_id, actual, observed_time=observed_time)
    after = logger.stats()
    assert after.accepted - before.accepted == accepted
    assert sum(after.dropped.values()) - sum(before.dropped.values()) == (not accepted)


def test_a_logging_handler_that_raises_does_not_reach_the_caller(logger):
    class Broken(logging.Handler):
        def handle(self, record):
            raise RuntimeError(record)

    handler = Broken()
    logging.getLogger("driftline.sdk").addHandler(handler)
    try:
        assert logger.log(features={"x": []}) is not None
        assert logger.log_outcome("x", 1) is False
    finally:
        logging.getLogger("driftline.sdk").removeHandler(handler)
    assert dropped(logger) == {"invalid_event_id": 1}
    assert logger.stats().unencodable == {"x": 1}


def test_a_hung_log_neither_blocks_the_caller_nor_fills_its_memory(log, caplog):
    logger = quick_logger(log, queue_bytes=100_000)
    log.go_on.clear()
    slowest_s = 0.0
    with caplog.at_level(logging.WARNING, logger="driftline.sdk"):
        for _ in range(2_000):
            began = time.perf_counter()
            logger.log(features={"text": "x" * 500})
            slowest_s = max(slowest_s, time.perf_counter() - began)
    stats = logger.stats()
    assert slowest_s < 5.0
    assert 50 < stats.accepted < 200
    assert stats.queued == stats.accepted
    assert stats.dropped == {"queue_full": 2_000 - stats.accepted}
    assert caplog.text.count("queue_full") == 1
    log.go_on.set()
    assert logger.close()
    assert [event["sequence"] for event in log.predictions] == list(range(1, stats.accepted + 1))


def test_a_full_log_drops_what_does_not_fit_in_memory_and_still_gets_the_counts(tmp_path):
    url = f"{(tmp_path / 'log').as_uri()}?max_bytes={4 << 20}"
    with open_log(url) as log, suppress(LogFullError):
        while True:
            log.writer().append([Record("other", b"", bytes(900))] * 10)
    logger = quick_logger(url, queue_bytes=300_000, heartbeat_interval_s=0.05)
    ids = [logger.log(features={"text": "x" * 900}) for _ in range(3_000)]
    stats = logger.stats()
    assert stats.dropped.keys() == {"queue_full"}
    assert stats.accepted + stats.dropped["queue_full"] == len(ids)
    assert stats.accepted == sum(event_id is not None for event_id in ids)
    assert logger.close(timeout=1.0) is False
    stats = logger.stats()
    assert stats.appended + stats.abandoned["log_unusable"] == stats.accepted
    events = events_in(url)
    last_heartbeat = events["driftline.sessions"][-1]
    assert last_heartbeat["final"]
    assert last_heartbeat["last_sequence"] == stats.accepted
    assert last_heartbeat["abandoned"] == stats.abandoned
    assert last_heartbeat["dropped"] == stats.dropped
    assert len(events["driftline.predictions"]) == stats.appended


def test_many_threads_share_a_logger_and_no_number_is_missing(log):
    logger = quick_logger(log)

    def work(thread: int) -> None:
        for number in range(200):
            event_id = logger.log(features={"thread": thread, "number": number})
            logger.log_outcome(event_id, actual=number)
            if number % 50 == 0:
                logger.log_batch(features={"thread": [thread] * 5}, predictions=[0.5] * 5)
                logger.flush()

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logger.close()
    assert [event["sequence"] for event in log.predictions] == list(range(1, 8 * 220 + 1))
    assert [event["sequence"] for event in log.outcomes] == list(range(1, 8 * 200 + 1))
    assert len({event["event_id"] for event in log.predictions}) == 8 * 220
    counts = Counter(event["numeric_features"]["thread"] for event in log.predictions)
    assert counts == {float(thread): 220 for thread in range(8)}
    assert logger.stats().appended == logger.stats().accepted == 8 * 420


def test_what_is_logged_after_closing_is_dropped(log):
    logger = quick_logger(log)
    assert logger.close()
    assert logger.log(prediction=0.5) is None
    assert logger.log_outcome(UUID(int=1), 1) is False
    assert logger.log_batch(predictions=[0.5, 0.6]) == [None, None]
    assert dropped(logger) == {"closed": 4}
    assert logger.close()


@pytest.mark.parametrize("argument", [*IDENTITY, "environment"])
@pytest.mark.parametrize("value", ["", None, 3, "\ud800", "x" * 500_000])
def test_a_wrong_argument_of_the_constructor_is_named(log, argument, value):
    with pytest.raises(SettingError, match=argument):
        quick_logger(log, **{argument: value})


@pytest.mark.parametrize("argument", IDENTITY)
def test_a_missing_argument_of_the_constructor_is_named(log, argument):
    arguments = {name: text for name, text in IDENTITY.items() if name != argument}
    with pytest.raises(ValueError, match=argument):
        PredictionLogger(**arguments, log=log)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"queue_bytes": 0}, "queue_bytes"),
        ({"flush_interval_s": math.nan}, "flush_interval_s"),
        ({"heartbeat_interval_s": "5"}, "heartbeat_interval_s"),
        ({"tags": {"region": []}}, "region"),
        ({"tags": {"": "x"}}, "tags"),
        ({"tags": {"x" * 513: "x"}}, "513 characters"),
        ({"tags": {"region": "x" * 65_537}}, r"tags\['region'\].* 65,537 characters"),
    ],
)
def test_other_wrong_arguments_of_the_constructor_are_reported(log, arguments, message):
    with pytest.raises(SettingError, match=message):
        quick_logger(log, **arguments)


@pytest.mark.parametrize(
    ("url", "message"),
    [("redis://localhost", "redis"), ("kafka://localhost?no.such.option=1", "no.such.option")],
)
def test_a_log_that_is_not_supported_is_reported_at_construction(url, message):
    with pytest.raises(SettingError, match=message):
        quick_logger(url)


def test_the_log_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "log").as_uri())
    with PredictionLogger(**IDENTITY) as logger:
        logger.log()
    assert len(events_in((tmp_path / "log").as_uri())["driftline.predictions"]) == 1


def test_a_full_log_is_no_reason_to_raise_at_construction(log):
    log.error = LogFullError("full")
    logger = quick_logger(log)
    assert logger.log() is not None
    assert logger.close(timeout=0.2) is False
