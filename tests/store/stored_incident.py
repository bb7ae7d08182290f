"""An incident as it is stored."""

from __future__ import annotations

from dataclasses import replace

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.incidents import Finding, Incident
from driftline.domain.streams import Stream

HOUR = 490_000


FINDING = Finding(
    segment="carrier=DL",
    feature="amount",
    kind="numeric",
    reference="production",
    channel=Channel(ChannelKind.AT_MOST, 5.0),
    effect=0.1 + 0.2,
    expected=1 / 3,
    observed=0.75,
    z=9.0,
    scale_hours=6,
    since=HOUR,
    detected=HOUR + 1,
    last=HOUR + 5,
    episode_ids=("e1", "e2"),
    accepted_at=None,
)


STREAM = Stream("paged", "3", "production")


INCIDENT = Incident(
    stream=STREAM,
    incident_id="aa11",
    detected=HOUR + 1,
    state="open",
    findings=(
        FINDING,
        replace(FINDING, feature="b", z=None, accepted_at=HOUR + 5, episode_ids=()),
    ),
)
