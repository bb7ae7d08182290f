"""Episodes: what paged of one feature, window after window. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.channels import Channel
from driftline.domain.streams import Stream
from driftline.store.judged import END_HOUR, ENDS, FINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.verdicts import Kind
    from driftline.store.connection import Connection

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
    rows = connection.rows(_EPISODES, bound, settings=FINAL)
    return [
        PagedEpisode(
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
        )
        for version, environment, segment, feature, kind, reference, episode_id, since, until, surest in rows
    ]
