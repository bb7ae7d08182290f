"""An episode, and the text of a page without its markup."""

from __future__ import annotations

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.streams import Stream
from driftline.web.episodes import Episode

EPISODE = Episode(
    stream=Stream("m", "1", "production"),
    segment="",
    feature="temp",
    kind="numeric",
    reference="production",
    episode_id="e",
    since=0,
    until=5,
    channel=Channel(ChannelKind.NULLS),
    effect=0.3,
    observed=0.31,
    expected=0.01,
    reason="",
    scale_hours=24,
    is_open=True,
)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")
