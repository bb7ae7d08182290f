"""The report: one file that tells what the pages tell, and needs nothing else."""

from __future__ import annotations

import itertools
import re
from contextlib import closing

import pytest

from driftline.errors import NotFoundError
from driftline.web.report import write_report
from tests.web.browser import text_of
from tests.web.conftest import HOSTILE_MODEL, WALL_CLOCK


@pytest.fixture(scope="module")
def write(site):
    def written(**options):
        with closing(site.store.connect()) as client:
            return write_report(client, **{"days": 28, "clock": lambda: WALL_CLOCK, **options})

    return written


@pytest.fixture(scope="module")
def report(write):
    return write()


def links(page):
    return re.findall(r'<a [^>]*href="([^"]*)"', page)


def test_tells_the_fleet_then_what_paged_its_incidents_and_their_features(report):
    text = text_of(report)
    texts = [
        "flight-delay has drifted, 5 others did not",
        "Features over time",
        "how sure",
        "By part of the traffic",
    ]
    places = [text.index(each) for each in texts]
    assert places == sorted(places)
    assert "driftline ack a1b2c3d4e5f6 --real" in text


def test_says_when_it_was_written_and_over_how_many_days(report):
    assert "Report over 28 days, written 1 Jan 2026, 00:00:00 UTC" in text_of(report)


def test_needs_nothing_else(report):
    assert "<style>" in report
    assert '<link rel="stylesheet"' not in report
    assert not re.search(r'(?:src|href)="(?!#|data:)', report)
    assert "default-src 'none'" in report


def test_every_link_leads_to_a_part_of_it(report):
    anchors = {link.removeprefix("#") for link in links(report)}
    assert anchors
    assert anchors <= set(re.findall(r'id="([^"]*)"', report))


def test_with_the_address_of_the_pages_what_is_not_in_it_is_linked_there(write):
    found = links(write(url="https://driftline.example"))
    assert any(link.startswith("https://driftline.example/predictions/") for link in found)
    assert all(link.startswith(("#", "https://driftline.example")) for link in found)


def test_offers_nothing_that_a_file_can_t_show(report):
    text = text_of(report)
    for offered in (
        "7 days",
        "against the training data",
        "see the newest",
        "Its predictions",
        "All of them",
    ):
        assert offered not in text.partition("All findings")[0], offered


def test_headings_are_one_outline(report):
    levels = [int(level) for level in re.findall(r"<h(\d)", report)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_of_one_model_only_that_is_reported_whether_or_not_it_paged(write):
    text = text_of(write(model_name="crew"))
    assert "Not judged now: why incomplete." in text
    assert "flight-delay" not in text


def test_names_never_become_markup(write):
    page = write(model_name=HOSTILE_MODEL)
    assert "<script" not in page
    assert "<img" not in page


def test_an_unknown_model_is_not_found(write):
    with pytest.raises(NotFoundError, match="no event of a model called 'nope' has landed"):
        write(model_name="nope")
