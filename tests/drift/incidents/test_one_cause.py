"""What began together is one incident, however much later some of it pages."""

from __future__ import annotations

from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.drift.incidents.book import IncidentBook
from tests.drift.incidents.books import START, run, verdict


def test_a_feature_that_pages_days_later_belongs_to_what_began_when_it_did():
    """What moves less is noticed later; a page of its own would ask twice for one cause."""
    book = IncidentBook(Stream("m", "1", "production"), settings=DriftSettings())
    begun = START + 10
    paging = [verdict("age", end, since=begun - 1) for end in range(begun, begun + 81)]
    paging += [verdict("city", begun + 60, since=begun + 5), verdict("weight", begun + 70, since=begun + 68)]
    run(book, paging, START, begun + 80)
    found = [{each.feature for each in one.findings} for one in book.incidents]
    assert found == [{"age", "city"}, {"weight"}]
