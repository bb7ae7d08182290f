"""Episodes: what paged of one feature, and its incident. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.channels import Channel
from driftline.domain.hours import hour_time
from driftline.domain.incidents import DEFAULT_QUIET_HOURS
from driftline.domain.streams import Stream
from driftline.web.reads.incidents import read_known_incidents
from driftline.web.reads.verdicts import END_HOUR, ENDS, FINAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Kind
    from driftline.store.connection import Connection
    from driftline.web.period import Period
    from driftline.web.reads.incidents import KnownIncident

# Only few windows page: they are found first, so that only they are read in full and merged.
_EPISODES = f"""
SELECT model_version, environment, segment, feature, kind, reference, episode_id,
    intDiv(toUnixTimestamp(min(episode_start)), 3600) AS since, max({END_HOUR}) AS until,
    argMax(
        (channel_kind, channel_value, channel_feature, effect, observed, expected, reason, scale_hours),
        (coalesce(z, inf), window_end)
    ) AS surest
FROM drift_verdicts
WHERE model_name = {{model:String}} AND verdict = 'page' AND {ENDS} AND (feature, kind, window_end) IN
(
    SELECT feature, kind, window_end FROM verdict_records
    WHERE model_name = {{model:String}} AND verdict = 'page' AND {ENDS}
)
GROUP BY model_version, environment, segment, feature, kind, reference, episode_id
ORDER BY since DESC, abs(surest.4) DESC, feature
"""


@dataclass(frozen=True, slots=True)
class Episode:
    """What paged of one feature, and followed within its quiet hours. The evidence is its surest window's.

    Args:
        stream: of which model version and environment.
        segment: of which part of the traffic; empty: of all of it.
        feature: its name.
        kind: numeric or categorical.
        reference: training or production.
        episode_id: the same whenever the same hours are judged again.
        since: its first hour.
        until: when its last window ended, in hours.
        channel: the share that moved most; None: it is not known.
        effect: observed less expected share.
        observed: the share seen.
        expected: the share expected.
        reason: the verdict's own sentence.
        scale_hours: length of the window that gave the evidence.
        is_open: whether it may still go on, and its incident needs somebody; it may not be stored yet.
        incident_id: of the incident that it belongs to; empty: of none that is stored.
        incident_state: of that incident, as of a stored incident; empty: none is stored.
        word: what was said of that incident last: real, noise or accept; empty: nothing.
        quiet_hours: it is over once so many hours were judged without a page of it.
    """

    stream: Stream
    segment: str
    feature: str
    kind: Kind
    reference: str
    episode_id: str
    since: int
    until: int
    channel: Channel | None
    effect: float
    observed: float
    expected: float
    reason: str
    scale_hours: int
    is_open: bool
    incident_id: str = ""
    incident_state: str = ""
    word: str = ""
    quiet_hours: int = DEFAULT_QUIET_HOURS

    @property
    def is_settled(self) -> bool:
        """Whether its incident was called a false one, or is the new normal."""
        return self.incident_state in {"dismissed", "accepted"} or self.word == "noise"


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
    bound = {"model": model_name, "first": period.first_hour, "end": period.end_hour}
    rows = connection.rows(_EPISODES, parameters=bound, settings=FINAL)
    incidents = _incidents_by_episode(connection, model_name, period)
    return [
        Episode(
            stream=Stream(model_name, version, environment),
            segment=segment,
            feature=feature,
            kind=kind,
            reference=reference,
            episode_id=episode_id or "",
            since=int(since),
            until=int(until),
            channel=Channel.from_row(*surest[:3]),
            effect=surest[3] or 0.0,
            observed=surest[4] or 0.0,
            expected=surest[5] or 0.0,
            reason=surest[6],
            scale_hours=surest[7],
            is_open=_is_open(int(until), newest_end, known),
            incident_id="" if known is None else known.incident.incident_id,
            incident_state="" if known is None else known.incident.state,
            word="" if known is None else known.word,
            quiet_hours=quiet,
        )
        for version, environment, segment, feature, kind, reference, episode_id, since, until, surest in rows
        for known in (incidents.get(episode_id or ""),)
        for quiet in (DEFAULT_QUIET_HOURS if known is None else known.incident.quiet_hours,)
    ]


def _is_open(until: int, newest_end: int, known: KnownIncident | None) -> bool:
    """Say whether an episode may still go on; where it has an incident, only one that needs somebody does."""
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
