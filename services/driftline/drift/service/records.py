"""Verdicts as they stand in the store, and back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import hour_time
from driftline.domain.verdicts import VerdictName
from driftline.drift.verdict import Verdict
from driftline.store.verdicts import SHARE_STEP, StoredVerdict, kept, read_episode_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection


_EVIDENCE = ("effect_low", "effect_high", "z", "critical", "phi", "df", "detectable_effect")


def as_kept(verdict: Verdict) -> Verdict:
    """Return a verdict with its evidence as the store keeps it.

    What pages becomes an incident in this form, so that a worker that starts again makes the same one of it.
    """
    if verdict.observed is None or verdict.expected is None:
        return verdict
    figures = dict(zip(_EVIDENCE, kept([getattr(verdict, name) for name in _EVIDENCE]), strict=True))
    (expected,) = kept([verdict.expected], step=SHARE_STEP)
    told: dict[str, Any] = {name: None if math.isnan(figure) else figure for name, figure in figures.items()}
    return replace(verdict, **told, expected=expected, effect=verdict.observed - expected)


def stored(stream: Stream, verdict: Verdict) -> StoredVerdict:
    """Return a judge's verdict as the store keeps it."""
    return StoredVerdict(
        model_name=stream.model_name,
        model_version=stream.model_version,
        environment=stream.environment,
        segment=verdict.segment,
        feature=verdict.feature,
        kind=verdict.kind,
        reference=verdict.reference,
        scale_hours=verdict.scale_hours,
        window_start=hour_time(verdict.window_start),
        window_end=hour_time(verdict.window_end),
        verdict=verdict.verdict,
        channel=verdict.channel,
        effect=verdict.effect,
        effect_low=verdict.effect_low,
        effect_high=verdict.effect_high,
        expected=verdict.expected,
        observed=verdict.observed,
        z=verdict.z,
        critical=verdict.critical,
        overdispersion=verdict.phi,
        freedom=verdict.df,
        detectable_effect=verdict.detectable_effect,
        sample_size=verdict.sample_size,
        reference_size=verdict.reference_size,
        completeness=verdict.completeness,
        statistics={name: number for name, number in verdict.statistics.items() if number is not None},
        episode_id=verdict.episode_id,
        episode_start=None if verdict.episode_start is None else hour_time(verdict.episode_start),
        rank=verdict.rank,
        listed=verdict.listed,
        drivers=verdict.drivers,
        reason=verdict.reason,
    )


def read_episodes(
    connection: Connection, stream: Stream, *, after_hour: int, until_hour: int
) -> Sequence[Verdict]:
    """Return stored verdicts that belong to an episode, of all segments, as judges resume them.

    Args:
        connection: to the store.
        stream: whose.
        after_hour: of windows that ended after this hour only (since the Unix epoch, UTC).
        until_hour: and not after this one.
    """
    rows = read_episode_verdicts(connection, stream, after_hour=after_hour, until_hour=until_hour)
    return [Verdict(**{**row, "verdict": VerdictName(row["verdict"])}) for row in rows]
