"""Incidents: what pages somebody, and what the engineer on call decides about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from driftline.domain.channels import ChannelKind
from driftline.domain.verdicts import Feature, Kind, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from driftline.domain.channels import Channel
    from driftline.domain.streams import Stream
    from driftline.domain.verdicts import Verdict

IncidentState = Literal["open", "dismissed", "ended", "accepted", "withdrawn"]
STATES: tuple[IncidentState, ...] = ("open", "dismissed", "ended", "accepted", "withdrawn")
"""Only an open incident needs somebody; a dismissed one goes on, and was called a false page."""

AcknowledgementName = Literal["real", "noise", "accept"]

DEFAULT_QUIET_HOURS = 24
"""An incident is over once so many hours were judged without a page of it, unless a monitor says else."""


class FindingKey(NamedTuple):
    """What distinguishes findings."""

    segment: str
    feature: str
    kind: Kind
    reference: Reference

    @classmethod
    def of(cls, one: Verdict | Finding) -> Self:
        """Return which finding a verdict belongs to, or what distinguishes a finding."""
        return cls(one.segment, one.feature, one.kind, one.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What pages for one feature, in one part of the traffic, against one reference.

    The evidence is that of its surest window. Hours count from the Unix epoch, UTC.

    Args:
        segment: of which part of the traffic, as `key=value`; empty: of all of it.
        feature: its name.
        kind: numeric or categorical.
        reference: what the windows were compared with.
        channel: the proportion that moved most.
        effect: observed - expected.
        expected: the share that the reference leads to expect.
        observed: the share that was seen.
        z: how surely; None: the feature is stuck, which needs no test.
        scale_hours: the length of the surest window.
        since: since when it has moved; at the latest the first hour of its shortest windows that page.
        detected: when the window that paged first ended.
        last: when the last window that pages ended.
        episode_ids: of the episodes that its verdicts name, the earliest first.
        accepted_at: when it had lasted long enough to be the new normal; None before.
    """

    segment: str
    feature: str
    kind: Kind
    reference: Reference
    channel: Channel | None
    effect: float
    expected: float
    observed: float
    z: float | None
    scale_hours: int
    since: int
    detected: int
    last: int
    episode_ids: tuple[str, ...]
    accepted_at: int | None = None

    @property
    def feature_key(self) -> Feature:
        """The feature by name and kind."""
        return Feature(self.feature, self.kind)

    @property
    def gravity(self) -> tuple[bool, float, str, bool, str]:
        """What findings are sorted by: of all the traffic first, then by effect."""
        is_part, is_training = self.segment != "", self.reference != "production"
        return is_part, -abs(self.effect), self.feature, is_training, self.segment

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Return what a verdict finds."""
        return cls(
            **FindingKey.of(verdict)._asdict(),
            channel=verdict.channel,
            effect=verdict.effect or 0.0,
            expected=verdict.expected or 0.0,
            observed=verdict.observed or 0.0,
            z=verdict.z,
            scale_hours=verdict.scale_hours,
            since=verdict.window_start if verdict.episode_start is None else verdict.episode_start,
            detected=verdict.window_end,
            last=verdict.window_end,
            episode_ids=() if verdict.episode_id is None else (verdict.episode_id,),
        )

    def with_verdict(self, verdict: Verdict) -> Finding:
        """Return it with one more of its verdicts; the surest one is its evidence."""
        fresh = Finding.of(verdict)
        evidence = fresh if fresh.sureness > self.sureness else self
        return replace(
            evidence,
            since=min(self.since, fresh.since),
            detected=min(self.detected, fresh.detected),
            last=max(self.last, fresh.last),
            episode_ids=tuple(dict.fromkeys([*self.episode_ids, *fresh.episode_ids])),
            accepted_at=self.accepted_at,
        )

    @property
    def sureness(self) -> float:
        """How surely it says what it does: one value only, or another type, needs no test."""
        needs_no_test = self.channel is not None and self.channel.kind is ChannelKind.TYPE_CHANGED
        return math.inf if self.z is None or needs_no_test else self.z


_NAMED_FEATURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident of one stream. Hours count from the Unix epoch, UTC.

    Args:
        stream: of which model version and environment.
        incident_id: the same whenever the same hours are judged again.
        detected: when the window that paged first ended.
        state: `open`; `dismissed`: it goes on, and was called a false page; `ended`: nothing of it paged for
            so many hours; `accepted`: it is the new normal, since somebody accepted it or because it lasted
            two weeks; `withdrawn`: late events took it back. Only an open one needs somebody.
        findings: gravest first: those of all the traffic, by effect, then those of its parts.
        acknowledged: as what it was acknowledged last; None: it was not.
        accepted_at: the hour from which it is the new normal; None: it is not.
        revision: grows with each change.
        quiet_hours: it has ended once so many hours were judged without a page of it.
    """

    stream: Stream
    incident_id: str
    detected: int
    state: IncidentState
    findings: tuple[Finding, ...]
    acknowledged: AcknowledgementName | None = None
    accepted_at: int | None = None
    revision: int = 1
    quiet_hours: int = DEFAULT_QUIET_HOURS

    @property
    def since(self) -> int:
        """The first hour of the windows that page."""
        return min((finding.since for finding in self.findings), default=self.detected)

    @property
    def last(self) -> int:
        """When the last window that pages ended."""
        return max((finding.last for finding in self.findings), default=self.detected)

    @property
    def headline(self) -> str:
        """One line: which features, and what moved most."""
        if not self.findings:
            return ""
        first = self.findings[0]
        names = list(dict.fromkeys(finding.feature for finding in self.findings))
        more = len(names) - _NAMED_FEATURES
        if more > 0:
            names = [*names[:_NAMED_FEATURES], f"{more} more"]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        where = f" in {first.segment}" if first.segment else ""
        if first.channel is not None and first.channel.kind is ChannelKind.STUCK:
            return f"{listed}: one single value{where}"
        if first.channel is not None and first.channel.kind is ChannelKind.UNIT_CHANGED:
            return f"{listed}: {first.channel.text}{where}"
        if first.channel is not None and first.channel.kind is ChannelKind.VOLUME:
            return f"{listed}: {first.observed:.0%} of the predictions that were to be expected{where}"
        if first.channel is not None and first.channel.kind is ChannelKind.TYPE_CHANGED:
            return f"{listed}: {first.channel.text} in {first.observed:.2%} of rows{where}"
        moved = "rose" if first.effect >= 0 else "fell"
        change = f"{moved} from {first.expected:.2%} to {first.observed:.2%}"
        what = "the share that moved most" if first.channel is None else first.channel.text
        return f"{listed}: {what} {change}{where}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What somebody decided about an incident. Hours count from the Unix epoch, UTC.

    Args:
        incident_id: which incident.
        detected: when it was detected. Events that arrive late may move that, and with it its id; the
            acknowledgement then holds for the incident nearest to it, within a day.
        name: `real`: a fault; `noise`: a false page; `accept`: a change that is normal from now on.
        known_from: the hour from which it is known: when the newest window that was judged by then ended.
        given_by: who decided.
        note: why.
        given_at: when; None where it does not matter.
    """

    incident_id: str
    detected: int
    name: AcknowledgementName
    known_from: int
    given_by: str = ""
    note: str = ""
    given_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement that is given at once, in place of somebody on call.

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


@dataclass(frozen=True, slots=True)
class AcknowledgementMeaning:
    """What an acknowledgement may say of an incident.

    Args:
        name: in commands and in the store.
        meaning: what it is, and what follows.
        brief: what it is, in a few characters.
        heading: what stands before the incident's id where it was acknowledged so.
    """

    name: AcknowledgementName
    meaning: str
    brief: str
    heading: str


MEANINGS: dict[str, AcknowledgementMeaning] = {
    each.name: each
    for each in (
        AcknowledgementMeaning(
            "real",
            "a fault: it counts as confirmed, and its hours stay out of the reference",
            "a fault",
            "Confirmed: a fault, incident",
        ),
        AcknowledgementMeaning(
            "noise",
            "a false page: it counts against the budget, and its hours are reference again",
            "a false page",
            "Called a false page:",
        ),
        AcknowledgementMeaning(
            "accept",
            "the new normal: what came before it is no reference any more",
            "the new normal",
            "Accepted as the new normal, incident",
        ),
    )
}
"""What an acknowledgement may say, by name: the one table, which commands, incidents and the store follow."""


def settled_features(incidents: Iterable[Incident], stream: Stream, end: int) -> frozenset[Feature]:
    """Return the features whose drift needs nobody any more, though windows that ended by then page for it.

    Args:
        incidents: that may tell of it.
        stream: whose features.
        end: when the windows ended, hours since the Unix epoch, UTC.
    """
    names: dict[bool, set[Feature]] = {True: set(), False: set()}
    for incident in incidents:
        if incident.stream == stream and incident.last >= end and incident.state != "withdrawn":
            names[incident.state == "open"].update(finding.feature_key for finding in incident.findings)
    return frozenset(names[False] - names[True])
