"""An incident, what it found, and what was said of it. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from driftline.domain.channels import ChannelKind
from driftline.domain.incidents import DEFAULT_QUIET_HOURS, Finding

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.domain.verdicts import Kind, Reference
    from driftline.drift.hygiene import Word
    from driftline.drift.verdict import Verdict

State = Literal["open", "dismissed", "ended", "accepted", "withdrawn"]

_NAMED_FEATURES = 3


class Key(NamedTuple):
    """What findings are told apart by."""

    segment: str
    feature: str
    kind: Kind
    reference: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident of one stream. Hours count from the Unix epoch, UTC.

    Args:
        incident_id: the same whenever the same hours are judged again.
        detected: when the window that paged first ended.
        state: `open`; `dismissed`: it goes on, and was called a false page; `ended`: nothing of it paged for
            24 hours; `accepted`: it is the new normal, by somebody's word or because it lasted two weeks;
            `withdrawn`: late events took it back. Only an open one needs somebody.
        findings: gravest first: those of all the traffic, by effect, then those of its parts.
        word: what was said of it last; None: nothing.
        accepted_at: the hour from which it is the new normal; None: it is not.
        revision: grows with each change.
        quiet_hours: it has ended once so many hours were judged without a page of it.
    """

    incident_id: str
    detected: int
    state: State
    findings: tuple[Finding, ...]
    word: Word | None = None
    accepted_at: int | None = None
    revision: int = 1
    quiet_hours: int = DEFAULT_QUIET_HOURS

    @property
    def since(self) -> int:
        """The first hour of the windows that page."""
        return min(finding.since for finding in self.findings)

    @property
    def last(self) -> int:
        """When the last window that pages ended."""
        return max(finding.last for finding in self.findings)

    @property
    def headline(self) -> str:
        """One line: which features, and what moved most."""
        first = self.findings[0]
        names = list(dict.fromkeys(finding.feature for finding in self.findings))
        more = len(names) - _NAMED_FEATURES
        if more > 0:
            names = [*names[:_NAMED_FEATURES], f"{more} more"]
        told = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        where = f" in {first.segment}" if first.segment else ""
        if first.channel is not None and first.channel.kind is ChannelKind.STUCK:
            return f"{told}: one single value{where}"
        if first.channel is not None and first.channel.kind is ChannelKind.TYPE_CHANGED:
            return f"{told}: {first.channel.text} in {first.observed:.2%} of rows{where}"
        moved = "rose" if first.effect >= 0 else "fell"
        change = f"{moved} from {first.expected:.2%} to {first.observed:.2%}"
        what = "the share that moved most" if first.channel is None else first.channel.text
        return f"{told}: {what} {change}{where}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody's word on an incident.

    Args:
        incident_id: which incident.
        detected: when it was detected. Events that arrive late may move that, and with it its id; the word
            then holds for the incident nearest to it, within a day.
        word: `real`: a fault; `noise`: a false page; `accept`: a change that is normal from now on.
        at: the hour from which it is known: when the newest window that was judged by then ended.
    """

    incident_id: str
    detected: int
    word: Word
    at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of an incident at once, in place of somebody on call.

    Args:
        word: as in an acknowledgement.
        given_by: who says it.
        note: why.
        given_at: now.
    """

    word: Word
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
