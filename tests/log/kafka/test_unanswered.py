"""What a coordinator left unanswered is known from librdkafka's statistics, once the coordinator is back."""

from __future__ import annotations

import json

import pytest

from driftline.log.kafka.unanswered import Unanswered


def statistics(**coordinator):
    brokers = {"127.0.0.1:9092/1": {"state": "UP", "req_timeouts": 7}}
    return json.dumps({"brokers": {**brokers, **({"GroupCoordinator": coordinator} if coordinator else {})}})


@pytest.mark.parametrize(
    ("coordinators", "is_over"),
    [
        ([], False),
        ([{}], False),
        ([{"state": "UP", "req_timeouts": 0}], False),
        ([{"state": "APIVERSION_QUERY", "req_timeouts": 1}], False),
        ([{"state": "INIT", "req_timeouts": 1}, {"state": "UP", "req_timeouts": 1}], True),
    ],
)
def test_something_was_left_unanswered_and_is_over_once_the_coordinator_is_up(coordinators, is_over):
    """Other brokers' timeouts are not the group's."""
    unanswered = Unanswered()
    for coordinator in coordinators:
        unanswered(statistics(**coordinator))
    assert unanswered.is_over is is_over
