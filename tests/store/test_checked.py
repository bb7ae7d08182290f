"""What is reported of one event's values is what the engine counted of them."""

from __future__ import annotations

from collections import Counter

import pytest

from driftline.store.checked import find_broken, find_unseen
from driftline.store.invalid import read_invalid
from driftline.store.rules import set_rules
from driftline.store.trace import trace
from tests.profiling.broken_values import KINDS, event, register
from tests.support.landing import put

EVENTS = [event(number) for number in range(3 * len(KINDS))]


@pytest.fixture(scope="module")
def rows(landing):
    register(landing, "checked")
    ids = put(landing, [arguments for arguments, _ in EVENTS], model_name="checked")
    return [trace(landing.client, event_id)["prediction"] for event_id in ids]


def test_each_broken_rule_is_reported_under_its_reason(client, rows):
    reported = [dict(find_broken(client, row)) for row in rows]
    assert reported == [{} if broken is None else dict([broken]) for _, broken in EVENTS]


def test_the_engine_counted_the_same(client, rows):
    reported = Counter(pair for row in rows for pair in find_broken(client, row).items())
    counted = {(each.feature, each.reason): each.count for each in read_invalid(client, model_name="checked")}
    assert reported == counted


def test_an_event_is_held_to_the_rules_in_force_as_its_hour_is(client, rows):
    kind = KINDS.index("all well")
    assert find_broken(client, rows[kind]) == {}
    set_rules(client, "checked", {"amount": {"maximum": 0.0}})
    assert dict(find_broken(client, rows[kind])) == {"amount": "above_range"}
    set_rules(client, "checked", {"amount": {}})
    assert find_broken(client, rows[kind]) == {}


def test_a_reference_breaks_no_rule_since_it_makes_them(client, rows):
    kind = KINDS.index("amount high")
    assert find_broken(client, rows[kind])
    assert find_broken(client, {**rows[kind], "environment": "reference"}) == {}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("amount high", {"amount": "the reference held 0 to 10"}),
        ("amount at the upper limit", {"amount": "the reference held 0 to 10"}),
        ("another city", {"city": "the reference never held this value"}),
        ("amount NaN", {}),
        ("all well", {}),
    ],
)
def test_what_the_reference_never_held_is_described(client, rows, kind, expected):
    assert dict(find_unseen(client, rows[KINDS.index(kind)])) == expected


def test_without_a_reference_nothing_is_unseen(landing, client):
    (event_id,) = put(landing, [EVENTS[-1][0]], model_name="checked-bare")
    assert find_unseen(client, trace(client, event_id)["prediction"]) == {}
