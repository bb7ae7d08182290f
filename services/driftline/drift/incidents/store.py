"""A stream's book of incidents and the store: how it is taken up and kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.drift.incidents.book import IncidentBook
from driftline.store.incidents import (
    read_acknowledgements,
    read_written_incidents,
    write_incidents,
)
from driftline.store.verdicts import read_episode_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.drift.settings import DriftSettings
    from driftline.store.connection import Connection

_logger = logging.getLogger(__name__)


def open_book(
    connection: Connection, stream: Stream, settings: DriftSettings, *, next_hour: int
) -> tuple[IncidentBook, Sequence[Incident]]:
    """Return a stream's book as it was when an hour was about to be judged, and incidents to be kept.

    Args:
        connection: to the store.
        stream: whose.
        settings: of the stream as a whole.
        next_hour: the hour that is judged next.

    Returns:
        The book, and the incidents that are not stored as it has them; for `keep_incidents`, unless the book
        is one of the past, to judge hours again.
    """
    book = IncidentBook(stream, settings=settings)
    oldest = settings.history_hours + settings.accept_after_hours + settings.quiet_hours
    since = max(next_hour - oldest, 0)
    unkept = book.resume(
        stored=read_written_incidents(connection, stream),
        verdicts=read_episode_verdicts(
            connection, stream, after_hour=since, until_hour=next_hour, verdict="page"
        ),
        acknowledgements=read_acknowledgements(connection, stream).get(stream, ()),
        since=since,
        next_hour=next_hour,
    )
    return book, unkept


def keep_incidents(connection: Connection, incidents: Sequence[Incident]) -> None:
    """Store incidents that changed.

    Raises:
        StoreError: the store did not take them.
    """
    write_incidents(connection, incidents)
    for incident in incidents:
        _tell(incident)


def _tell(incident: Incident) -> None:
    """Tell that an incident was opened, or ended one way or another; what else changes is of less weight."""
    first, stream = incident.findings[0], incident.stream
    is_news = incident.revision == 1 or incident.state != "open"
    _logger.log(
        logging.INFO if is_news else logging.DEBUG,
        "incident %s of %s %s %s: %s",
        *(incident.incident_id, stream.model_name, stream.model_version),
        *(
            "opened" if incident.revision == 1 and incident.state == "open" else incident.state,
            incident.headline,
        ),
        extra={
            **stream._asdict(),
            "incident_id": incident.incident_id,
            "state": incident.state,
            "feature": first.feature,
            "segment": first.segment,
            "since": hour_time(incident.since).isoformat(),
            "acknowledged": incident.acknowledged,
        },
    )
