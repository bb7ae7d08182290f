"""What every page has, by the table of pages."""

from __future__ import annotations

import re

import pytest

from driftline.web.pages import PAGES


@pytest.fixture(scope="module")
def texts(site):
    """Return the text of each page's example, by the page's name. The store holds what the examples name."""
    listed = site.get("/models/flight-delay/predictions?feature=temp&low=30.85")
    event_id = re.search(r'href="/predictions/([^"]*)"', listed)[1]
    return {page.name: site.get(page.example.replace("EVENT", event_id)) for page in PAGES}


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_a_page_has_one_heading(texts, page):
    headings = re.findall(r"<h1[ >].*?</h1>", texts[page], re.DOTALL)
    assert len(headings) == 1
    assert re.sub(r"<[^>]+>", "", headings[0]).strip() != ""


def test_each_page_has_a_title_of_its_own(texts):
    titles = {name: re.search(r"<title>(.*?) · driftline</title>", text)[1] for name, text in texts.items()}
    assert all(titles.values()), titles
    assert len(set(titles.values())) == len(titles), titles
