"""Verdicts: what each comes to, and which of several is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.domain.channels import Channel

Kind = Literal["numeric", "categorical"]
KINDS: tuple[Kind, ...] = ("numeric", "categorical")
Reference = Literal["training", "production"]


class Feature(NamedTuple):
    """A feature is known by its name and kind: one that changes its kind is another feature."""

    name: str
    kind: Kind


def other_kind(kind: Kind) -> Kind:
    """Return the kind that a feature becomes when it changes its type."""
    return "categorical" if kind == "numeric" else "numeric"


class VerdictName(StrEnum):
    """What a verdict comes to, the gravest first.

    A window too short to judge (at night, say) is no news where a longer one was judged, so
    ``insufficient_data`` ranks last.
    """

    PAGE = "page"
    WARN = "warn"
    INCOMPLETE = "incomplete"
    LEARNING = "learning"
    OK = "ok"
    INSUFFICIENT_DATA = "insufficient_data"

    @property
    def severity(self) -> int:
        """How grave it is: 0 for the least, the larger the graver."""
        return _SEVERITY[self]

    @property
    def has_changed(self) -> bool:
        """Whether it says that something surely changed."""
        return self in _CHANGED


BY_SEVERITY = tuple(reversed(VerdictName))
"""All verdicts by their severity, the least grave first."""

_SEVERITY = {name: severity for severity, name in enumerate(BY_SEVERITY)}
_CHANGED = frozenset({VerdictName.PAGE, VerdictName.WARN})


def gravest(verdicts: Iterable[str]) -> VerdictName:
    """Return the verdict that is shown for several, by their names; that of no window where there is none."""
    names = map(VerdictName, verdicts)
    return max(names, key=_SEVERITY.__getitem__, default=VerdictName.INSUFFICIENT_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one feature comes to in one window, against one reference.

    Shares, effects and completeness are fractions of 1; hours count from the Unix epoch, UTC. The
    evidence (from `channel` to `detectable_effect`) is that of the feature's worst channel, and None
    where nothing could be compared.

    Args:
        feature: its name.
        kind: numeric or categorical.
        reference: what the window was compared with.
        scale_hours: the length of the window.
        window_start: its first hour.
        window_end: the hour after its last.
        verdict: what it comes to.
        channel: the proportion that moved most.
        effect: observed - expected.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end of its 95 % interval.
        expected: the share that the reference leads to expect in these hours.
        observed: the share that was seen.
        z: how surely more than the minimum effect; 0 where the effect is smaller.
        critical: the value that z has to exceed for a page.
        overdispersion: the channel's variance over that of independent rows; at least 1.
        freedom: degrees of freedom behind it.
        sample_size: rows or values behind `observed`.
        reference_size: rows or values of the reference, matched by slot, behind `expected`.
        completeness: the share of the window's events that arrived.
        statistics: the descriptive statistics by name; they inform, they do not page.
        detectable_effect: the smallest effect on this channel that this window would have paged for;
            None where not even the largest would have.
        episode_id: the episode that a page belongs to.
        episode_start: its first hour.
        rank: 1 for the feature with the largest effect of this window, and so on.
        listed: kept by Benjamini-Hochberg among the features of this window.
        drivers: what the effect comes from, such as segments, and which share of it each makes.
        reason: one sentence for the engineer, in which `{channel}`, `{observed}`, `{expected}` and
            `{detectable}` stand for the verdict's own figures. The store fills them in when it is read.
        segment: of which part of the traffic, as `key=value`; empty: of all of it.
        revision: grows when it is given again since events came late.
        revised_because: why it was; empty in the first one.
    """

    feature: str
    kind: Kind
    reference: Reference
    scale_hours: int
    window_start: int
    window_end: int
    verdict: VerdictName
    channel: Channel | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    expected: float | None = None
    observed: float | None = None
    z: float | None = None
    critical: float | None = None
    overdispersion: float | None = None
    freedom: float | None = None
    sample_size: int = 0
    reference_size: int = 0
    completeness: float = 1.0
    statistics: Mapping[str, float | None] = field(default_factory=dict)
    detectable_effect: float | None = None
    episode_id: str | None = None
    episode_start: int | None = None
    rank: int | None = None
    listed: bool = False
    drivers: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    segment: str = ""
    revision: int = 1
    revised_because: str = ""
