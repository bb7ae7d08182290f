"""One verdict on the joint distribution of a window, out of those on its pseudo features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import JOINT
from driftline.domain.verdicts import VerdictName
from driftline.drift.joint.proportions import APART, DISTANCE, GIVEN_OTHERS, pair_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.verdicts import Verdict
    from driftline.drift.joint.proportions import Projection

_NAMED = 3
_CULPRITS = 2


def report_joint(verdicts: Sequence[Verdict], projection: Projection) -> list[Verdict]:
    """Return one verdict per window; what would page warns, since the joint check never pages.

    Args:
        verdicts: of a judge, on the pseudo features of `profile`.
        projection: that these were counted by.
    """
    windows: dict[int, list[Verdict]] = {}
    for each in verdicts:
        windows.setdefault(each.scale_hours, []).append(each)
    words = pair_words(projection)
    told = []
    for group in windows.values():
        worst = min((each for each in group if not _is_residual(each)), key=_gravity)
        changed = _changed(group, words)
        told.append(
            replace(
                worst,
                feature=JOINT,
                kind="numeric",
                verdict=VerdictName.WARN if changed else worst.verdict,
                channel=_channel(worst, words),
                statistics={},
                episode_id=None,
                episode_start=None,
                rank=None,
                listed=False,
                drivers={_driver(each): each.effect or 0.0 for each in changed[:_NAMED]},
                reason=_reason(changed, words) if changed else _quiet(worst),
            )
        )
    return told


def _changed(group: Sequence[Verdict], words: Mapping[str, str]) -> list[Verdict]:
    """Return what surely changed, what says most first; residuals only where the distance did.

    A residual alone does not warn: where a feature hardly varies within an hour of the day, it is the others
    that move its residual, and of the real flights' false warnings nearly all were of this kind.
    """
    changed = [each for each in group if each.verdict.has_changed and not _is_residual(each)]
    if any(each.feature == DISTANCE for each in changed):
        moved = [each for each in group if _is_residual(each) and _moved(each)]
        changed += sorted(moved, key=lambda each: (-abs(each.effect or 0.0), each.feature))[:_CULPRITS]
    return sorted(changed, key=lambda each: (_vagueness(each, words), -abs(each.effect or 0.0), each.feature))


def _moved(verdict: Verdict) -> bool:
    """Say whether the 95 % interval of the effect leaves out 0."""
    low, high = verdict.effect_low, verdict.effect_high
    return low is not None and high is not None and not low <= 0 <= high


def _is_residual(verdict: Verdict) -> bool:
    return verdict.kind == "numeric" and verdict.feature.endswith(GIVEN_OTHERS)


def _gravity(verdict: Verdict) -> tuple[int, float, float, str]:
    sureness = 0.0 if verdict.z is None or not verdict.critical else verdict.z / verdict.critical
    return -verdict.verdict.severity, -sureness, -abs(verdict.effect or 0.0), verdict.feature


def _vagueness(verdict: Verdict, words: Mapping[str, str]) -> int:
    """Rank what a finding says: a pair says most, then a feature, then that something is strange."""
    return 2 if verdict.feature == DISTANCE else int(verdict.feature not in words)


def _driver(verdict: Verdict) -> str:
    return "all features" if verdict.feature == DISTANCE else verdict.feature


def _channel(verdict: Verdict, words: Mapping[str, str]) -> Channel | None:
    if verdict.channel is None:
        return None
    if verdict.feature == DISTANCE:
        return replace(verdict.channel, feature="distance of rows")
    if verdict.feature in words:
        return Channel(ChannelKind.TOGETHER, feature=words[verdict.feature])
    return replace(verdict.channel, feature=verdict.feature)


def _quiet(worst: Verdict) -> str:
    if worst.verdict == "ok":
        return "features go together as they did in the same hours of past weeks"
    return worst.reason


def _reason(changed: Sequence[Verdict], words: Mapping[str, str]) -> str:
    told = [_sentence(each, words) for each in changed[:_NAMED]]
    if len(changed) > _NAMED:
        told.append(f"and {len(changed) - _NAMED} more")
    return f"{'; '.join(told)}; a feature that drifts by itself shows here too"


def _sentence(verdict: Verdict, words: Mapping[str, str]) -> str:
    seen, expected = verdict.observed or 0.0, verdict.expected or 0.0
    if verdict.feature in words:
        if verdict.channel == Channel(ChannelKind.VALUE, APART):
            seen, expected = 1 - seen, 1 - expected
        return (
            f"{words[verdict.feature]}: both or neither in {seen:.0%} of rows "
            f"where past weeks lead to expect {expected:.0%}"
        )
    if verdict.feature == DISTANCE:
        what = "rows differ from those of past weeks in how their features go together"
        return f"{what} (distance, {_text(verdict)}: {seen:.1%} instead of {expected:.1%})"
    name = verdict.feature.removesuffix(GIVEN_OTHERS)
    what = f"{name} is not what the other features lead to expect"
    return f"{what} (deviation, {_text(verdict)}: {seen:.1%} instead of {expected:.1%})"


def _text(verdict: Verdict) -> str:
    return "" if verdict.channel is None else verdict.channel.text
