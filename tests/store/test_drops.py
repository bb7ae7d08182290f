"""What sessions say that they dropped, in all and by hour."""

from __future__ import annotations

import time

from driftline.domain.streams import Stream
from driftline.log import Record
from driftline.store.drops import MOST_VALUES, OTHER_VALUES, read_drops, read_drops_by_hour
from driftline.wire import SESSION, SESSIONS_TOPIC, encode_record

DAY_US = 86_400_000_000


def say(landing, model, *sessions, ago_us=0):
    """Land a heartbeat of each session."""
    time_us = int(time.time() * 1e6) - ago_us
    records = [
        Record(
            SESSIONS_TOPIC,
            b"",
            encode_record(
                SESSION,
                {
                    "session_id": f"{model} {place}",
                    "model_name": model,
                    "model_version": "1",
                    "environment": "production",
                    "beat_time": time_us,
                    "last_sequence": 0,
                    "last_outcome_sequence": 0,
                    **counts,
                },
            ),
        )
        for place, counts in enumerate(sessions)
    ]
    landing.log.writer().append(records)
    landing.land()


def drops_of(client, model):
    (drops,) = read_drops(client, model_name=model)
    assert drops.stream == Stream(model, "1", "production")
    return drops


def test_sessions_of_a_stream_add_up_by_reason_and_by_feature(landing, client):
    one = {"dropped": {"queue_full": 3}, "unencodable": {"vector": 5}, "rounded": {"price": 1}}
    other = {"dropped": {"queue_full": 4, "closed": 1}, "abandoned": {"log_unusable": 2}}
    say(landing, "sum", one, other | {"unencodable": {"vector": 1}})
    drops = drops_of(client, "sum")
    assert drops.dropped == {"queue_full": 7, "closed": 1, "log_unusable": 2}
    assert (drops.unencodable, drops.rounded) == ({"vector": 6}, {"price": 1})


def test_a_stream_that_dropped_nothing_is_not_among_them(landing, client):
    say(landing, "whole", {}, {"dropped_outcomes": {"missing_actual": 1}})
    assert read_drops(client, model_name="whole") == []
    assert Stream("whole", "1", "production") not in read_drops_by_hour(client)


def test_features_are_bounded_and_the_others_counted_together(landing, client):
    counts = {f"{place:03}": place for place in range(1, MOST_VALUES + 3)} | {OTHER_VALUES: 1_000}
    say(landing, "many", {"unencodable": counts})
    found = drops_of(client, "many").unencodable
    assert len(found) == MOST_VALUES + 1
    assert found["102"] == 102
    assert found[OTHER_VALUES] == 1_000 + 1 + 2


def test_a_stream_whose_sessions_fell_silent_a_day_ago_is_not_recent(landing, client):
    say(landing, "old", {"dropped": {"closed": 1}}, ago_us=DAY_US + 60_000_000)
    say(landing, "new", {"dropped": {"closed": 1}})
    assert (drops_of(client, "old").is_recent, drops_of(client, "new").is_recent) == (False, True)


def test_what_is_reported_again_is_counted_once(landing, client):
    for _ in range(2):
        say(landing, "again", {"dropped": {"closed": 5}})
    by_hour = read_drops_by_hour(client, Stream("again", "1", "production"))
    assert sum(by_hour[Stream("again", "1", "production")].values()) == 5
