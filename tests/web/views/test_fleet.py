"""The first page, on a real store."""

from __future__ import annotations

import re

import pytest

from driftline.web.views.fleet import FleetRow, FleetView
from tests.web.browser import text_of


def row(page: str, model: str) -> str:
    """Return what the first page says of one model."""
    rows = [text_of(part) for part in re.findall(r"<tr>.*?</tr>", page, flags=re.DOTALL)]
    return next(each for each in rows if each.startswith(model))


def test_leads_with_which_model_and_feature_drifted_and_since_when(site):
    text = text_of(site.get("/"))
    assert text.startswith("driftline flight-delay has drifted, 5 others did not")
    assert "flight-delay: temp drifted since 19 Jul 2013, 10:00 UTC" in text
    assert "nulls rose from 1.0 % to 31.0 %, against the same hours of past weeks" in text
    assert "What was it? driftline ack a1b2c3d4e5f6 --real, --noise or --accept" in text


def test_shows_the_model_that_drifted_first_and_then_what_is_not_judged(site):
    names = re.findall(r'<th scope="row"><a href="[^"]*">(.*?)</a>', site.get("/"))
    assert names[:4] == ["flight-delay", "crew", "fare", "young"]


def test_calls_only_what_drifts_now_drifted(site):
    page = site.get("/")
    assert "drifted 1 incident" in row(page, "flight-delay")
    assert "drifted" not in row(page, "crew") + row(page, "young")


def test_leads_to_the_whole_incident_and_to_the_feature(site):
    page = site.get("/")
    for link in ("/incidents/a1b2c3d4e5f6", "/models/flight-delay/features/temp?version=3"):
        assert f'href="{link}"' in page
        site.get(link)


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        (("learning", "insufficient_data"), "Not judged yet"),
        (("learning", "ok"), "No model drifts now, 1 not judged yet"),
        (("warn", "ok"), "No model drifts now"),
        ((), "No model yet"),
    ],
)
def test_does_not_call_quiet_what_nobody_judged(states, headline):
    rows = [FleetRow(str(place), None, state) for place, state in enumerate(states)]
    assert FleetView(rows, (), (), None, None).headline == headline


def test_says_why_a_model_is_not_judged(site):
    page = site.get("/")
    assert "Not judged now: why incomplete." in row(page, "crew")
    assert "Learning, why learning." in row(page, "young")


def test_says_what_arrived_of_the_newest_window_and_when_it_ended(site):
    assert row(site.get("/"), "flight-delay").endswith("99.8 % 21 Jul 2013, 14:00")


def test_an_incident_stands_in_the_strip_from_its_first_hour_to_its_last(site):
    strip = (
        site.get("/").partition('<th scope="row"><a href="/models/flight-delay">')[2].partition("</svg>")[0]
    )
    assert "<title>19 Jul 2013, 10:00 UTC to 21 Jul 2013, 14:00 UTC</title>" in strip


@pytest.mark.parametrize(("days", "expected"), [("7", False), ("28", True), ("junk", True)])
def test_lists_earlier_incidents_of_the_days_asked_for(site, days, expected):
    text = text_of(site.get(f"/?days={days}"))
    assert ("flight-delay: carrier, 11 Jul 2013, 14:00 UTC, for 11 h" in text) is expected


def test_an_incident_that_was_taken_back_is_shown_nowhere(site):
    assert "dddddddddddd" not in site.get("/?days=365")


def test_shows_the_models_of_a_project(site):
    page = site.get("/")
    link = "/?project=%3Ci%3Edesk%3C%2Fi%3E+%26+co"
    assert f'href="{link}"' in page
    assert "<i>desk" not in page
    of_project = site.get(link)
    assert 'href="/models/fare"' in of_project
    assert 'href="/models/crew"' not in of_project
    assert "/?days=7&amp;project=" in of_project
    assert "No model is in project &#39;desk&#39;" in site.get("/?project=desk", status=404)
