"""Who looked at pages of predictions is logged behind the answer, which neither waits for that nor fails."""

from __future__ import annotations

import time

import pytest
from starlette.testclient import TestClient

from driftline.metrics import Metrics
from driftline.store.access import read_accesses
from driftline.web import WEB_METRICS, create_app
from driftline.web.access import UNLOGGED
from tests.support.landing import Landing, put
from tests.support.running import Place, wait_until


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    opened = Landing(Place(tmp_path_factory.mktemp("access")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def event_id(landing):
    (event_id,) = put(landing, [{"features": {"x": 1.0}, "label": "yes"}], model_name="seen")
    return event_id


@pytest.fixture
def metrics():
    return Metrics(WEB_METRICS)


def visiting(landing, metrics, **options):
    app = create_app(landing.store, metrics, clock=time.time, **options)
    return TestClient(app, base_url="http://127.0.0.1", client=("10.1.2.3", 5))


def looks(landing, since, count):
    def found():
        return [each for each in read_accesses(landing.client) if each.at.timestamp() * 1000 >= since]

    wait_until(lambda: len(found()) >= count, what="the log of looks")
    return found()


@pytest.fixture
def now_ms(landing):
    return int(landing.client.rows("SELECT toUnixTimestamp64Milli(now64(3))")[0][0])


def test_a_page_of_a_prediction_and_a_list_of_them_are_logged_and_other_pages_are_not(
    landing, metrics, event_id, now_ms
):
    with visiting(landing, metrics) as browser:
        assert browser.get("/").status_code == 200
        assert browser.get(f"/predictions/{event_id}").status_code == 200
        assert browser.get("/models/seen/predictions?days=7").status_code == 200
        found = looks(landing, now_ms, 2)
    logged = {(each.how, each.asked, each.event_id, each.model_name) for each in found}
    assert logged == {
        ("prediction", f"/predictions/{event_id}", event_id, ""),
        ("explorer", "/models/seen/predictions?days=7", "", "seen"),
    }
    assert {(each.who, each.known_by) for each in found} == {("10.1.2.3", "address")}


def test_a_page_that_was_not_shown_is_not_logged(landing, metrics, event_id, now_ms):
    with visiting(landing, metrics) as browser:
        assert browser.get("/predictions/00000000-0000-4000-8000-000000000000").status_code == 404
        browser.get(f"/predictions/{event_id}")
        assert [each.event_id for each in looks(landing, now_ms, 1)] == [event_id]


def test_each_look_is_logged_also_when_the_page_was_made_for_another(landing, metrics, event_id, now_ms):
    with visiting(landing, metrics) as browser:
        for _ in range(3):
            browser.get(f"/predictions/{event_id}")
        assert len(looks(landing, now_ms, 3)) == 3


def test_a_proxys_header_says_who_only_where_it_is_named(landing, metrics, event_id, now_ms):
    asked = f"/predictions/{event_id}"
    with visiting(landing, metrics, user_header="X-Forwarded-User") as browser:
        browser.get(asked, headers={"X-Forwarded-User": "ada"})
        looks(landing, now_ms, 1)
    with visiting(landing, metrics) as browser:
        browser.get(asked, headers={"X-Forwarded-User": "mallory"})
        found = looks(landing, now_ms, 2)
    assert sorted((each.who, each.known_by) for each in found) == [("10.1.2.3", "address"), ("ada", "header")]


def test_where_looks_cannot_be_logged_pages_are_shown_and_the_looks_counted(landing, metrics, event_id):
    landing.client.command("RENAME TABLE access_log TO access_log_away")
    try:
        with visiting(landing, metrics) as browser:
            assert browser.get(f"/predictions/{event_id}").status_code == 200
            wait_until(lambda: metrics.series(UNLOGGED)[()] == 1, what="the count of looks")
    finally:
        landing.client.command("RENAME TABLE access_log_away TO access_log")
