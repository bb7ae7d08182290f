"""Episodes: what paged of one feature, window after window. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.domain.streams import Stream
from driftline.store.judged import END_HOUR, ENDS
from driftline.store.moved import MOVED, SURE, Moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.channels import Channel
    from driftline.domain.verdicts import Kind
    from driftline.store.connection import Connection

# Only few windows page. What replaced one that does is a revision, and few are: no more is merged than these.
_EPISODES = f"""
SELECT toString(model_version), toString(environment), toString(segment), toString(feature), toString(kind),
    toString(reference), toString(newest.2) AS episode_id,
    intDiv(toUnixTimestamp(min(newest.3)), 3600) AS since, max({END_HOUR}) AS until,
    argMax((scale_hours, newest.5), (newest.4, window_end)) AS surest
FROM
(
    SELECT model_version, environment, segment, feature, kind, reference, scale_hours, window_end,
        argMax((toString(verdict), episode_id, episode_start, {SURE}, ({MOVED})), revision) AS newest
    FROM verdict_records
    WHERE model_name = {{model:String}} AND {ENDS} AND (verdict = 'page' OR revision > 1)
    GROUP BY model_version, environment, segment, feature, kind, reference, scale_hours, window_end
)
WHERE newest.1 = 'page'
GROUP BY model_version, environment, segment, feature, kind, reference, episode_id
"""


@dataclass(frozen=True, slots=True)
class PagedEpisode:
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


def read_paged_episodes(
    connection: Connection, model_name: str, *, first_hour: int, end_hour: int
) -> Sequence[PagedEpisode]:
    """Return a model's episodes of which a window that pages ended in (first, end], the newest first.

    Args:
        connection: to the store.
        model_name: the model, with all its versions and environments.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the same.
    """
    bound = {"model": model_name, "first": first_hour, "end": end_hour}
    found = [_paged(model_name, row) for row in connection.rows(_EPISODES, bound)]
    return sorted(found, key=lambda each: (-each.since, -abs(each.effect), each.feature))


def _paged(model_name: str, row: Sequence[Any]) -> PagedEpisode:
    version, environment, segment, feature, kind, reference, episode_id, since, until, surest = row
    scale_hours, moved = surest[0], Moved(*surest[1])
    return PagedEpisode(
        stream=Stream(model_name, version, environment),
        segment=segment,
        feature=feature,
        kind=kind,
        reference=reference,
        episode_id=episode_id,
        since=since,
        until=until,
        channel=moved.channel,
        effect=moved.effect or 0.0,
        observed=moved.observed or 0.0,
        expected=moved.expected or 0.0,
        reason=moved.text,
        scale_hours=scale_hours,
    )
