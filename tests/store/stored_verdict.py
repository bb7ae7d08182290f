"""A verdict as it is stored."""

from __future__ import annotations

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.verdicts import Verdict, VerdictName

HOUR = 490_000


VERDICT = Verdict(
    feature="amount",
    kind="numeric",
    reference="production",
    scale_hours=6,
    window_start=HOUR,
    window_end=HOUR + 6,
    verdict=VerdictName.PAGE,
    channel=Channel(ChannelKind.AT_MOST, 5.0),
    effect=0.25,
    effect_low=0.1875,
    effect_high=0.3125,
    expected=0.5,
    observed=0.75,
    z=9.0,
    critical=4.0,
    overdispersion=1.5,
    freedom=20.0,
    detectable_effect=0.015625,
    sample_size=4000,
    reference_size=90_000,
    completeness=0.984375,
    statistics={"psi": 0.3125, "ks": 0.25},
    episode_id="e1",
    episode_start=HOUR + 5,
    rank=1,
    listed=True,
    reason="much more at or below 5",
)
