"""Segments: which part of the traffic a drift comes from, and which parts only show it too.

A segment is a string `key=value`. Values of one key exclude each other, segments of different keys overlap:
a fault of one carrier also shows at the airport where that carrier flies most, and in the whole traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.channels import ChannelKind
from driftline.domain.verdict_table import Subject, Verdicts
from driftline.domain.verdicts import VerdictName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Verdict
    from driftline.drift.settings import DriftSettings

_LARGEST_REST = 0.5
_LEAST_SHARE = 0.05
_MORE_CONCENTRATED = 1.5
_ABOUT_AS_MANY = 1.25
_NAMED = 3


def whole_settings(settings: DriftSettings, segments: int) -> DriftSettings:
    """Return how the whole traffic is judged beside segments: with half of the budget of false pages."""
    return replace(settings, page_budget_hours=settings.page_budget_hours * (2 if segments else 1))


def segment_settings(settings: DriftSettings, segments: int) -> DriftSettings:
    """Return how each of so many segments is judged: they share the other half of the budget equally."""
    return replace(settings, page_budget_hours=settings.page_budget_hours * 2 * max(segments, 1))


@dataclass(frozen=True, slots=True)
class Attributed:
    """Verdicts of one hour, after it was found out what drives what.

    Args:
        whole: of the whole traffic, each with the segments that drive it.
        segments: of the segments. One that only shows what drifts elsewhere warns, where it paged.
    """

    whole: Verdicts
    segments: Verdicts


@dataclass(frozen=True, slots=True)
class _Shift:
    """What moved in a segment: its verdict, and its part of the traffic."""

    verdict: Verdict
    share: float

    @property
    def effect(self) -> float:
        return self.verdict.effect or 0.0

    @property
    def moved(self) -> float:
        """The share of the whole traffic's rows that moved in it."""
        return self.share * abs(self.effect)

    @property
    def moved_at_least(self) -> float:
        """The same by the end of the effect's interval that is nearer to 0."""
        low, high = self.verdict.effect_low, self.verdict.effect_high
        if low is None or high is None:
            return self.moved
        return 0.0 if low <= 0 <= high else self.share * min(abs(low), abs(high))

    @property
    def moved_at_most(self) -> float:
        """The same by the other end."""
        low, high = self.verdict.effect_low, self.verdict.effect_high
        return self.moved if low is None or high is None else self.share * max(abs(low), abs(high))


def name_drivers(whole: Sequence[Verdict], segments: Sequence[Verdict]) -> Attributed:
    """Say of each drift which segments it comes from.

    Of a segment's pages those stand that are a drift of its own. Where the rest of the traffic drifts as it
    does, the whole traffic's page tells it; where a segment of another key holds the same moved rows in
    fewer others, that one tells it. The others become warnings, which keep their episode.

    Args:
        whole: verdicts of the whole traffic on one hour.
        segments: verdicts of all segments on the same hour, each with its `segment`.
    """
    whole, segments = Verdicts.of(whole), Verdicts.of(segments)
    moved = {Subject.of(verdict) for verdict in whole.changed}
    moved |= {Subject.of(verdict) for verdict in segments.changed if verdict.verdict == "page"}
    groups: dict[Subject, list[int]] = {subject: [] for subject in moved}
    for place in segments.places(moved):
        groups[Subject.of(segments[place])].append(place)
    driven: dict[int, Verdict] = {}
    named: dict[int, Verdict] = {}
    # A feature of a reference that only segments have is theirs alone.
    for place in whole.places(moved):
        verdict = whole[place]
        group = groups[Subject.of(verdict)]
        shifts = [
            _Shift(one, one.sample_size / max(verdict.sample_size, 1))
            for one in map(segments.__getitem__, group)
        ]
        shares = _shares(verdict, shifts)
        driven[place] = _with_drivers(verdict, shares)
        named.update(zip(group, [_demoted(shift, shifts, verdict, shares) for shift in shifts], strict=True))
    return Attributed(whole.replaced(driven), segments.replaced(named))


