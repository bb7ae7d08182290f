"""The page of a model's performance: what it is worth now, where, and what that rests on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from driftline.errors import NotFoundError
from driftline.metrics import Metrics
from driftline.store.segments import name_segments
from driftline.web import WebServer, create_app
from driftline.web.views.performance import view_performance
from driftline.web.views.streams import Choice
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger
from tests.web.browser import Browser

NAMES = ("origin=<b>", "origin=EWR")


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """Ten days of which the truth takes half a day, by two versions."""
    opened = Landing(Place(tmp_path_factory.mktemp("page")))
    name_segments(opened.client, "late & lost", NAMES)
    now = datetime.now(UTC)
    for version in ("1", "2"):
        with make_logger(opened.log, model_name="late & lost", model_version=version) as logger:
            for number in range(240):
                when = now - timedelta(hours=240 - number)
                event_id = logger.log(
                    prediction=0.9 if number % 2 else 0.1,
                    label="late" if number % 2 else "on time",
                    event_time=when,
                    tags={"origin": "EWR" if number % 3 else "<b>"},
                )
                if number < 228:
                    truth = float((number % 2) ^ (number % 10 == 0))
                    logger.log_outcome(event_id, truth, observed_time=when + timedelta(hours=12))
    opened.land()
    yield opened
    opened.close()


def test_final_and_partial_values_of_all_versions_are_shown(landing):
    view = view_performance(landing.client, "late & lost", Choice(days=28))
    assert (view.timeline.task.kind, view.timeline.task.positive) == ("binary", {"late"})
    assert view.segments == sorted(NAMES)
    assert {each.stream.model_version for each in view.periods} == {"1", "2"}
    assert [each.is_final for each in view.periods[-8:]] == [True] * 8
    assert not view.periods[0].is_final
    accuracy = next(metric for metric in view.metrics if metric.name == "accuracy")
    assert accuracy.drawn.count('class="point final"') >= 16
    assert (
        view_performance(landing.client, "late & lost", Choice(days=28), segment=NAMES[1])
        .periods[-1]
        .predictions
        < 24
    )


def test_a_model_without_outcomes_is_not_found(landing):
    with pytest.raises(NotFoundError, match="log_outcome"):
        view_performance(landing.client, "nobody", Choice(days=28))


def test_the_page_names_what_it_shows_whatever_that_holds(landing):
    server = WebServer(create_app(landing.store, Metrics(), clock=time.time), "127.0.0.1", 0)
    server.start()
    try:
        browser = Browser(server.url, "", landing.store)
        page = browser.get("/models/late%20%26%20lost/performance?segment=origin%3D%3Cb%3E")
    finally:
        server.stop()
    assert "where origin=&lt;b&gt;" in page
    assert "Yes means late" in page
    assert "<b>" not in page.replace("</b>", "").replace("<b>late", "")
