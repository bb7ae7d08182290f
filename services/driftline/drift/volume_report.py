"""From the number of predictions to verdicts, with a sentence that an engineer understands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import VOLUME
from driftline.domain.verdicts import Verdict, VerdictName
from driftline.drift.report import held_back_because, hour_text
from driftline.drift.statistics.volume import Outcome

if TYPE_CHECKING:
    from driftline.drift.hygiene import Episode
    from driftline.drift.settings import DriftSettings
    from driftline.drift.statistics.volume import VolumeFound

_OF_VOLUME = {
    Outcome.PAGES: VerdictName.PAGE,
    Outcome.HELD_BACK: VerdictName.WARN,
    Outcome.RECURS: VerdictName.WARN,
    Outcome.OK: VerdictName.OK,
    Outcome.LEARNING: VerdictName.LEARNING,
    Outcome.TOO_FEW: VerdictName.INSUFFICIENT_DATA,
}


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


_RECURS = "; no page, since as many or as few came twice before, which nobody called a fault"
