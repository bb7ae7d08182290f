"""Which predictions a filter finds, and in which order."""

from __future__ import annotations

import math
import time
from contextlib import closing

import pytest

from driftline.domain.streams import Stream
from driftline.errors import SettingError
from driftline.store import predictions
from driftline.store.predictions import (
    Cursor,
    Filter,
    read_feature_names,
    read_predictions,
    read_versions,
)
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.traffic import START_S

MODEL = "explored"
NUMBERS = [float(number) for number in range(20)]
ODD = {"features": {"amount": math.nan}, "prediction": 0.5}
HUGE = {"features": {"amount": -math.inf, "note": "nan"}, "label": "late"}
BARE = {"features": {"city": "Oslo"}, "tags": {"region": "north"}}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    landing = Landing(Place(tmp_path_factory.mktemp("explored")))
    with closing(landing):
        plain = [
            {
                "features": {"amount": number, "city": ["Bergen", "Cork"][int(number) % 2]},
                "prediction": number / 20,
                "tags": {"region": "south"},
                "event_time": START_S + number * 600,
            }
            for number in NUMBERS
        ]
        odd = [{**event, "event_time": START_S + 99_999.0} for event in (ODD, HUGE, BARE)]
        ids = put(landing, [*plain, *odd], model_name=MODEL)

        def find(limit=100, after=None, **wanted):
            rows = read_predictions(
                landing.client, Stream(MODEL, "3", "production"), Filter(**wanted), limit=limit, after=after
            )
            return rows, [ids.index(str(row.event_id)) for row in rows]

        find.client = landing.client
        yield find


ODD_PLACES = {20, 21, 22}


def test_the_newest_comes_first(found):
    _, places = found()
    assert set(places[:3]) == ODD_PLACES
    assert places[3:] == list(range(19, -1, -1))


def test_a_list_goes_on_behind_any_of_them_also_among_those_of_one_moment(found):
    _, whole = found()
    rows, places = found(limit=1)
    while rows and len(places) <= len(whole):
        rows, more = found(limit=1, after=rows[-1].cursor)
        places += more
    assert places == whole


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({"feature": "amount", "low": 18.0}, {18, 19}),
        ({"feature": "amount", "high": 0.0}, {0, 21}),
        ({"feature": "amount", "value": "7"}, {7}),
        ({"feature": "amount", "value": "nan"}, {20}),
        ({"feature": "amount", "value": "-inf"}, {21}),
        ({"feature": "amount", "value": "inf"}, set()),
        ({"feature": "amount", "is_missing": True}, {22}),
        ({"feature": "note", "value": "nan"}, {21}),
        ({"feature": "city", "value": "Cork", "until": START_S + 4 * 600}, {1, 3}),
        ({"feature": "city", "value": "Cork", "since": START_S + 17 * 600}, {17, 19}),
        ({"feature": "prediction.number", "low": 0.95}, {19}),
        ({"feature": "prediction.number", "is_missing": True}, {21, 22}),
        ({"feature": "prediction.label", "value": "late"}, {21}),
        ({"part": "region=north"}, {22}),
        ({"part": "city=Oslo"}, {22}),
        ({"part": "city=", "feature": ""}, set()),
        ({"part": "city", "feature": "city", "value": "Oslo"}, {22}),
    ],
)
def test_values_parts_and_times_choose(found, wanted, places):
    for name in ("since", "until"):
        if name in wanted:
            moment = time.gmtime(wanted[name])
            text = time.strftime("%Y-%m-%dT%H:%M:%S.000000", moment)
            wanted = {**wanted, name: Cursor.parse(f"{text}_00000000-0000-0000-0000-000000000000").time}
    assert set(found(**wanted)[1]) == places


def test_the_value_of_the_feature_that_is_asked_for_is_reported(found):
    rows, places = found(feature="city")
    reported = dict(zip(places, [row.value for row in rows], strict=True))
    assert (reported[0], reported[1], reported[20], reported[22]) == ("Bergen", "Cork", None, "Oslo")


def test_a_cursor_is_read_as_it_was_written(found):
    rows, _ = found(limit=1)
    assert Cursor.parse(str(rows[0].cursor)) == rows[0].cursor
    with pytest.raises(ValueError, match=r"."):
        Cursor.parse("2013_x")


def test_versions_and_features_are_those_that_there_are(found):
    assert read_versions(found.client, MODEL) == [Stream(MODEL, "3", "production")]
    names = read_feature_names(found.client, Stream(MODEL, "3", "production"))
    assert names == ["amount", "city", "note", "prediction.label", "prediction.number"]


def test_what_takes_too_long_is_reported_as_a_question_to_narrow(found, monkeypatch):
    monkeypatch.setattr(
        predictions, "ROWS", predictions.ROWS.replace("WHERE", "WHERE sleepEachRow(0.2) = 0 AND")
    )
    monkeypatch.setattr(predictions, "_PATIENCE_S", 1)
    with pytest.raises(SettingError, match="name a shorter time"):
        found()
