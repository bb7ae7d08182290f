"""Segments: whatever landed, before they were set or since, each is counted as the whole traffic is."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.errors import SettingError, StatementError
from driftline.profiles import Grid
from driftline.store import grids
from driftline.store.grids import read_grids
from driftline.store.profiles import read_segment_hours
from driftline.store.segments import (
    MAX_SEGMENTS,
    MAX_VALUES,
    name_segments,
    read_segments,
    set_segments,
    wanted_segments,
)
from tests.store.counted import HOUR, assert_equal_to_numpy, events, made
from tests.store.counted_segments import CITIES, assert_all_counted, assert_counted, read, stream
from tests.support.landing import put
from tests.support.profiling import together

REGIONS = np.array(["north", "south"])


def tagged(columns):
    """Events whose region goes by their place."""
    for place, event in enumerate(events(columns)):
        yield {**event, "tags": {"region": str(REGIONS[place % 2])}}


def region_of(columns):
    return REGIONS[np.arange(len(columns["hour"])) % 2]


def test_a_model_without_segments_has_none(landing, client):
    put(landing, events(made(50, seed=1)), model_name="bare")
    assert read_segments(client, stream("bare")) == []
    assert read(client, "bare", "city=Bergen").profiles == []
    assert wanted_segments(client, "bare") == []
    rows = "SELECT count() FROM profiles WHERE model_name = 'bare' AND segment != ''"
    assert client.rows(rows) == [(0,)]


def test_a_segment_counts_what_landed_before_it_was_set_and_since(landing, client):
    before, after = made(400, seed=2), made(300, seed=3)
    put(landing, events(before), model_name="set later")
    assert set_segments(client, "set later", ["city"]) == CITIES == wanted_segments(client, "set later")
    assert read_segments(client, stream("set later")) == []
    put(landing, events(after), model_name="set later")
    assert_all_counted(client, "set later", together(before, after))


def test_segments_are_named_before_anything_landed(landing, client):
    assert name_segments(client, "named", [*reversed(CITIES), "city=Cork", "city=Cork"]) == [
        *CITIES,
        "city=Cork",
    ]
    landing.land()
    columns = made(300, seed=4)
    put(landing, events(columns), model_name="named")
    assert_all_counted(client, "named", columns)


def test_an_event_is_in_the_segments_of_its_tags_and_of_its_features(landing, client):
    columns = made(400, seed=5)
    put(landing, tagged(columns), model_name="tagged")
    wanted = set_segments(client, "tagged", ["region", "city"])
    assert wanted == [*CITIES, "region=north", "region=south"]
    landing.land()
    region = region_of(columns)
    for name in REGIONS:
        assert_counted(client, "tagged", columns, f"region={name}", region == name)
    for segment in CITIES:
        assert_counted(client, "tagged", columns, segment, columns["city"] == segment[5:])


def test_several_segments_are_read_at_once_as_each_is_read_alone(landing, client):
    columns = made(300, seed=12)
    name_segments(client, "at once", ["city=Bergen", "region=north"])
    put(landing, tagged(columns), model_name="at once")
    segments = ["", "city=Bergen", "region=north", "region=nowhere"]
    found = read_segment_hours(
        client, stream("at once"), first_hour=HOUR, end_hour=HOUR + 10, segments=segments
    )
    for segment in segments:
        alone = read(client, "at once", segment)
        assert (found[segment].end_hour, len(alone.profiles)) == (HOUR + 10, len(found[segment].profiles))
        for one, other in zip(found[segment].profiles, alone.profiles, strict=True):
            assert (one.hour, one.rows, one.categorical) == (other.hour, other.rows, other.categorical)
            assert {name: counts.counts.tolist() for name, counts in one.numeric.items()} == {
                name: counts.counts.tolist() for name, counts in other.numeric.items()
            }
    assert [len(found[segment].profiles) for segment in segments] == [3, 3, 3, 0]


def test_a_tag_and_a_feature_of_one_name_and_value_count_an_event_once(landing, client):
    columns = made(60, seed=6)
    name_segments(client, "both", ["city=Bergen"])
    put(
        landing,
        ({**event, "tags": {"city": "Bergen"}} for event in events(columns)),
        model_name="both",
    )
    assert_counted(client, "both", columns, "city=Bergen", np.full(60, True))


def test_a_feature_that_is_called_as_a_segment_keeps_its_grid(landing, client, monkeypatch):
    rows = [
        {**event, "features": {**event["features"], "city=Bergen": 5.0 + place % 40}}
        for place, event in enumerate(events(made(300, seed=7)))
    ]
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", 100)
    name_segments(client, "one hot", ["city=Bergen"])
    put(landing, rows, model_name="one hot")
    chosen = read_grids(client, "one hot")["city=Bergen"]
    assert chosen == Grid.from_values([row["features"]["city=Bergen"] for row in rows])
    held = read(client, "one hot", "city=Bergen").profiles[0].numeric["city=Bergen"].buckets
    assert set(held) <= set(chosen.bucket(np.arange(5.0, 45.0)))


def test_grids_that_are_chosen_later_keep_the_segments(landing, client, monkeypatch):
    columns, more = made(300, seed=8), made(200, seed=9)
    put(landing, events(columns), model_name="regridded")
    set_segments(client, "regridded", ["city"])
    landing.land()
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", 100)
    put(landing, events(more), model_name="regridded")
    assert set(read_grids(client, "regridded")) == {"age", "amount"}
    assert_all_counted(client, "regridded", together(columns, more))


def test_segments_that_are_set_anew_replace_the_earlier_ones(landing, client):
    columns = made(300, seed=10)
    put(landing, tagged(columns), model_name="changed")
    for keys, expected in ((["city"], CITIES), (["region"], ["region=north", "region=south"]), ([], [])):
        set_segments(client, "changed", keys)
        landing.land()
        assert sorted(read_segments(client, stream("changed"))) == expected
    assert_equal_to_numpy(client, "changed", columns)
    set_segments(client, "changed", ["city"])
    landing.land()
    assert_all_counted(client, "changed", columns)


def test_an_hour_that_is_not_counted_in_the_segments_in_force_is_not_read(landing, client):
    put(landing, events(made(300, seed=11)), model_name="behind")
    name_segments(client, "behind", CITIES)
    hours = read(client, "behind", "city=Bergen")
    assert (hours.end_hour, hours.profiles) == (HOUR, [])
    assert read(client, "behind", "").end_hour == HOUR + 10
    landing.land()
    assert read(client, "behind", "city=Bergen").end_hour == HOUR + 10


def test_only_values_that_a_hundredth_of_the_rows_have_become_segments(landing, client):
    texts = ["often"] * 197 + ["seldom"] * 2 + ["once"]
    rows = [{"features": {"text": text}, "event_time": float(HOUR * 3600)} for text in texts]
    rows = [
        {**row, "tags": {"t": text} if text != "often" else {}} for row, text in zip(rows, texts, strict=True)
    ]
    put(landing, rows, model_name="rare")
    assert set_segments(client, "rare", ["text"]) == ["text=often", "text=seldom"]
    assert set_segments(client, "rare", ["t"]) == ["t=seldom"]


def test_of_a_key_with_very_many_values_the_most_frequent_are_taken(landing, client):
    rows = [
        {"features": {"text": f"w{number % 60:02}"}, "event_time": float(HOUR * 3600)}
        for number in range(630)
    ]
    put(landing, rows, model_name="many")
    chosen = set_segments(client, "many", ["text"])
    assert len(chosen) == MAX_VALUES
    assert {f"text=w{number:02}" for number in range(30)} <= set(chosen)


def test_what_can_not_be_counted_is_refused(client):
    with pytest.raises(SettingError, match="no tag or categorical feature 'nowhere'"):
        set_segments(client, "bare", ["nowhere"])
    with pytest.raises(SettingError, match="'north' is not key=value"):
        name_segments(client, "bare", ["north"])
    too_many = [f"n={number}" for number in range(MAX_SEGMENTS + 1)]
    with pytest.raises(SettingError, match="201 segments of model 'bare'; at most 200"):
        name_segments(client, "bare", too_many)
    with pytest.raises(StatementError, match="segments_bounded"):
        client.insert("monitored_segments", [["bare", too_many]], column_names=["model_name", "segments"])
    with pytest.raises(SettingError, match="its name is empty"):
        name_segments(client, "", [])
    assert wanted_segments(client, "bare") == []
