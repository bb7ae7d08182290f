"""One prediction, on a real store."""

from __future__ import annotations

import html
import re

import pytest

from tests.web.browser import text_of


@pytest.fixture(scope="module")
def event(site):
    """Return the address of a prediction with a temperature that no rule allows."""
    listed = site.get("/models/flight-delay/predictions?feature=temp&low=30.85")
    return html.unescape(re.search(r'href="(/predictions/[^"]*)"', listed)[1])


def test_leads_back_to_the_training_run(site, event):
    text = text_of(site.get(event)).partition("Training run")[2]
    assert "run run-7f3a, with what rebuilds it, registered" in text
    assert "git commit 9f3c2e1a7b" in text
    assert "artifact s3://models/flight-delay/3" in text
    assert "training data s3://data/flights, fingerprint 1f2e; 50 reference rows" in text
    assert "environment python 3.11" in text


def test_says_what_is_invalid_and_what_the_reference_never_held(site, event):
    text = text_of(site.get(event)).partition("remarks")[2]
    assert "temp 30.9 invalid: too large; the reference held 10 to 14.9 ▲ drifted" in text
    assert text.index("temp") < text.index("carrier")


def test_leads_to_the_incident_that_was_on_and_to_its_features_at_the_time(site, event):
    page = site.get(event)
    assert 'href="/incidents/a1b2c3d4e5f6"' in page
    link = html.unescape(re.search(r'href="(/models/[^"]*/features/temp[^"]*)"', page)[1])
    assert "temp ▲ drifted" in text_of(site.get(link))


def test_tells_the_outcome_as_it_was_corrected(site):
    listed = site.get("/models/flight-delay/predictions?until=2013-07-13T15:00")
    events = re.findall(r'href="(/predictions/[^"]*)"', listed)
    shown = next(text for text in map(text_of, map(site.get, events)) if "not known yet" not in text)
    assert "outcome 0 at 14 Jul 2013, 00:00:00 UTC, then 1 at 15 Jul 2013, 00:00:00 UTC" in shown


def test_says_what_to_do_about_a_run_that_was_never_registered(site):
    listed = site.get("/models/" + site.hostile + "/predictions")
    link = html.unescape(re.search(r'href="(/predictions/[^"]*)"', listed)[1])
    page = site.get(link)
    assert "<img" not in page
    assert "<b>bold" not in page
    shown = text_of(page)
    assert "Run run-1 was never registered: call register_training_run" in shown


@pytest.mark.parametrize("event_id", ["nonsense", "00000000-0000-0000-0000-000000000000", "a%2Fb"])
def test_an_unknown_event_is_a_404_that_says_so(site, event_id):
    page = text_of(site.get(f"/predictions/{event_id}", status=404))
    assert "has landed" in page or "is no UUID" in page
