"""What every online back end does. A new one joins by adding itself to `online_url` in conftest.py."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import OnlineError, SettingError
from driftline.features import Entity, FeatureService, FeatureView, OnDemandView
from driftline.features.online import (
    OnlineRow,
    Progress,
    ViewKey,
    get_online,
    get_online_many,
    open_online,
    read_provenance,
)
from driftline.features.online.provenance import Provenance, ViewRead

KEY = ViewKey("planes", "c1")
PLANE = Entity("plane", key="tailnum")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
PLANES = FeatureView(
    "planes", PLANE, {"seats": "numeric", "engine": "categorical"}, ttl=timedelta(minutes=10)
)
SERVICE = FeatureService("delays", [PLANES])


def row(entity, event, arrival, number=1.0, text="x"):
    return OnlineRow(entity, event, arrival, [number], [text])


def test_of_an_entity_the_newest_row_stays_whatever_order_rows_come_in(online):
    online.put(KEY, [row("a", 5, 1, 5.0), row("b", 1, 1)])
    online.put(KEY, [row("a", 4, 9, 4.0)])
    assert online.get(KEY, ["a"]) == [row("a", 5, 1, 5.0)]
    online.put(KEY, [row("a", 5, 3, 6.0), row("a", 5, 2, 7.0)])
    assert online.get(KEY, ["b", "a", "nobody"]) == [row("b", 1, 1), row("a", 5, 3, 6.0), None]


def test_values_come_back_as_they_were(online):
    hard = [
        OnlineRow("ø/\x00 'q' \"", 1, 2**61, [math.inf, -0.0, 0.1, None, 5e-324], ["", None, "\N{SNOWMAN}"])
    ]
    online.put(KEY, hard)
    assert online.get(KEY, [hard[0].entity]) == hard
    online.put(KEY, [OnlineRow("nan", 1, 1, [math.nan], [])])
    (found,) = online.get(KEY, ["nan"])
    assert math.isnan(found.numbers[0])


def test_views_and_computations_are_apart(online):
    online.put(KEY, [row("a", 1, 1)])
    assert online.get(ViewKey("planes", "c2"), ["a"]) == [None]
    assert online.get(ViewKey("others", "c1"), ["a"]) == [None]


def test_many_rows_come_at_once(online):
    many = [row(f"e{number}", number, number, float(number)) for number in range(1300)]
    online.put(KEY, many)
    assert online.get(KEY, [each.entity for each in many]) == many
    assert online.get(KEY, []) == []


def test_progress_is_kept_and_is_nothing_at_first(online_url):
    with closing(open_online(online_url)) as online:
        assert online.progress(KEY) == Progress(0, 0, 0)
        online.set_progress(KEY, Progress(2**61, 7, 3))
    with closing(open_online(online_url)) as online:
        assert online.progress(KEY) == Progress(2**61, 7, 3)


MOVES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 2**40), st.integers(0, 5), st.integers(0, 9)), max_size=30
)


@settings(max_examples=25)
@given(moves=MOVES, pieces=st.integers(1, 4))
def test_back_ends_agree_with_the_newest_of_all(online, moves, pieces):
    key = ViewKey("agree", str(hash((tuple(moves), pieces))))
    rows = [row(entity, event, arrival, float(number)) for entity, event, arrival, number in moves]
    for start in range(pieces):
        online.put(key, rows[start::pieces])
    newest = {}
    for start in range(pieces):
        for each in rows[start::pieces]:
            known = newest.get(each.entity)
            if known is None or (each.event_us, each.arrival) > (known.event_us, known.arrival):
                newest[each.entity] = each
    assert online.get(key, ["a", "b"]) == [newest.get("a"), newest.get("b")]


def put(online, entity, minutes_ago, seats, engine="jet"):
    event = NOW_US - round(minutes_ago * 60e6)
    online.put(ViewKey("planes", PLANES.computation), [OnlineRow(entity, event, 1, [seats], [engine])])


def ask(online, entity, service=SERVICE, **rest):
    return get_online(online, service, entity, clock=NOW.timestamp, **rest)


def test_null_missing_and_expired_are_three_things(online):
    put(online, "a", 1, None)
    put(online, "old", 10.1, 3.0)
    put(online, "just", 10, 3.0)
    assert ask(online, "a").features == {"seats": None, "engine": "jet"}
    assert ask(online, "a").statuses == {"seats": "null", "engine": "present"}
    assert (ask(online, "old").features, ask(online, "old").statuses["seats"]) == ({}, "expired")
    assert (ask(online, "no").features, ask(online, "no").statuses["seats"]) == ({}, "missing")
    assert ask(online, "just").features["seats"] == 3.0


def test_the_provenance_says_by_what_was_read_and_how_old_it_was(online):
    put(online, "7", 2, 3.0)
    put(online, "old", 11, 3.0)
    found = ask(online, 7.0)
    read = ViewRead(PLANES.version, PLANES.computation, "7", 120_000_000)
    assert found.provenance == Provenance("delays", SERVICE.version, NOW_US, {"planes": read})
    assert read_provenance({"region": "eu", **found.provenance.tags}) == found.provenance
    assert ask(online, "old").provenance.views["planes"].age_us is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[2, 1, 1, 1, {}]", '[1, "a", "b", "c", {}]', "[1, 1, 1, 1, [1]]"]
)
def test_a_tag_that_holds_no_provenance_is_none(text):
    assert read_provenance({"driftline.features": text} if text else {}) is None


def test_many_are_asked_at_once_each_with_its_request(online):
    put(online, "a", 1, 4.0)
    ratio = OnDemandView(
        "ratio",
        {"share": "numeric"},
        lambda row: {"share": None if row["seats"] is None else row["sold"] / row["seats"]},
        request=("sold",),
    )
    service = FeatureService("sold", [PLANES["seats"], ratio])
    found = get_online_many(
        online, service, ["a", "b"], requests=[{"sold": 2}, {"sold": 1}], clock=NOW.timestamp
    )
    assert [each.features for each in found] == [{"seats": 4.0, "share": 0.5}, {"share": None}]
    with pytest.raises(SettingError, match="wants 'sold' of the request"):
        ask(online, "a", service)


def test_a_service_of_several_entities_takes_a_key_of_each(online):
    airports = FeatureView("airports", Entity("airport", key="origin"), {"lanes": "numeric"})
    online.put(ViewKey("airports", airports.computation), [OnlineRow("EWR", 1, 1, [3.0], [])])
    put(online, "a", 1, 4.0)
    service = FeatureService("both", [PLANES["seats"], airports])
    found = ask(online, {"tailnum": "a", "origin": "EWR"}, service)
    assert found.features == {"seats": 4.0, "lanes": 3.0}
    assert found.provenance.views["airports"].entity == "EWR"
    with pytest.raises(SettingError, match="several entities"):
        ask(online, "a", service)
    with pytest.raises(SettingError, match="no key 'origin'"):
        ask(online, {"tailnum": "a"}, service)


def test_a_back_end_that_is_away_is_reported(tmp_path):
    with pytest.raises(OnlineError, match="Redis can't be used"):
        open_online("redis://127.0.0.1:1/0")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OnlineError, match="can't be used"):
        open_online(f"sqlite://{tmp_path}/file/features.db")
    with pytest.raises(SettingError, match="there are sqlite:///PATH"):
        open_online("mongodb://host/db")
