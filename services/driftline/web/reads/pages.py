"""Pages with what was said of them. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_of
from driftline.store.pages import read_acknowledgements, read_pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from driftline.domain.incidents import Finding
    from driftline.store.pages import StoredAcknowledgement, StoredPage


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page, and everything that was said of it, in the order in which it was said."""

    page: StoredPage
    said: Sequence[StoredAcknowledgement] = ()

    @property
    def word(self) -> str:
        """What was said of it last: real, noise or accept; empty: nothing."""
        return self.said[-1].word if self.said else self.page.word

    @property
    def needs_somebody(self) -> bool:
        """Whether it goes on, and was neither called a false page nor accepted."""
        return self.page.state == "open"

    @property
    def since(self) -> int:
        """The first hour of the windows that page."""
        return hour_of(self.page.since)

    @property
    def last(self) -> int:
        """When the last window that pages ended, in hours."""
        return hour_of(self.page.last)

    @property
    def main(self) -> Finding:
        """The gravest finding."""
        return self.page.findings[0]

    @property
    def features(self) -> Sequence[str]:
        """The features that page, the gravest first, each once."""
        return list(dict.fromkeys(finding.feature for finding in self.page.findings))

    @property
    def segments(self) -> Sequence[str]:
        """The parts of the traffic that page, the gravest first, each once; none where all of it does."""
        if not self.main.segment:
            return ()
        return list(dict.fromkeys(finding.segment for finding in self.page.findings))


def with_words(client: Client, pages: Iterable[StoredPage]) -> Sequence[KnownPage]:
    """Return pages with everything that was said of them."""
    found = list(pages)
    said: dict[str, list[StoredAcknowledgement]] = {page.page_id: [] for page in found}
    for one in read_acknowledgements(client) if found else ():
        if one.page_id in said:
            said[one.page_id].append(one)
    return [KnownPage(page, said[page.page_id]) for page in found]


def read_known_pages(
    client: Client, *, model_name: str | None = None, since: datetime | None = None
) -> Sequence[KnownPage]:
    """Return pages that were not taken back, the newest first.

    Args:
        client: of the store.
        model_name: of this model only.
        since: of those that paged after this time only.
    """
    found = read_pages(client, model_name=model_name, since=since)
    return with_words(client, (page for page in found if page.state != "withdrawn" and page.findings))
