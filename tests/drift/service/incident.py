"""An incident that the store holds."""

from __future__ import annotations

from datetime import UTC, datetime

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_of
from driftline.domain.incidents import Finding, Incident
from tests.drift.service.watching import (
    STREAM,
)

SINCE = datetime(2026, 2, 3, 4, tzinfo=UTC)


FINDING = Finding(
    segment="city=Bergen",
    feature="amount",
    kind="numeric",
    reference="production",
    channel=Channel(ChannelKind.OUT_OF_RANGE),
    effect=0.1,
    expected=0.1,
    observed=0.2,
    z=9.0,
    scale_hours=1,
    since=hour_of(SINCE),
    detected=hour_of(SINCE),
    last=hour_of(SINCE),
    episode_ids=(),
    accepted_at=None,
)


INCIDENT = Incident(
    stream=STREAM, incident_id="p1", detected=hour_of(SINCE), state="open", findings=(FINDING,)
)
