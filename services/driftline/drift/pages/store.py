"""A stream's book of pages and the store: how it is taken up, kept, and told what was said."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.verdicts import VerdictName
from driftline.drift.pages.book import PageBook
from driftline.drift.pages.page import Acknowledgement, Page
from driftline.drift.verdict import Verdict
from driftline.store.pages import (
    StoredPage,
    read_acknowledgements,
    read_written_pages,
    write_pages,
)
from driftline.store.verdicts import read_episode_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from driftline.domain.streams import Stream
    from driftline.drift.hygiene import Word
    from driftline.drift.settings import DriftSettings

_logger = logging.getLogger(__name__)


def open_book(
    client: Client, stream: Stream, settings: DriftSettings, *, next_hour: int
) -> tuple[PageBook, Sequence[Page]]:
    """Return a stream's book as it was when an hour was about to be judged, and pages to be kept.

    Args:
        client: of the store.
        stream: whose.
        settings: of the stream as a whole.
        next_hour: the hour that is judged next.

    Returns:
        The book, and the pages that are not stored as it has them; for `keep_pages`, unless the book is one
        of the past, to judge hours again.
    """
    book = PageBook(identity=stream.identity, settings=settings)
    oldest = settings.history_hours + settings.accept_after_hours + settings.quiet_hours
    since = max(next_hour - oldest, 0)
    unkept = book.resume(
        stored=[_page(stored) for stored in read_written_pages(client, stream)],
        verdicts=read_page_verdicts(client, stream, since_hour=since, until_hour=next_hour),
        said=read_words(client, stream).get(stream, ()),
        since=since,
        next_hour=next_hour,
    )
    return book, unkept


def keep_pages(client: Client, stream: Stream, pages: Sequence[Page]) -> None:
    """Store pages that changed.

    Raises:
        StoreError: the store did not take them.
    """
    write_pages(client, [_stored(stream, page) for page in pages])
    for page in pages:
        _tell(stream, page)


def _tell(stream: Stream, page: Page) -> None:
    """Tell that a page was opened, or ended in one way or another; what else changes is of less weight."""
    first = page.findings[0]
    is_told = page.revision == 1 or page.state != "open"
    _logger.log(
        logging.INFO if is_told else logging.DEBUG,
        "page %s of %s %s %s: %s",
        *(page.page_id, stream.model_name, stream.model_version),
        *("opened" if page.revision == 1 and page.state == "open" else page.state, page.headline),
        extra={
            **stream._asdict(),
            "page_id": page.page_id,
            "state": page.state,
            "feature": first.feature,
            "segment": first.segment,
            "since": hour_time(page.since).isoformat(),
            "word": page.word,
        },
    )


def read_words(client: Client, stream: Stream | None = None) -> Mapping[Stream, Sequence[Acknowledgement]]:
    """Return what was said of the pages of all streams, or of one, as their books hear it."""
    words: dict[Stream, list[Acknowledgement]] = {}
    for said in read_acknowledgements(client, stream=stream):
        word = cast("Word", said.word)
        known = Acknowledgement(said.page_id, hour_of(said.detected), word, hour_of(said.known_from))
        words.setdefault(said.stream, []).append(known)
    return words


def read_page_verdicts(
    client: Client, stream: Stream, *, since_hour: int, until_hour: int
) -> Sequence[Verdict]:
    """Return a stream's page verdicts of windows that ended in (since, until], with their evidence."""
    rows = read_episode_verdicts(client, stream, after_hour=since_hour, until_hour=until_hour, verdict="page")
    return [Verdict(**{**row, "verdict": VerdictName(row["verdict"])}) for row in rows]


def _stored(stream: Stream, page: Page) -> StoredPage:
    return StoredPage(
        model_name=stream.model_name,
        model_version=stream.model_version,
        environment=stream.environment,
        page_id=page.page_id,
        detected=hour_time(page.detected),
        since=hour_time(page.since),
        last=hour_time(page.last),
        state=page.state,
        accepted_at=_time(page.accepted_at),
        headline=page.headline,
        findings=page.findings,
        word=page.word or "",
        revision=page.revision,
        quiet_hours=page.quiet_hours,
    )


def _page(stored: StoredPage) -> Page:
    # The names in the store are those that `_stored` wrote.
    known: Any = stored
    return Page(
        page_id=stored.page_id,
        detected=hour_of(stored.detected),
        state=known.state,
        findings=tuple(stored.findings),
        word=known.word or None,
        accepted_at=None if stored.accepted_at is None else hour_of(stored.accepted_at),
        revision=stored.revision,
        quiet_hours=stored.quiet_hours,
    )


def _time(hour: int | None) -> datetime | None:
    return None if hour is None else hour_time(hour)
