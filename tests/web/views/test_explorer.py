"""The explorer of predictions, on a real store."""

from __future__ import annotations

import html
import re

import pytest

from tests.web.browser import text_of
from tests.web.conftest import HOSTILE_FEATURE, HOSTILE_VALUE

PATH = "/models/flight-delay/predictions"


def found(page):
    """Return times and values of the feature asked for, as they are listed."""
    table = page.partition('<table class="plain numbers predictions">')[2]
    rows = [text_of(row) for row in re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)][1:]
    return [(row[:21].strip(), row.split()[5]) for row in rows]


def test_shows_the_newest_of_the_version_that_serves(site):
    page = site.get(PATH)
    assert "50 or more found, the newest first: 21 Jul 2013, 09:00:00 to 21 Jul 2013, 13:09:00" in text_of(
        page
    )
    assert "<option selected>3</option>" in page


def test_pages_go_on_where_the_last_one_ended_and_none_comes_twice(site):
    seen, link = [], f"{PATH}?since=2013-07-20T00:00"
    while link:
        page = site.get(html.unescape(link))
        seen += re.findall(r'href="(/predictions/[^"]*)"', page)
        next_link = re.search(r'rel="next" href="([^"]*)"', page)
        link = next_link[1] if next_link else None
    assert len(seen) == len(set(seen)) == 380


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("feature=temp&low=30.85", {"30.9"}),
        ("feature=temp&high=20.05", {"20"}),
        ("feature=temp&low=20.3&high=20.4", {"20.3", "20.4"}),
        ("feature=temp&value=30.5", {"30.5"}),
        ("feature=carrier&value=DAL", {"DAL"}),
        ("feature=temp&missing=1", {"none"}),
        ("feature=temp&part=carrier%3DDL&until=2013-07-20T00:00", {"20", "20.1", "20.2", "20.3"}),
    ],
)
def test_a_feature_s_value_chooses(site, query, values):
    assert {value for _, value in found(site.get(f"{PATH}?{query}"))} == values


def test_hours_choose_from_the_first_to_before_the_last(site):
    times = [time for time, _ in found(site.get(f"{PATH}?since=2013-07-20T10:03&until=2013-07-20T10:06"))]
    assert times == ["20 Jul 2013, 10:05:00", "20 Jul 2013, 10:04:00", "20 Jul 2013, 10:03:00"]


def test_reference_rows_are_found_under_their_environment(site):
    assert "50 found" in text_of(site.get(f"{PATH}?environment=reference"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("low=3", "Choose the feature that the value is about."),
        ("feature=temp&low=x", "At least: 'x' is no number."),
        ("part=JFK", "'JFK' is no part of the traffic: write key=value"),
        ("since=yesterday", "From: 'yesterday' is no time such as"),
        ("until=0001-01-01", "Until: '0001-01-01' is no time such as"),
        ("after=somewhere", "The list can't go on there: the address was changed."),
    ],
)
def test_what_can_t_be_asked_is_reported_and_the_form_keeps_it(site, query, expected):
    page = site.get(f"{PATH}?{query}", status=400)
    assert expected in text_of(page)
    field, _, value = query.partition("&")[0].partition("=")
    if field != "after":
        assert re.search(rf'name="{field}"[^>]* value="{value}"', page)


def test_nothing_found_says_so(site):
    assert "No such prediction has landed." in text_of(site.get(f"{PATH}?version=99"))


def test_the_form_may_be_sent_to_these_pages_and_other_pages_have_none(site):
    policies = [site.ask(path).headers["content-security-policy"] for path in (PATH, "/")]
    assert "form-action 'self'" in policies[0]
    assert "form-action 'none'" in policies[1]


def test_values_of_any_characters_are_found_and_never_become_markup(site):
    from urllib.parse import urlencode  # noqa: PLC0415  only this test needs it

    query = urlencode({"feature": HOSTILE_FEATURE, "value": HOSTILE_VALUE})
    page = site.get(f"/models/{site.hostile}/predictions?{query}")
    assert HOSTILE_VALUE in html.unescape(page.partition('predictions">')[2])
    assert "<b>bold" not in page
    assert "<img" not in page


def test_an_unknown_model_is_a_404_that_says_so(site):
    text = text_of(site.get("/models/nope/predictions", status=404))
    assert "No event of a model called 'nope' has landed." in text