def _shares(whole: Verdict, shifts: Sequence[_Shift]) -> Mapping[str, float]:
    """Return which share of the whole's shift comes from each segment that drives it, the largest first."""
    if not whole.verdict.has_changed or not whole.effect:
        return {}
    drivers = [shift for shift in shifts if _is_sure(shift.verdict) and _drives(shift, whole)]
    drivers = [shift for shift in drivers if _explained_by(shift, drivers) is None]
    shares = {shift.verdict.segment: min(shift.moved / abs(whole.effect), 1.0) for shift in drivers}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _is_sure(verdict: Verdict) -> bool:
    """Return whether a segment changed: by a verdict, or the 95 % interval of its effect leaves out 0."""
    if verdict.verdict.has_changed:
        return True
    low, high = verdict.effect_low, verdict.effect_high
    return verdict.verdict == "ok" and low is not None and high is not None and not low <= 0 <= high


def _drives(shift: _Shift, whole: Verdict) -> bool:
    """Return whether a segment moves as the whole does, and the rest of the traffic by much less."""
    effect = whole.effect or 0.0
    if not _same_shift(shift.verdict, whole):
        return False
    rest = (abs(effect) - shift.moved) / max(1 - shift.share, 1e-9)
    return rest <= _LARGEST_REST * abs(shift.effect)


def _same_shift(first: Verdict, second: Verdict) -> bool:
    """Return whether two verdicts on a feature are of one shift.

    Shares at or below a cut count as one channel, since each reference has cuts of its own: which of them
    moved most says little, and its sign less.
    """
    if first.effect is None or second.effect is None:
        return False
    if _is_cut(first) and _is_cut(second):
        return True
    return first.channel == second.channel and first.effect * second.effect > 0


def _is_cut(verdict: Verdict) -> bool:
    return verdict.channel is not None and verdict.channel.kind is ChannelKind.AT_MOST


def _explained_by(shift: _Shift, others: Sequence[_Shift]) -> _Shift | None:
    """Return the segment of another key that holds the rows that moved here, among fewer others."""
    key = _key(shift.verdict.segment)
    found = [
        other
        for other in others
        if _key(other.verdict.segment) != key
        and other.verdict.verdict.has_changed
        and _same_shift(shift.verdict, other.verdict)
        and abs(other.effect) >= _MORE_CONCENTRATED * abs(shift.effect)
        and shift.moved_at_least <= _ABOUT_AS_MANY * other.moved_at_most
    ]
    return max(found, key=lambda other: abs(other.effect), default=None)


def _key(segment: str) -> str:
    return segment.partition("=")[0]


def _with_drivers(verdict: Verdict, shares: Mapping[str, float]) -> Verdict:
    drivers = {segment: share for segment, share in shares.items() if share >= _LEAST_SHARE}
    if not drivers:
        return verdict
    named = ", ".join(
        f"{segment}: {share:.0%} of the shift" for segment, share in list(drivers.items())[:_NAMED]
    )
    more = f" and {len(drivers) - _NAMED} more" if len(drivers) > _NAMED else ""
    return replace(verdict, drivers=drivers, reason=f"{verdict.reason}; driven by {named}{more}")


def _demoted(shift: _Shift, shifts: Sequence[_Shift], whole: Verdict, shares: Mapping[str, float]) -> Verdict:
    """Return a segment's verdict, as a warning where its page is reported elsewhere."""
    verdict = shift.verdict
    if verdict.verdict != "page":
        return verdict
    culprit = _explained_by(shift, shifts)
    if culprit is not None:
        why = f"reported for {culprit.verdict.segment}, where the same rows are a larger part"
    elif whole.verdict == "page" and verdict.segment not in shares and _same_shift(verdict, whole):
        why = "reported for the whole traffic, whose other parts drift as well"
    else:
        return verdict
    return replace(verdict, verdict=VerdictName.WARN, reason=f"{verdict.reason}; {why}")
