"""What arrived in the last hours: each loss counts as long as it is in them, and no longer."""

from __future__ import annotations

import itertools

import pytest

from driftline.domain.streams import Stream
from driftline.log import Record
from driftline.store.recent import Arrived, count_unregistered, read_arrived
from driftline.wire import (
    PREDICTION,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    TRAINING_RUN,
    TRAINING_RUNS_TOPIC,
    encode_record,
)
from tests.support.traffic import make_logger

HOUR = 490_008
HOUR_US = 3_600_000_000
_numbers = itertools.count()


@pytest.fixture
def stream():
    """A model of the test's own: tests share one store."""
    return Stream(f"till-{next(_numbers)}", "3", "production")


def names_of(stream, session):
    return {
        "model_name": stream.model_name,
        "model_version": stream.model_version,
        "environment": stream.environment,
        "session_id": f"{stream.model_name}-{session}",
    }


def event(stream, sequence, hour, *, session="a", run="run-7f3a"):
    own = {
        "event_id": f"01890000-0000-7000-8000-{next(_numbers):012x}",
        "event_time": (HOUR + hour) * HOUR_US,
        "training_run_id": run,
        "sequence": sequence,
    }
    return Record(PREDICTIONS_TOPIC, b"", encode_record(PREDICTION, names_of(stream, session) | own))


def heartbeat(stream, last_sequence, hour, *, session="a", **counts):
    own = {"beat_time": (HOUR + hour) * HOUR_US, "last_sequence": last_sequence, "last_outcome_sequence": 0}
    own |= counts
    return Record(SESSIONS_TOPIC, b"", encode_record(SESSION, names_of(stream, session) | own))


def land(landing, records):
    landing.log.writer().append(list(records))
    landing.land()


def arrived(client, stream, *, since=0):
    found = read_arrived(client, stream, since_hour=HOUR + since, hours=24)
    return found.sent, found.landed


def test_all_that_was_sent_has_landed(landing, client, stream):
    land(landing, [*(event(stream, 1 + hour, hour) for hour in range(30)), heartbeat(stream, 30, 29)])
    found = read_arrived(client, stream, since_hour=HOUR + 6, hours=24)
    assert found == Arrived(newest_s=(HOUR + 29) * 3600, sent=24, landed=24)
    assert found.ratio == 1.0


def test_a_gap_counts_until_the_number_behind_it_is_too_old(landing, client, stream):
    land(landing, [event(stream, number, number) for number in (1, 2, 5, 6, 7)])
    assert arrived(client, stream, since=5) == (5, 3)  # 3 and 4 are missing in front of 5.
    assert arrived(client, stream, since=6) == (2, 2)


def test_what_is_missing_at_a_sessions_end_is_known_from_its_heartbeat(landing, client, stream):
    land(landing, [event(stream, 1, 0), event(stream, 2, 1), heartbeat(stream, 9, 1)])
    assert arrived(client, stream) == (9, 2)


def test_what_is_missing_at_the_end_counts_though_an_earlier_event_landed_last(landing, client, stream):
    land(landing, [event(stream, 1, 5), event(stream, 2, 30), event(stream, 3, 6), heartbeat(stream, 9, 30)])
    assert arrived(client, stream, since=30) == (8, 2)


