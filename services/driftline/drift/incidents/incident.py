"""How verdicts become the findings of an incident. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from driftline.domain.channels import ChannelKind
from driftline.domain.incidents import Finding

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.domain.incidents import AcknowledgementName
    from driftline.domain.verdicts import Kind, Reference, Verdict


class Key(NamedTuple):
    """What findings are told apart by."""

    segment: str
    feature: str
    kind: Kind
    reference: Reference


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of an incident at once, in place of somebody on call.

    Args:
        name: as in an acknowledgement.
        given_by: who says it.
        note: why.
        given_at: now.
    """

    name: AcknowledgementName
    given_by: str
    note: str
    given_at: datetime


def key_of(one: Verdict | Finding) -> Key:
    """Return which finding a verdict belongs to."""
    return Key(one.segment, one.feature, one.kind, one.reference)


def gravity(finding: Finding) -> tuple[bool, float, str, bool, str]:
    """Return what findings are sorted by: of all the traffic first, then by effect."""
    is_part = finding.segment != ""
    return is_part, -abs(finding.effect), finding.feature, finding.reference != "production", finding.segment


def with_verdict(known: Finding | None, verdict: Verdict) -> Finding:
    """Return a finding with one more of its verdicts; the surest one is its evidence."""
    start = verdict.window_start if verdict.episode_start is None else verdict.episode_start
    episode_ids = () if verdict.episode_id is None else (verdict.episode_id,)
    fresh = Finding(
        **key_of(verdict)._asdict(),
        channel=verdict.channel,
        effect=verdict.effect or 0.0,
        expected=verdict.expected or 0.0,
        observed=verdict.observed or 0.0,
        z=verdict.z,
        scale_hours=verdict.scale_hours,
        since=start,
        detected=verdict.window_end,
        last=verdict.window_end,
        episode_ids=episode_ids,
    )
    if known is None:
        return fresh
    evidence = fresh if _sureness(fresh) > _sureness(known) else known
    return replace(
        evidence,
        since=min(known.since, start),
        detected=min(known.detected, fresh.detected),
        last=max(known.last, fresh.last),
        episode_ids=tuple(dict.fromkeys([*known.episode_ids, *episode_ids])),
        accepted_at=known.accepted_at,
    )


def _sureness(finding: Finding) -> float:
    """Return how surely a finding says what it does: one value only, or another type, needs no test."""
    needs_no_test = finding.channel is not None and finding.channel.kind is ChannelKind.TYPE_CHANGED
    return math.inf if finding.z is None or needs_no_test else finding.z
