"""Incidents with their acknowledgements. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from driftline.store.incidents import read_acknowledgements, read_incidents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from driftline.domain.incidents import Acknowledgement, Finding, Incident
    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident with all of its acknowledgements, in the order in which they were given."""

    incident: Incident
    acknowledgements: Sequence[Acknowledgement] = ()

    @property
    def acknowledged(self) -> str:
        """As what it was acknowledged last: real, noise or accept; empty: it was not."""
        given = self.acknowledgements
        return given[-1].name if given else self.incident.acknowledged or ""

    @property
    def needs_somebody(self) -> bool:
        """Whether it goes on and was neither called a false page nor accepted."""
        return self.incident.state == "open"

    @property
    def since(self) -> int:
        """The first hour of the windows that page."""
        return self.incident.since

    @property
    def last(self) -> int:
        """When the last window that pages ended, in hours."""
        return self.incident.last

    @property
    def main(self) -> Finding:
        """The gravest finding."""
        return self.incident.findings[0]

    @property
    def features(self) -> Sequence[str]:
        """The features that page, the gravest first, each once."""
        return list(dict.fromkeys(finding.feature for finding in self.incident.findings))

    @property
    def segments(self) -> Sequence[str]:
        """The parts of the traffic that page, the gravest first, each once; none where all of it does."""
        if not self.main.segment:
            return ()
        return list(dict.fromkeys(finding.segment for finding in self.incident.findings))


def with_acknowledgements(connection: Connection, incidents: Iterable[Incident]) -> Sequence[KnownIncident]:
    """Return incidents with their acknowledgements."""
    found = list(incidents)
    by_incident: dict[str, list[Acknowledgement]] = {incident.incident_id: [] for incident in found}
    given = read_acknowledgements(connection) if found else {}
    for one in chain.from_iterable(given.values()):
        if one.incident_id in by_incident:
            by_incident[one.incident_id].append(one)
    return [KnownIncident(incident, by_incident[incident.incident_id]) for incident in found]


def read_known_incidents(
    connection: Connection, *, model_name: str | None = None, since: datetime | None = None
) -> Sequence[KnownIncident]:
    """Return incidents that were not taken back, the newest first.

    Args:
        connection: to the store.
        model_name: of this model only.
        since: of those that paged after this time only.
    """
    found = read_incidents(connection, model_name=model_name, since=since)
    return with_acknowledgements(
        connection, (incident for incident in found if incident.state != "withdrawn" and incident.findings)
    )
