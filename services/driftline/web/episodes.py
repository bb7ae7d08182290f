"""Episodes and their incidents. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.domain.incidents import DEFAULT_QUIET_HOURS
from driftline.store.episodes import PagedEpisode, read_paged_episodes
from driftline.web.incidents import read_known_incidents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.web.incidents import KnownIncident
    from driftline.web.period import Period


@dataclass(frozen=True, slots=True)
class Episode(PagedEpisode):
    """An episode, with its incident.

    Args:
        is_open: whether it may still go on, and its incident needs attention; it may not be stored yet.
        incident_id: of the incident that it belongs to; empty: of none that is stored.
        incident_state: of that incident, as of a stored incident; empty: none is stored.
        acknowledged: as what that incident was acknowledged last: real, noise or accept; empty: it was not.
        quiet_hours: it is over once so many hours were judged without a page of it.
    """

    is_open: bool
    incident_id: str = ""
    incident_state: str = ""
    acknowledged: str = ""
    quiet_hours: int = DEFAULT_QUIET_HOURS

    @property
    def is_settled(self) -> bool:
        """Whether its incident was called a false page, or is the new normal."""
        return self.incident_state in {"dismissed", "accepted"} or self.acknowledged == "noise"


def read_episodes(
    connection: Connection, model_name: str, period: Period, *, newest_end: int
) -> Sequence[Episode]:
    """Return a model's episodes that paged within a period, the newest first.

    Args:
        connection: to the store.
        model_name: the model, with all its versions and environments.
        period: in which windows have to end.
        newest_end: when the model's newest judged window ended, in hours; it decides what is open.
    """
    paged = read_paged_episodes(
        connection, model_name, first_hour=period.first_hour, end_hour=period.end_hour
    )
    incidents = _incidents_by_episode(connection, model_name, period)
    return [_episode(each, incidents.get(each.episode_id), newest_end) for each in paged]


def _episode(paged: PagedEpisode, known: KnownIncident | None, newest_end: int) -> Episode:
    seen = {each.name: getattr(paged, each.name) for each in fields(paged)}
    is_open = _is_open(paged.until, newest_end, known)
    if known is None:
        return Episode(**seen, is_open=is_open)
    return Episode(
        **seen,
        is_open=is_open,
        incident_id=known.incident.incident_id,
        incident_state=known.incident.state,
        acknowledged=known.acknowledged,
        quiet_hours=known.incident.quiet_hours,
    )


def _is_open(until: int, newest_end: int, known: KnownIncident | None) -> bool:
    """Return whether an episode may still go on; one with an incident, only if that needs attention."""
    if known is None:
        return newest_end - until < DEFAULT_QUIET_HOURS
    is_recent = newest_end - until < known.incident.quiet_hours
    return known.needs_somebody and (is_recent or until == known.last)


def _incidents_by_episode(
    connection: Connection, model_name: str, period: Period
) -> Mapping[str, KnownIncident]:
    """Return the incidents of a model that paged within a period, by the episodes that they gather."""
    return {
        episode_id: known
        for known in read_known_incidents(
            connection, model_name=model_name, since=hour_time(period.first_hour)
        )
        for finding in known.incident.findings
        for episode_id in finding.episode_ids
    }
