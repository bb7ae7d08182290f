"""One verdict on the joint distribution of a window, out of those on its pseudo features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import JOINT
from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import VerdictName
from driftline.drift.statistics.joint import APART, DISTANCE, GIVEN_OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Verdict

_NAMED = 3
_CULPRITS = 2


def report_joint(verdicts: Sequence[Verdict], phrases: Mapping[str, str]) -> list[Verdict]:
    """Return one verdict per window; what would page warns, since the joint check never pages.

    Args:
        verdicts: of a judge, on the pseudo features of `profile`.
        phrases: `pair_phrases` of the projection that these were counted by.
    """
    table = Verdicts.of(verdicts)
    scales = table.column("scale_hours")
    reported = []
    for scale in dict.fromkeys(scales.tolist()):
        rows = np.flatnonzero(scales == scale).tolist()
        worst = table[_gravest(table, rows)]
        changed = _changed([table.own[row] for row in rows if row in table.own], phrases)
        if any(each.feature == DISTANCE for each in changed):
            changed = _with_culprits(changed, [table[row] for row in rows], phrases)
        reported.append(
            replace(
                worst,
                feature=JOINT,
                kind="numeric",
                verdict=VerdictName.WARN if changed else worst.verdict,
                channel=_channel(worst, phrases),
                statistics={},
                episode_id=None,
                episode_start=None,
                rank=None,
                listed=False,
                drivers={_driver(each): each.effect or 0.0 for each in changed[:_NAMED]},
                reason=_reason(changed, phrases) if changed else _quiet(worst),
            )
        )
    return reported


def _gravest(table: Verdicts, rows: Sequence[int]) -> int:
    """Return which of some rows, residuals aside, says the gravest, then the surest, thing."""
    kinds, features = table.column("kind"), table.column("feature")
    own = [row for row in rows if not _is_residual(kinds[row], features[row])]
    severity = np.array([name.severity for name in table.column("verdict")[own].tolist()])
    z, critical = table.column("z")[own], table.column("critical")[own]
    sureness = np.nan_to_num(z / np.where(critical > 0, critical, np.nan))
    effect = np.abs(np.nan_to_num(table.column("observed")[own] - table.column("expected")[own]))
    best = np.ones(len(own), dtype=np.bool_)
    for values in (severity, sureness, effect):
        best &= values == values[best].max()
    return min((own[place] for place in np.flatnonzero(best)), key=lambda row: str(features[row]))


def _changed(group: Iterable[Verdict], phrases: Mapping[str, str]) -> list[Verdict]:
    """Return what surely changed, residuals aside, what says most first.

    A residual alone does not warn: where a feature hardly varies within an hour of the day, it is the others
    that move its residual, and of the real flights' false warnings nearly all were of this kind.
    """
    changed = [
        each for each in group if each.verdict.has_changed and not _is_residual(each.kind, each.feature)
    ]
    return sorted(
        changed, key=lambda each: (_vagueness(each, phrases), -abs(each.effect or 0.0), each.feature)
    )


def _with_culprits(
    changed: Sequence[Verdict], group: Iterable[Verdict], phrases: Mapping[str, str]
) -> list[Verdict]:
    """Return what changed, and the residuals that moved most: they name what is behind a distance."""
    moved = [each for each in group if _is_residual(each.kind, each.feature) and _moved(each)]
    culprits = sorted(moved, key=lambda each: (-abs(each.effect or 0.0), each.feature))[:_CULPRITS]
    return sorted(
        [*changed, *culprits],
        key=lambda each: (_vagueness(each, phrases), -abs(each.effect or 0.0), each.feature),
    )


def _moved(verdict: Verdict) -> bool:
    """Return whether the 95 % interval of the effect leaves out 0."""
    low, high = verdict.effect_low, verdict.effect_high
    return low is not None and high is not None and not low <= 0 <= high


def _is_residual(kind: str, feature: str) -> bool:
    return kind == "numeric" and feature.endswith(GIVEN_OTHERS)


def _vagueness(verdict: Verdict, phrases: Mapping[str, str]) -> int:
    """Rank what a finding says: a pair says most, then a feature, then that something is strange."""
    return 2 if verdict.feature == DISTANCE else int(verdict.feature not in phrases)


def _driver(verdict: Verdict) -> str:
    return "all features" if verdict.feature == DISTANCE else verdict.feature


def _channel(verdict: Verdict, phrases: Mapping[str, str]) -> Channel | None:
    if verdict.channel is None:
        return None
    if verdict.feature == DISTANCE:
        return replace(verdict.channel, feature="distance of rows")
    if verdict.feature in phrases:
        return Channel(ChannelKind.TOGETHER, feature=phrases[verdict.feature])
    return replace(verdict.channel, feature=verdict.feature)


def _quiet(worst: Verdict) -> str:
    if worst.verdict == "ok":
        return "features go together as they did in the same hours of past weeks"
    return worst.reason


def _reason(changed: Sequence[Verdict], phrases: Mapping[str, str]) -> str:
    reported = [_sentence(each, phrases) for each in changed[:_NAMED]]
    if len(changed) > _NAMED:
        reported.append(f"and {len(changed) - _NAMED} more")
    return f"{'; '.join(reported)}; a feature that drifts by itself shows here too"


def _sentence(verdict: Verdict, phrases: Mapping[str, str]) -> str:
    seen, expected = verdict.observed or 0.0, verdict.expected or 0.0
    if verdict.feature in phrases:
        if verdict.channel == Channel(ChannelKind.VALUE, APART):
            seen, expected = 1 - seen, 1 - expected
        return (
            f"{phrases[verdict.feature]}: both or neither in {seen:.0%} of rows "
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
