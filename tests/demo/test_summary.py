"""What the demo tells of its pages and faults."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from driftline.demo.flights import FeedError
from driftline.demo.summary import Page, PageVerdict, PlannedFault, explain, find_fault, pages_of

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)


def verdict(
    hours: float, feature: str = "temp", *, episode: str = "a", scale: int = 1, rank: int = 1
) -> PageVerdict:
    return PageVerdict(
        feature, "production", NOON + timedelta(hours=hours), scale, "nulls", "", rank, episode
    )


def test_what_follows_within_24_quiet_hours_belongs_to_the_page() -> None:
    pages = pages_of([verdict(0), verdict(24), verdict(48), verdict(73)])
    assert [len(page.verdicts) for page in pages] == [3, 1]


def test_a_page_is_named_after_the_foremost_feature_of_its_first_window() -> None:
    page = Page((verdict(0, "humid", rank=2), verdict(0, "temp", rank=1), verdict(5, "dest")))
    assert page.first.feature == "temp"
    assert page.features == ["temp", "humid", "dest"]


FAULT = PlannedFault("broken", ("temp", "dewp"), NOON, NOON + timedelta(hours=72))


def test_a_fault_is_found_by_the_first_page_of_its_features_after_it_began() -> None:
    found = find_fault(FAULT, [verdict(-1, episode="early"), verdict(3, "dest"), verdict(4), verdict(5)])
    assert found == verdict(4)


def test_a_page_that_was_on_before_the_fault_did_not_find_it() -> None:
    """Otherwise whatever pages all the time would find every fault at once."""
    assert find_fault(FAULT, [verdict(-1), verdict(1), verdict(2)]) is None


def test_a_page_long_after_the_fault_did_not_find_it() -> None:
    assert find_fault(FAULT, [verdict(72 + 25)]) is None


def test_a_page_is_explained_only_by_an_error_of_its_feature_in_its_window() -> None:
    """An error elsewhere, or earlier, excuses nothing."""
    time = pd.Timestamp(NOON)
    error = FeedError("outage", ("temp",), time - pd.Timedelta(hours=3), time - pd.Timedelta(hours=2))
    assert explain(Page((verdict(0, scale=6),)), [error]) == "outage"
    assert explain(Page((verdict(0, scale=1),)), [error]) is None
    assert explain(Page((verdict(0, "dest", scale=6),)), [error]) is None
