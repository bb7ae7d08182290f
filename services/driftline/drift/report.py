"""From comparisons to verdicts, with a sentence that an engineer understands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.statistics import STATISTIC_NAMES, statistics_of
from driftline.domain.verdicts import KINDS, Feature, Reference, Verdict, VerdictName, other_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.drift.hygiene import Episode, PageLog
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.arrays import FloatArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.comparison import Comparison

_NUMBERS = {
    **{name: name for name in ("effect_low", "effect_high", "expected", "observed", "z", "critical")},
    "overdispersion": "phi",
    "freedom": "df",
}
"""The numbers of a verdict, and what a comparison calls them."""

_STUCK = {
    "channel": Channel(ChannelKind.STUCK),
    "effect": 1.0,
    "observed": 1.0,
    "expected": 0.0,
} | dict.fromkeys(
    ("effect_low", "effect_high", "z", "critical", "overdispersion", "freedom", "detectable_effect")
)
_APPLY = {
    kind: [(each.name, STATISTIC_NAMES.index(each.name)) for each in statistics_of(kind)] for kind in KINDS
}
"""Which statistics apply to a kind of feature, and where they stand."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window, whatever its features say.

    Args:
        reference: what it is compared with.
        scale_hours: its length.
        end: the hour after its last.
        rows: prediction events in it.
        completeness: the share of its events that arrived.
        covered: whether the judge knows hours as old as its first.
        segment: of which part of the traffic; empty: of all of it.
        features: what its hours carried, hour by hour.
    """

    reference: Reference
    scale_hours: int
    end: int
    rows: int
    completeness: float
    covered: bool
    segment: str
    features: Sequence[tuple[Feature, ...]] = ()

    def carries(self, feature: Feature) -> bool:
        """Return whether any of its hours carried a feature."""
        return any(feature in hour for hour in self.features)

    def common(self) -> dict[str, Any]:
        """Return what all verdicts of this window share."""
        return {
            "segment": self.segment,
            "reference": self.reference,
            "scale_hours": self.scale_hours,
            "window_start": self.end - self.scale_hours,
            "window_end": self.end,
            "completeness": self.completeness,
        }


def report_learning(
    features: Iterable[Feature], windows: Sequence[Window], settings: DriftSettings
) -> list[Verdict]:
    """Give the verdict `learning`, or what stands before it, to features that have no reference yet."""
    days = settings.hour_of_day_after_hours // 24
    verdicts = []
    names = list(features)
    for window in windows:
        verdict, reason = _unjudged(window, settings) or (
            VerdictName.LEARNING,
            (
                f"production is its own reference once it has {days} days of history besides the newest "
                f"{settings.longest_scale_hours} h; until then nothing pages"
            ),
        )
        verdicts += [
            Verdict(
                feature=feature.name,
                kind=feature.kind,
                verdict=verdict,
                sample_size=window.rows,
                reason=reason,
                **window.common(),
            )
            for feature in names
        ]
    return verdicts


def report_comparison(
    baseline: Baseline,
    comparison: Comparison,
    windows: Sequence[Window],
    pages: PageLog,
    settings: DriftSettings,
) -> list[Verdict]:
    """Write the verdicts of all features and windows, and note the pages among them.

    Args:
        baseline: that was compared with.
        comparison: what came out, (scales, f).
        windows: by scale, ascending.
        pages: the episodes of this reference.
        settings: samples and completeness.
    """
    unjudged = [_unjudged(window, settings) for window in windows]
    judged = np.array([reason is None for reason in unjudged])
    paging = comparison.pages & judged[:, None]
    episodes = _record(baseline, paging, windows, pages)
    verdicts: list[Verdict] = []
    for scale, (window, skipped) in enumerate(zip(windows, unjudged, strict=True)):
        own: Mapping[int, Episode] = {}
        if skipped:
            said: Sequence[tuple[VerdictName, str]] = [skipped] * len(baseline.features)
        else:
            own = {index: episode for index, episode in episodes.items() if paging[scale, index]}
            said = _said(baseline, comparison, scale, window=window, episodes=own, pages=pages)
        found = zip(
            baseline.features,
            said,
            _evidence(baseline, comparison, scale),
            _statistics(baseline, comparison, scale),
            strict=True,
        )
        for index, (feature, (verdict, reason), evidence, statistics) in enumerate(found):
            episode = own.get(index)
            if verdict.has_changed and _has_changed_type(feature, evidence, baseline, window):
                evidence["channel"] = Channel(ChannelKind.TYPE_CHANGED, other_kind(feature.kind))
            verdicts.append(
                Verdict(
                    feature=feature.name,
                    kind=feature.kind,
                    verdict=verdict,
                    statistics=statistics,
                    episode_id=None if episode is None else episode.episode_id,
                    episode_start=None if episode is None else episode.start,
                    reason=reason,
                    segment=window.segment,
                    reference=window.reference,
                    scale_hours=window.scale_hours,
                    window_start=window.end - window.scale_hours,
                    window_end=window.end,
                    completeness=window.completeness,
                    **evidence,
                )
            )
    return verdicts


def _has_changed_type(
    feature: Feature, evidence: Mapping[str, Any], baseline: Baseline, window: Window
) -> bool:
    """Return whether a feature lacks values that come as the other kind, new to the reference."""
    other = Feature(feature.name, other_kind(feature.kind))
    lacks_values = evidence["channel"].kind is ChannelKind.NULLS and evidence["effect"] > 0
    return lacks_values and other not in baseline.features and window.carries(other)


def _record(
    baseline: Baseline, paging: np.ndarray[Any, Any], windows: Sequence[Window], pages: PageLog
) -> Mapping[int, Episode]:
    episodes = {}
    for index in np.flatnonzero(paging.any(0)).tolist():
        scales = np.flatnonzero(paging[:, index])
        shortest, longest = windows[int(scales[0])], windows[int(scales[-1])]
        episodes[index] = pages.record(
            baseline.features[index],
            first=shortest.end - shortest.scale_hours,
            window_start=longest.end - longest.scale_hours,
            window_end=longest.end,
        )
    return episodes


def _evidence(baseline: Baseline, comparison: Comparison, scale: int) -> Iterable[dict[str, Any]]:
    """Yield the fields of verdicts that carry their evidence, in plain Python numbers, by feature."""
    number = {name: getattr(comparison, of)[scale].tolist() for name, of in _NUMBERS.items()}
    named = baseline.channels.named
    fields = {
        "channel": [named[place] for place in comparison.channel[scale].tolist()],
        "effect": (comparison.observed[scale] - comparison.expected[scale]).tolist(),
        "sample_size": np.rint(comparison.sample_size[scale]).astype(np.int64).tolist(),
        "reference_size": np.rint(comparison.reference_size[scale]).astype(np.int64).tolist(),
        "detectable_effect": _known(comparison.detectable[scale]),
        "rank": comparison.ranking.rank[scale].tolist(),
        "listed": comparison.ranking.listed[scale].tolist(),
        **number,
    }
    for stuck, *values in zip(comparison.stuck[scale].tolist(), *fields.values(), strict=True):
        evidence = dict(zip(fields, values, strict=True))
        yield evidence | _STUCK if stuck else evidence


def _statistics(
    baseline: Baseline, comparison: Comparison, scale: int
) -> Iterable[Mapping[str, float | None]]:
    """Yield the descriptive statistics that apply to each feature; None where its window holds no value."""
    numbers = np.array([comparison.statistics[name][scale] for name in STATISTIC_NAMES])
    for feature, values in zip(baseline.features, _known(numbers.T), strict=True):
        yield {name: values[place] for name, place in _APPLY[feature.kind]}


def _known(numbers: FloatArray) -> list[Any]:
    """Return numbers as plain Python, with None for NaN."""
    known = numbers.astype(np.object_)
    known[np.isnan(numbers)] = None
    return known.tolist()  # type: ignore[no-any-return]  # of the array's shape


def _unjudged(window: Window, settings: DriftSettings) -> tuple[VerdictName, str] | None:
    """Say why a window cannot be judged, and what would change it."""
    if window.completeness < settings.minimum_completeness:
        return VerdictName.INCOMPLETE, (
            f"only {window.completeness:.1%} of the events of these {window.scale_hours} h arrived, "
            f"{settings.minimum_completeness:.0%} are needed; the ledger tells what is missing"
        )
    if window.rows < settings.minimum_sample:
        return VerdictName.INSUFFICIENT_DATA, (
            f"{window.rows} events in {window.scale_hours} h, {settings.minimum_sample} are needed; "
            "longer windows or more traffic would do"
        )
    if window.scale_hours > 24 and not window.covered:
        return VerdictName.INSUFFICIENT_DATA, (
            f"{window.scale_hours} h have not passed yet; "
            "only whole weeks are compared with a reference without times"
        )
    return None


def _said(
    baseline: Baseline,
    comparison: Comparison,
    scale: int,
    *,
    window: Window,
    episodes: Mapping[int, Episode],
    pages: PageLog,
) -> Sequence[tuple[VerdictName, str]]:
    """Return what is said of each feature in a window that can be judged, and why."""
    past = {"production": "the same hours of past weeks", "training": "the training data"}[window.reference]
    if not baseline.timed:
        past = "the training data, whose rows carry no times, so that season is not matched"
    moved = f"{{channel}}: {{observed}} where {past} lead to expect {{expected}}"
    constant = f"one single value for {window.scale_hours} h, which {past} never showed"
    said: list[tuple[VerdictName, str]] = []
    for index, (feature, stuck, warns, held_back, detectable) in enumerate(
        zip(
            baseline.features,
            comparison.stuck[scale].tolist(),
            comparison.warns[scale].tolist(),
            comparison.held_back[scale].tolist(),
            comparison.detectable[scale].tolist(),
            strict=True,
        )
    ):
        what = constant if stuck else moved
        if index in episodes:
            said.append((VerdictName.PAGE, f"{what}; since {_time(episodes[index].start)}"))
        elif warns:
            because = "surely changed, not surely by more than a page needs"
            if held_back:
                because = "would have paged, but pages that nobody confirmed make the next ones ask for more"
            elif window.reference == "training" and pages.is_accepted(feature, by=window.end - 1):
                because = "surely changed, and accepted as the new normal"
            said.append((VerdictName.WARN, f"{what}; {because}"))
        elif math.isnan(detectable):
            said.append(
                (
                    VerdictName.OK,
                    f"largest difference in {what}; this window is too small to find any shift there",
                )
            )
        else:
            said.append(
                (
                    VerdictName.OK,
                    f"largest difference in {what}; a shift of {{detectable}} there would have paged",
                )
            )
    return said


def _time(hour: int) -> str:
    return f"{hour_time(hour):%Y-%m-%d %H:00} UTC"
