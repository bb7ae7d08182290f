"""The page of features, and what the pages of an incident and of a prediction say of them."""

from __future__ import annotations

import re


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_it_shows_what_is_defined_who_uses_it_and_how_fresh_it_is(site):
    page = text_of(site.get("/features"))
    assert re.search(r"weather view of station temp [0-9a-f]{12}", page)
    assert "old, expired" in page
    assert "1,920" in page.replace("\N{NO-BREAK SPACE}", ",").replace("\N{NARROW NO-BREAK SPACE}", ",")
    assert "delays (flight-delay) met" in page
    assert re.search(r"delays service temp [0-9a-f]{12}", page)


def test_every_page_leads_to_it(site):
    assert 'href="/features"' in site.get("/")


def test_an_incident_says_who_is_to_blame(site):
    page = text_of(site.get("/incidents/a1b2c3d4e5f6"))
    assert "Who is to blame? Upstream: what was stored moved" in page
    assert "the model got what was stored, so what was stored moved" in page
    assert "0 do not say where their features came from" in page


def test_a_prediction_says_by_what_its_features_were_read_and_how_old_they_were(site):
    event = re.search(r'href="(/predictions/[^"]*)"', site.get("/models/flight-delay/predictions"))[1]
    page = text_of(site.get(event))
    assert re.search(r"features of delays [0-9a-f]{12} weather of S9: 9.min old", page)
    assert "driftline.features" not in page


def test_driftlines_own_tag_is_not_shown_among_tags(site):
    assert "driftline.features" not in site.get("/models/flight-delay/predictions")
