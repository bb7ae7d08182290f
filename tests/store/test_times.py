"""Whatever time an event claims, it lands, in an hour that had begun, or it is set aside and counted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.domain.streams import Stream
from driftline.store.ledger import read_ledger
from driftline.store.profiles import read_streams
from driftline.store.set_aside import read_set_aside
from tests.support.landing import put

FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
TOLERANCE = timedelta(days=1)
TIMES = st.datetimes(END.replace(year=1970, tzinfo=None), END.replace(year=2099, tzinfo=None)).map(
    lambda time: time.replace(tzinfo=UTC)
)
ROW = (
    "SELECT event_time, counted_time, hour, set_aside, landed_at FROM predictions WHERE event_id = {id:UUID}"
)


def read(client, event_id):
    row = client.rows(ROW, parameters={"id": str(event_id)})[0]
    return [part.replace(tzinfo=UTC) if isinstance(part, datetime) else part for part in row]


def insert(client, table, **values):
    event_id = uuid.uuid4()
    names = {
        "event_id": str(event_id),
        "model_name": "times",
        "model_version": "1",
        "training_run_id": "r",
        "session_id": "s",
        "sequence": 1,
        "environment": "production",
        **values,
    }
    written = ", ".join(value if str(value).startswith("from") else repr(value) for value in names.values())
    client.command(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({written})")
    return event_id


def micros(time):
    return f"fromUnixTimestamp64Micro({(time - FIRST) // timedelta(microseconds=1)}, 'UTC')"


@given(TIMES, TIMES, st.sampled_from(["production", "reference", "shadow"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_hour_is_later_than_the_landing_whatever_clocks_say(client, sent, landed, environment):
    """Both clocks over the whole range: of who sent it, and of the store."""
    landed = landed.replace(microsecond=landed.microsecond // 1000 * 1000)
    times = {"event_time": micros(sent), "landed_at": micros(landed), "environment": environment}
    _, counted, hour, set_aside, _ = read(client, insert(client, "predictions", **times))
    is_old, is_future = sent < FIRST.replace(year=1971), sent > landed + TOLERANCE
    assert counted == (landed if is_old or sent > landed else sent)
    assert hour == counted.replace(minute=0, second=0, microsecond=0)
    if environment == "reference":
        assert set_aside == ""
    else:
        assert set_aside == ("future" if is_future else "old" if is_old else "")


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-62135596800000000, 253402300799999999)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_time_that_the_store_cannot_hold_is_moved_to_its_bounds(client, number):
    """Years 1 to 9999, and whatever else fits into the wire's 64 bits."""
    event_id = insert(client, "prediction_inbox", event_time=f"fromUnixTimestamp64Micro({number}, 'UTC')")
    sent, counted, hour, set_aside, landed = read(client, event_id)
    assert FIRST <= sent < END
    exact = number / 1e6
    if 0 <= exact < (END - FIRST).total_seconds():
        assert (sent - FIRST) // timedelta(microseconds=1) == number
    assert counted <= landed
    assert hour <= landed
    if exact > (landed + TOLERANCE - FIRST).total_seconds() + 60:
        assert set_aside == "future"
    elif exact < 365 * 86400:
        assert set_aside == "old"


@pytest.mark.parametrize(
    ("ahead_s", "reason"), [(20 * 3600, ""), (60 * 86400, "future"), (73 * 365 * 86400, "future")]
)
def test_an_event_ahead_of_its_landing_is_of_the_hour_that_it_landed_in_or_set_aside(
    landing, client, ahead_s, reason
):
    model, now = f"ahead-{ahead_s}", datetime.now(UTC)
    features = {"features": {"amount": 1.0}}
    put(
        landing,
        [features, {**features, "event_time": min(now.timestamp() + ahead_s, 4.1e9)}],
        model_name=model,
    )
    (line,) = (line for line in read_ledger(client) if line.model_name == model)
    (span,) = (span for span in read_streams(client) if span.stream.model_name == model)
    assert (line.sent, line.landed, line.missing) == (2, 2, 0)
    assert line.set_aside == ({reason: 1} if reason else {})
    assert span.rows == (1 if reason else 2)
    assert 0 <= span.last_hour - now.timestamp() // 3600 <= 1


def test_a_stream_of_which_everything_was_set_aside_is_reported(landing, client):
    put(landing, [{"features": {"amount": 1.0}, "event_time": 0} for _ in range(3)], model_name="epoch")
    assert read_set_aside(client, model_name="epoch") == {Stream("epoch", "3", "production"): {"old": 3}}
    (span,) = (span for span in read_streams(client) if span.stream.model_name == "epoch")
    assert (span.rows, span.old) == (0, 3)
