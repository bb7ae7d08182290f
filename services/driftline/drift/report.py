"""From comparisons to verdicts, with a sentence that an engineer understands."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.names import VOLUME
from driftline.domain.verdict_table import FIGURES, NUMBER, NUMBERS, TEXT, TEXTS, Verdicts
from driftline.domain.verdicts import Feature, Reference, Verdict, VerdictName, other_kind
from driftline.drift.statistics.volume import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.drift.hours import Window
    from driftline.drift.hygiene import Episode, PageLog
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.arrays import FloatArray
    from driftline.drift.statistics.baseline import Baseline
    from driftline.drift.statistics.comparison import Comparison
    from driftline.drift.statistics.units import Conversion
    from driftline.drift.statistics.volume import VolumeFound

_UNCONFIRMED = "would have paged, but pages that nobody confirmed make the next ones ask for more"
_LACKED = ": of the evidence of {critical:.1f} that it takes, {lacked:.1f} ({share:.0%}) are lacking"

_STUCK: Mapping[str, Any] = {
    "channel": Channel(ChannelKind.STUCK),
    "effect": 1.0,
    "observed": 1.0,
    "expected": 0.0,
    **dict.fromkeys(FIGURES),
}

_OF_VOLUME = {
    Outcome.PAGES: VerdictName.PAGE,
    Outcome.HELD_BACK: VerdictName.WARN,
    Outcome.RECURS: VerdictName.WARN,
    Outcome.OK: VerdictName.OK,
    Outcome.LEARNING: VerdictName.LEARNING,
    Outcome.TOO_FEW: VerdictName.INSUFFICIENT_DATA,
}

_RECURS = "; no page, since as many or as few came twice before, which nobody called a fault"


def remark_on(entries: Iterable[str], known: Mapping[str, int]) -> str:
    """Return a remark on hours that the calendar names, by how many of each name the reference holds."""
    remarks = [
        f"{name} (judged against {known[name]} such hours)"
        if name in known
        else f"{name} (first such day known here)"
        for name in dict.fromkeys(entries)
        if name
    ]
    # A reason's braces hold figures, and a name is none.
    return f"; {'; '.join(remarks)}".replace("{", "(").replace("}", ")") if remarks else ""


def report_learning(
    features: Iterable[Feature], windows: Sequence[Window], settings: DriftSettings, day: int | None = None
) -> Verdicts:
    """Give the verdict `learning`, or what stands before it, to features that have no reference yet.

    Args:
        features: in the order of their names.
        windows: by scale, ascending.
        settings: ages.
        day: of the history, counted from 1; None: that of each feature is another.
    """
    needed = settings.hour_of_day_after_hours // 24
    since = "" if day is None else f"day {day} of {needed + -(-settings.longest_scale_hours // 24)}: "
    learning = (
        VerdictName.LEARNING,
        (
            f"{since}what is usual at which hour is known after {needed} days besides the newest "
            f"{settings.longest_scale_hours} h; until then nothing pages against past weeks"
        ),
    )
    names = tuple(features)
    if not names:
        return Verdicts.of(())
    numbers = np.full((len(windows), len(names), len(NUMBERS)), np.nan)
    numbers[..., _NONE_IS_ZERO] = 0.0
    numbers[..., NUMBER["sample_size"]] = np.array([window.rows for window in windows])[:, None]
    texts = _texts(names, windows)
    for own, window in zip(texts, windows, strict=True):
        own[:, _STATED] = _unjudged(window, settings) or learning
    return _table(numbers, texts, windows)


def report_comparison(
    baseline: Baseline,
    comparison: Comparison,
    windows: Sequence[Window],
    pages: PageLog,
    settings: DriftSettings,
    *,
    onset: Callable[[int, int], int],
    conversions: Mapping[tuple[int, int], Conversion],
) -> Verdicts:
    """Write the verdicts of all features and windows, and note the pages among them.

    Args:
        baseline: that was compared with.
        comparison: what came out, (scales, f).
        windows: by scale, ascending.
        pages: the episodes of this reference.
        settings: samples and completeness.
        onset: returns since when a feature has moved, by the places of the window that shows it and its own.
        conversions: of values that come in another unit, by the same places.
    """
    is_young = baseline.assumed is not None
    unjudged = [_unjudged(window, settings, is_young=is_young) for window in windows]
    judged = np.array([reason is None for reason in unjudged])[:, None]
    texts = _texts(baseline.features, windows)
    texts[..., TEXT["channel"]] = comparison.channel
    past = _past(baseline, windows[0].reference)
    too_small = np.isnan(comparison.numbers[..., NUMBER["detectable_effect"]])
    quiet = _YOUNG if is_young else _QUIET
    for own, skipped, small, window in zip(texts, unjudged, too_small, windows, strict=True):
        own[:, _STATED] = skipped or (VerdictName.OK, quiet.format(past) + window.remark)
        if skipped is None and not is_young and small.any():
            own[small, TEXT["reason"]] = _SMALL.format(past) + window.remark
    table = _table(comparison.numbers.copy(), texts, windows)
    paging = comparison.pages & judged
    for (scale, index), conversion in conversions.items():
        paging[scale, index] |= conversion.pages and judged[scale, 0]
    # What is held back would have paged, so its hours teach the reference no more than a page's.
    held_back = comparison.held_back & judged
    episodes = _record(baseline, paging | held_back, windows, pages, onset)
    changed = (paging | comparison.warns) & judged
    own_verdicts: dict[int, Verdict] = {}
    for scale, index in np.argwhere(changed | comparison.stuck).tolist():
        place = scale * len(baseline.features) + index
        verdict = table[place]
        if comparison.stuck[scale, index]:
            verdict = replace(verdict, **_STUCK)
        if (scale, index) in conversions:
            unit = Channel(ChannelKind.UNIT_CHANGED, conversions[scale, index].text)
            verdict = replace(verdict, channel=unit)
        if changed[scale, index]:
            window = windows[scale]
            if paging[scale, index] or held_back[scale, index]:
                is_page = bool(paging[scale, index])
                verdict = _in_episode(verdict, past, episodes[index], window, pages=is_page)
            else:
                verdict = _warning(
                    verdict,
                    past,
                    window,
                    pages,
                    recurs=comparison.recurs[scale, index],
                    is_young=is_young,
                )
            if _has_changed_type(verdict, baseline, window):
                other = Channel(ChannelKind.TYPE_CHANGED, other_kind(verdict.kind))
                verdict = replace(verdict, channel=other)
        own_verdicts[place] = verdict
    return table.replaced(own_verdicts)


_NONE_IS_ZERO = [NUMBER[name] for name in ("sample_size", "reference_size", "rank", "listed")]
_STATED = [TEXT["verdict"], TEXT["reason"]]
_OF_WINDOW = [NUMBER[name] for name in ("scale_hours", "window_end", "completeness")]


def _texts(features: tuple[Feature, ...], windows: Sequence[Window]) -> NDArray[np.object_]:
    """Return the texts of verdicts by window and feature, without what is stated, (windows, f, texts)."""
    first = windows[0]
    return _unsaid(features, first.segment, first.reference, len(windows)).copy()


@lru_cache(maxsize=256)
def _unsaid(
    features: tuple[Feature, ...], segment: str, reference: Reference, windows: int
) -> NDArray[np.object_]:
    texts = np.full((windows, len(features), len(TEXTS)), None, dtype=np.object_)
    texts[..., TEXT["segment"]], texts[..., TEXT["reference"]] = segment, reference
    for place, feature in enumerate(features):
        texts[:, place, TEXT["feature"]], texts[:, place, TEXT["kind"]] = feature
    return texts


def _table(numbers: FloatArray, texts: NDArray[np.object_], windows: Sequence[Window]) -> Verdicts:
    """Return verdicts as a table, (windows, f) made one, with what they share by window."""
    shared = [(window.scale_hours, window.end, window.completeness) for window in windows]
    numbers[..., _OF_WINDOW] = np.array(shared)[:, None]
    return Verdicts(numbers.reshape(-1, len(NUMBERS)), texts.reshape(-1, len(TEXTS)))


def _has_changed_type(verdict: Verdict, baseline: Baseline, window: Window) -> bool:
    """Return whether a feature lacks values that come as the other kind, new to the reference."""
    other = Feature(verdict.feature, other_kind(verdict.kind))
    lacks_values = verdict.channel is not None and verdict.channel.kind is ChannelKind.NULLS
    lacks_values = lacks_values and (verdict.effect or 0.0) > 0
    return lacks_values and other not in baseline.features and window.carries(other)


def _record(
    baseline: Baseline,
    paging: np.ndarray[Any, Any],
    windows: Sequence[Window],
    pages: PageLog,
    onset: Callable[[int, int], int],
) -> Mapping[int, Episode]:
    episodes = {}
    for index in np.flatnonzero(paging.any(0)).tolist():
        scales = np.flatnonzero(paging[:, index])
        shortest, longest = windows[int(scales[0])], windows[int(scales[-1])]
        feature, first = baseline.features[index], shortest.end - shortest.scale_hours
        if pages.is_new(feature, shortest.end):
            first = min(first, onset(int(scales[0]), index))
        episodes[index] = pages.record(
            feature,
            first=first,
            window_start=longest.end - longest.scale_hours,
            window_end=longest.end,
        )
    return episodes


def _unjudged(
    window: Window, settings: DriftSettings, *, is_young: bool = False
) -> tuple[VerdictName, str] | None:
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
    if (is_young or window.scale_hours > 24) and not window.covered:
        whole = "windows are compared as a whole" if is_young else "only whole weeks are compared"
        return VerdictName.INSUFFICIENT_DATA, (
            f"{window.scale_hours} h have not passed yet; {whole} with a reference without times"
        )
    return None


def held_back_because(z: float | None, critical: float | None) -> str:
    """Return why the controller held something back, and how much it lacked."""
    if z is None or not critical or z >= critical:
        return _UNCONFIRMED
    lacked = critical - z
    return _UNCONFIRMED + _LACKED.format(critical=critical, lacked=lacked, share=lacked / critical)


_MOVED = "{{channel}}: {{observed}} where {} lead to expect {{expected}}"
_QUIET = f"largest difference in {_MOVED}; a shift of {{{{detectable}}}} there would have paged"
_YOUNG = f"largest difference in {_MOVED}; until season is known, only what no season brings pages"
_SMALL = f"largest difference in {_MOVED}; this window is too small to find any shift there"


def _past(baseline: Baseline, reference: Reference) -> str:
    if not baseline.timed:
        return "the training data, whose rows carry no times, so that season is not matched"
    return {"production": "the same hours of past weeks", "training": "the training data"}[reference]


def _what(verdict: Verdict, past: str, window: Window) -> str:
    if verdict.channel == _STUCK["channel"]:
        return f"one single value for {window.scale_hours} h, which {past} never showed"
    if verdict.channel is not None and verdict.channel.kind is ChannelKind.UNIT_CHANGED:
        return f"{{channel}} against {past}"
    return _MOVED.format(past)


def _in_episode(verdict: Verdict, past: str, episode: Episode, window: Window, *, pages: bool) -> Verdict:
    """Return a page, or the warning that would have been one; both keep their episode."""
    why = f"since {hour_text(episode.start)}" if pages else held_back_because(verdict.z, verdict.critical)
    return replace(
        verdict,
        verdict=VerdictName.PAGE if pages else VerdictName.WARN,
        reason=f"{_what(verdict, past, window)}; {why}{window.remark}",
        episode_id=episode.episode_id,
        episode_start=episode.start,
    )


def _warning(
    verdict: Verdict,
    past: str,
    window: Window,
    pages: PageLog,
    *,
    recurs: tuple[int, int] | None,
    is_young: bool,
) -> Verdict:
    because = "surely changed, not surely by more than a page needs"
    if is_young:
        because = "surely changed, but season may do that, and is not known yet"
    if recurs is not None:
        days = " and ".join(f"{hour_time(hour):%Y-%m-%d}" for hour in recurs)
        because = f"no page, since it strayed as far on {days}, which nobody called a fault"
    elif window.reference == "training" and pages.is_accepted(
        Feature(verdict.feature, verdict.kind), by=window.end - 1
    ):
        because = "surely changed, and accepted as the new normal"
    reason = f"{_what(verdict, past, window)}; {because}{window.remark}"
    return replace(verdict, verdict=VerdictName.WARN, reason=reason)


def hour_text(hour: int) -> str:
    """Return an hour as a sentence has it."""
    return f"{hour_time(hour):%Y-%m-%d %H:00} UTC"


def report_volume(
    found: VolumeFound, end: int, episode: Episode | None, settings: DriftSettings, remark: str = ""
) -> Verdict:
    """Return the verdict on a window.

    Args:
        found: what was found in it.
        end: the hour after its last.
        episode: that it belongs to, if it pages or would have.
        settings: ages.
        remark: what the calendar says of the window's hours.
    """
    is_held = found.outcome in (Outcome.PAGES, Outcome.HELD_BACK)
    own = episode if is_held else None
    return Verdict(
        feature=VOLUME,
        kind="numeric",
        reference="production",
        scale_hours=found.scale_hours,
        window_start=end - found.scale_hours,
        window_end=end,
        verdict=_OF_VOLUME[found.outcome],
        completeness=found.completeness,
        reason=_volume_reason(found, own, settings) + remark,
        episode_id=None if own is None else own.episode_id,
        episode_start=None if own is None else own.start,
        **_volume_evidence(found),
    )


def _volume_evidence(found: VolumeFound) -> dict[str, Any]:
    """Return what is given in figures: events as a share of those expected."""
    if found.outcome in (Outcome.LEARNING, Outcome.TOO_FEW):
        return {"sample_size": round(found.events * found.completeness)}
    expected = max(round(found.expected), 1)
    observed = found.events / expected
    width = 1.96 * math.sqrt(found.spread + 1 / max(found.events, 1.0))
    return {
        "channel": Channel(ChannelKind.VOLUME),
        "expected": 1.0,
        "observed": observed,
        "effect": observed - 1.0,
        "effect_low": observed * math.exp(-width) - 1.0,
        "effect_high": observed * math.exp(width) - 1.0,
        "z": found.z,
        "critical": found.critical,
        # What the store keeps of a share is its rows, of so many.
        "sample_size": expected,
        "reference_size": expected,
    }


def _volume_reason(found: VolumeFound, episode: Episode | None, settings: DriftSettings) -> str:
    if found.outcome is Outcome.LEARNING:
        days = settings.hour_of_day_after_hours // 24
        return f"how many predictions are usual is known once there are {days} days of them"
    made = f"{found.events:,.0f} predictions in {found.scale_hours} h"
    if found.outcome is Outcome.TOO_FEW:
        return f"{made}; so few are usual that nothing follows"
    counted = f"{made} where the same hours of past weeks lead to expect {found.expected:,.0f}"
    if found.outcome is Outcome.PAGES and episode is not None:
        return f"{counted}; since {hour_text(episode.start)}"
    if found.outcome is Outcome.HELD_BACK:
        return f"{counted}; {held_back_because(found.z, found.critical)}"
    return counted + (_RECURS if found.outcome is Outcome.RECURS else "")