def test_numbers_that_stand_in_earlier_hours_are_not_missed(landing, client, stream):
    """A session may log the past in any order; and at the turn of an hour threads overtake each other."""
    hours = [0, 30, 1, 2, 31, 3, 33, 4]
    land(landing, [event(stream, 1 + place, hour) for place, hour in enumerate(hours)])
    land(landing, [event(stream, number, 20 + number // 5, session="b") for number in (1, 2, 4, 3, 5, 9)])
    assert arrived(client, stream, since=21) == (7 + 5, 7 + 2)  # 6, 7 and 8 of b are missing.


def test_a_session_of_which_nothing_landed_counts_by_its_heartbeat(landing, client, stream):
    silent = heartbeat(stream, 5, 3, session="silent"), heartbeat(stream, 7, 60, session="of another time")
    land(landing, [event(stream, 1, 0), heartbeat(stream, 1, 0), *silent])
    assert arrived(client, stream) == (6, 1)
    assert arrived(client, stream, since=4) == (0, 0)


def test_what_was_refused_counts_against_what_arrived_once_a_session_says_so(landing, client, stream):
    land(
        landing,
        [event(stream, 1, 0), heartbeat(stream, 1, 0, dropped={"queue_full": 3}), event(stream, 2, 30)],
    )
    land(landing, [heartbeat(stream, 2, 30, dropped={"queue_full": 4})])
    assert read_arrived(client, stream, since_hour=HOUR, hours=24).ratio == pytest.approx(2 / 6)
    assert read_arrived(client, stream, since_hour=HOUR + 7, hours=24).ratio == pytest.approx(1 / 2)


class Meanwhile:
    """A connection; behind the question of this number something else happens."""

    def __init__(self, connection, number, happens):
        self._connection, self._left, self._happens = connection, number, happens

    @property
    def has_happened(self):
        return self._left < 0

    def rows(self, *arguments, **options):
        rows = self._connection.rows(*arguments, **options)
        if self._left == 0:
            self._happens()
        self._left -= 1
        return rows


def test_what_lands_between_two_questions_is_not_missing(landing, client, stream):
    """A block lands with the heartbeat that counts it: it is sent and landed, or neither."""
    land(landing, [event(stream, 1, 3), heartbeat(stream, 1, 3)])
    last, moments = 1, 0
    for moment in itertools.count():

        def more(number=last + 1):
            land(landing, [event(stream, number, 3), heartbeat(stream, number, 3)])

        asked = Meanwhile(client, moment, more)
        sent, landed = arrived(asked, stream)
        assert sent == landed
        if not asked.has_happened:
            break
        last, moments = last + 1, moments + 1
    assert moments > 3


def test_a_session_that_ended_before_is_left_out(landing, client, stream):
    land(landing, [event(stream, 1, 0), heartbeat(stream, 50, 0), event(stream, 1, 30, session="b")])
    assert arrived(client, stream, since=7) == (1, 1)


def test_doubled_events_are_counted_once(landing, client, stream):
    twice = event(stream, 1, 0)
    land(landing, [twice, twice, event(stream, 2, 0)])
    assert arrived(client, stream) == (2, 2)


def test_nothing_sent_is_nothing_missing(client, stream):
    found = read_arrived(client, stream, since_hour=HOUR, hours=24)
    assert found == Arrived(newest_s=0, sent=0, landed=0)
    assert found.ratio == 1.0


def test_predictions_of_runs_that_nobody_registered_are_counted_until_somebody_does(landing, client, stream):
    land(landing, [event(stream, 1, 0, run="known"), event(stream, 2, 1, run="lost"), event(stream, 3, 9)])
    other = {"training_run_id": "lost", "model_name": "another model", "registered_time": 0}
    known = {"training_run_id": "known", "model_name": stream.model_name, "registered_time": 0}
    runs = [{"model_version": "3", "reference_rows": 0, **run} for run in (known, other)]
    land(landing, [Record(TRAINING_RUNS_TOPIC, b"", encode_record(TRAINING_RUN, run)) for run in runs])
    assert count_unregistered(client, stream, since_hour=HOUR) == 2
    assert count_unregistered(client, stream, since_hour=HOUR + 2) == 1
    late = {**runs[1], "model_name": stream.model_name}
    land(landing, [Record(TRAINING_RUNS_TOPIC, b"", encode_record(TRAINING_RUN, late))])
    assert count_unregistered(client, stream, since_hour=HOUR) == 1


def test_what_arrived_is_read_while_many_streams_are_being_derived(landing, client):
    """Hours of more than twenty streams are named in one list, beside what is asked for."""
    for number in range(22):
        with make_logger(landing.log, model_name=f"many-{number}") as logger:
            logger.log({"amount": 1.0}, event_time=490_008 * 3600.0)
    landing.lander.run_until_idle()
    stream = Stream("many-3", "3", "production")
    assert read_arrived(client, stream, since_hour=490_000, hours=24).landed == 1
    landing.land()
