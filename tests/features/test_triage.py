"""For an incident somebody is to blame: upstream, serving or the model, or that nothing says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from driftline.domain.streams import Stream
from driftline.features import FeatureService, FeatureView
from driftline.features.registering import register
from driftline.features.triage import triage_incident, triage_window
from driftline.store.feature_events import Window
from tests.features.world import (
    HOURS,
    SERVICE,
    START,
    WEATHER,
    events_of,
    incident,
    log_events,
    store_weather,
)
from tests.support.landing import Landing
from tests.support.running import Place

NOW_S = (START + timedelta(days=1)).timestamp()
ALL = 10 * 4 * HOURS


def in_fahrenheit(features):
    return {**features, "temp": features["temp"] * 1.8 + 32}


def without_sky(features):
    return {name: value for name, value in features.items() if name != "sky"}


def filled(features):
    return {name: 0.0 if value is None else value for name, value in features.items()}


SERVED = {
    "right": {},
    "fahrenheit": {"change": in_fahrenheit},
    "dropped": {"change": without_sky},
    "filled": {"change": filled},
    "stuck": {"stuck_at": 1},
    "silent": {"provenance": ()},
    "partly": {"provenance": ("A0", "A1")},
    "mended": {"change": in_fahrenheit, "until": 2},
    "slow clock": {"clock_behind": timedelta(seconds=62)},
}
NOBODYS = FeatureView("nobodys", WEATHER.entity, {"temp": "numeric"})


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """One model for each way to serve, all with one history of the weather."""
    landing = Landing(Place(tmp_path_factory.mktemp("triage")))
    register(landing.client, [SERVICE], author="a test")
    store_weather(landing.client)
    store_weather(landing.client, NOBODYS)
    for model, served in SERVED.items():
        events = events_of(landing.client, tmp_path_factory.mktemp(model), **served)
        log_events(landing.log, events, model)
    unregistered = FeatureService("unregistered", [NOBODYS])
    events = events_of(landing.client, tmp_path_factory.mktemp("unregistered"), service=unregistered)
    log_events(landing.log, events, "unregistered")
    landing.land()
    yield landing.client
    landing.close()


def triage(client, model, *features, **rest):
    return triage_incident(client, incident(model, *features, **rest), now_s=NOW_S)


def test_what_is_stored_so_and_moved_is_of_upstream(client):
    found = triage(client, "right", "temp")
    assert (found.blame, found.features[0].effect) == ("upstream", 0.4)
    assert "the model got what was stored" in found.why
    assert {each.feature: each.counts["equal"] for each in found.report.features} == {
        "temp": ALL,
        "wind": ALL,
        "sky": ALL,
    }


def test_a_change_of_unit_in_serving_is_named(client):
    found = triage(client, "fahrenheit", "temp")
    assert found.blame == "serving"
    assert "160 of 160 values are 1.8 times the stored value, and +32 (Celsius to Fahrenheit)" in found.why
    assert found.report.of("wind").mismatches == 0


def test_older_values_are_stale_and_by_how_long(client):
    found = triage(client, "stuck", "temp")
    assert found.blame == "serving"
    temp = found.report.of("temp")
    # From the second hour on: three quarters of all. They are late by 1 to 166 minutes.
    assert (temp.counts["stale"], temp.counts["equal"]) == (ALL * 3 / 4, ALL / 4)
    assert temp.behind_s == pytest.approx(83.5 * 60, rel=0.02)
    assert "values are older ones, 1.39 h late in the middle" in found.why


def test_what_serving_drops_or_fills_in_is_named(client):
    dropped = triage(client, "dropped", "sky")
    assert (dropped.blame, dropped.why) == ("serving", "sky: 160 of 160 values were stored and not logged")
    wind = triage(client, "filled", "wind", effect=0.1).report.of("wind")
    assert (wind.counts["extra"], wind.constant) == (ALL / 10, 0.0)


def test_where_features_are_as_stored_and_only_answers_moved_it_is_the_model(client):
    found = triage(client, "right", "prediction.number")
    assert (found.blame, found.features) == ("model", [])
    assert "the answers moved, and the features are what was stored" in found.why


def test_where_nothing_moved_and_all_is_as_stored_there_is_nothing_to_blame(client):
    window = Window(Stream("right", "3", "production"), START, START + timedelta(hours=HOURS))
    assert triage_window(client, window, now_s=NOW_S).blame == "none"
    served = Window(Stream("fahrenheit", "3", "production"), START, START + timedelta(hours=HOURS))
    assert triage_window(client, served, now_s=NOW_S).blame == "serving"


@pytest.mark.parametrize(
    ("model", "feature", "why"),
    [
        ("silent", "temp", "no prediction says where its features came from"),
        ("unregistered", "temp", "versions of views that nobody registered: nobodys@"),
        ("right", "amount", "'amount' is no feature of a view that these predictions were made from"),
        ("nobody", "temp", "no prediction of this window is kept"),
        ("partly", "temp", "only 32 of 160 predictions say where their features came from"),
        ("partly", "prediction.number", "only 32 of 160 predictions"),
        ("silent", "prediction.number", "no prediction says where its features came from"),
    ],
)
def test_an_unknown_provenance_is_its_own_answer_with_the_reason(client, model, feature, why):
    found = triage(client, model, feature)
    assert found.blame == "unknown"
    assert why in found.why


def test_where_serving_was_wrong_before_and_is_right_now_it_was_serving(client):
    found = triage(client, "mended", "temp", after=2)
    assert found.blame == "serving"
    assert "gets what is stored now, and did not before: 80 of 80 values are 1.8 times" in found.why


def test_of_what_moved_upstream_it_is_shown_where_it_was_and_where_it_is(client):
    found = triage(client, "right", "temp", after=2)
    assert found.blame == "upstream"
    assert "in the middle it was 14.75, and is 15.75" in found.why


def test_a_clock_that_is_a_little_behind_makes_no_difference(client):
    """By its own time the service reads values two seconds before they can be known."""
    assert triage(client, "slow clock", "temp").blame == "upstream"


def test_too_few_values_that_differ_do_not_explain_a_shift(client):
    found = triage(client, "filled", "wind", effect=0.6)
    assert found.blame == "upstream"
    assert "16 of 160 values were logged and not stored, which is too little to explain it" in found.why


def test_what_merely_differs_is_listed_and_does_not_explain_what_moved(client):
    found = triage(client, "filled", "temp", effect=0.3)
    assert (found.blame, found.why.partition(":")[0]) == ("upstream", "temp")
    assert [(each.feature, each.blame) for each in found.features] == [
        ("temp", "upstream"),
        ("wind", "serving"),
    ]


def test_of_a_segment_only_its_predictions_are_compared(client):
    found = triage(client, "fahrenheit", "temp", segment="half=low")
    assert found.report.of("temp").compared == ALL / 2
