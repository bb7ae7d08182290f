"""From comparisons to verdicts, with a sentence that an engineer understands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.drift.verdict import Reference, Verdict, VerdictName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.drift.hygiene import Episode, PageLog
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.comparison import Comparison
    from driftline.drift.verdict import Feature

_NUMERIC_STATISTICS = ("psi", "js", "ks", "ks_p_value", "wasserstein", "wasserstein_normed")
_CATEGORICAL_STATISTICS = ("psi", "js", "chi2", "chi2_p_value")


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
    """

    reference: Reference
    scale_hours: int
    end: int
    rows: int
    completeness: float
    covered: bool
    segment: str

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
            "learning",
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
    rows = _Rows(baseline, comparison)
    verdicts = []
    for scale, window in enumerate(windows):
        common = window.common()
        for index, feature in enumerate(baseline.features):
            evidence = rows.evidence(scale, index)
            skipped = unjudged[scale]
            verdict: VerdictName = "ok"
            episode = None
            if skipped is not None:
                verdict, reason = skipped
            else:
                if paging[scale, index]:
                    verdict, episode = "page", episodes[index]
                elif comparison.warns[scale, index]:
                    verdict = "warn"
                because = None
                if comparison.held_back[scale, index]:
                    because = (
                        "would have paged, but pages that nobody confirmed make the next ones ask for more"
                    )
                elif window.reference == "training" and pages.is_accepted(feature, by=window.end - 1):
                    because = "surely changed, and accepted as the new normal"
                reason = _reason(verdict, evidence, window, episode, timed=baseline.timed, because=because)
            verdicts.append(
                Verdict(
                    feature=feature.name,
                    kind=feature.kind,
                    verdict=verdict,
                    statistics=rows.statistics(scale, index, feature),
                    episode_id=None if episode is None else episode.episode_id,
                    episode_start=None if episode is None else episode.start,
                    reason=reason,
                    **evidence,
                    **common,
                )
            )
    return verdicts


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


class _Rows:
    """The arrays of a comparison as plain Python numbers, which dataclasses and databases want."""

    def __init__(self, baseline: Baseline, comparison: Comparison) -> None:
        names = (
            "observed",
            "expected",
            "effect_low",
            "effect_high",
            "z",
            "critical",
            "phi",
            "df",
            "detectable",
        )
        self._numbers = {name: getattr(comparison, name).tolist() for name in names}
        self._sample = np.rint(comparison.sample_size).astype(np.int64).tolist()
        self._reference = np.rint(comparison.reference_size).astype(np.int64).tolist()
        self._channel = comparison.channel.tolist()
        self._stuck = comparison.stuck.tolist()
        self._rank = comparison.ranking.rank.tolist()
        self._listed = comparison.ranking.listed.tolist()
        self._statistics = {name: values.tolist() for name, values in comparison.statistics.items()}
        self._labels = baseline.channels.labels

    def evidence(self, scale: int, feature: int) -> dict[str, Any]:
        """Return the fields of a verdict that carry its evidence."""
        number = {name: values[scale][feature] for name, values in self._numbers.items()}
        detectable = number["detectable"]
        evidence = {
            "channel": self._labels[self._channel[scale][feature]],
            "effect": number["observed"] - number["expected"],
            "effect_low": number["effect_low"],
            "effect_high": number["effect_high"],
            "expected": number["expected"],
            "observed": number["observed"],
            "z": number["z"],
            "critical": number["critical"],
            "phi": number["phi"],
            "df": number["df"],
            "sample_size": self._sample[scale][feature],
            "reference_size": self._reference[scale][feature],
            "detectable_effect": None if math.isnan(detectable) else detectable,
            "rank": self._rank[scale][feature],
            "listed": self._listed[scale][feature],
        }
        if self._stuck[scale][feature]:
            evidence |= {"channel": "stuck", "effect": 1.0, "observed": 1.0, "expected": 0.0}
            evidence |= dict.fromkeys(
                ("effect_low", "effect_high", "z", "critical", "phi", "df", "detectable_effect")
            )
        return evidence

    def statistics(self, scale: int, feature: int, known: Feature) -> dict[str, float | None]:
        """Return the familiar numbers that apply to a feature; None where its window holds no value."""
        names = _NUMERIC_STATISTICS if known.kind == "numeric" else _CATEGORICAL_STATISTICS
        values = {name: self._statistics[name][scale][feature] for name in names}
        return {name: None if math.isnan(value) else value for name, value in values.items()}


def _unjudged(window: Window, settings: DriftSettings) -> tuple[VerdictName, str] | None:
    """Say why a window cannot be judged, and what would change it."""
    if window.completeness < settings.minimum_completeness:
        return "incomplete", (
            f"only {window.completeness:.1%} of the events of these {window.scale_hours} h arrived, "
            f"{settings.minimum_completeness:.0%} are needed; the ledger tells what is missing"
        )
    if window.rows < settings.minimum_sample:
        return "insufficient_data", (
            f"{window.rows} events in {window.scale_hours} h, {settings.minimum_sample} are needed; "
            "longer windows or more traffic would do"
        )
    if window.scale_hours > 24 and not window.covered:
        return "insufficient_data", (
            f"{window.scale_hours} h have not passed yet; "
            "only whole weeks are compared with a reference without times"
        )
    return None


def _reason(
    verdict: VerdictName,
    evidence: Mapping[str, Any],
    window: Window,
    episode: Episode | None,
    *,
    timed: bool,
    because: str | None,
) -> str:
    past = {"production": "the same hours of past weeks", "training": "the training data"}[window.reference]
    if not timed:
        past = "the training data, whose rows carry no times, so that season is not matched"
    if evidence["channel"] == "stuck":
        what = f"one single value for {window.scale_hours} h, which {past} never showed"
    else:
        seen, expected = evidence["observed"], evidence["expected"]
        what = f"{evidence['channel']}: {seen:.2%} where {past} lead to expect {expected:.2%}"
    if episode is not None:
        return f"{what}; since {_time(episode.start)}"
    if verdict == "warn":
        return f"{what}; {because or 'surely changed, not surely by more than a page needs'}"
    detectable = evidence["detectable_effect"]
    if detectable is None:
        return f"largest difference in {what}; this window is too small to find any shift there"
    return f"largest difference in {what}; a shift of {detectable:.1%} there would have paged"


def _time(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%d %H:00} UTC"
