"""Stories: episodes that one cause explains, such as an outage of a feed that moves twelve features.

Episodes of one incident are one story; without a stored incident, those that move alike at about the same
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.web import formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from driftline.domain.streams import Stream
    from driftline.web.episodes import Episode

_TOGETHER_HOURS = 6
"""Without an incident, features that begin within so many hours of each other, alike, are one story."""


@dataclass(frozen=True, slots=True)
class Story:
    """Features of one stream that one cause made drift.

    Args:
        episodes: one a feature, the largest effect first; against production where both references page.
        references: that they paged against.
        since: the first hour of the earliest of these episodes.
        until: when the last window of any ended, in hours.
        is_open: whether any may still go on.
    """

    episodes: Sequence[Episode]
    references: Sequence[str]
    since: int
    until: int
    is_open: bool

    @property
    def stream(self) -> Stream:
        """Which version and environment."""
        return self.episodes[0].stream

    @property
    def segment(self) -> str:
        """Of which part of the traffic; empty: of all of it."""
        return self.episodes[0].segment

    @property
    def incident_id(self) -> str:
        """Of its incident; empty: none is stored."""
        return self.episodes[0].incident_id

    @property
    def incident_state(self) -> str:
        """Of its incident, as of a stored incident; empty: none is stored."""
        return self.episodes[0].incident_state

    @property
    def acknowledged(self) -> str:
        """As what its incident was acknowledged; empty: it was not."""
        return self.episodes[0].acknowledged

    @property
    def effect(self) -> float:
        """The largest effect, without sign."""
        return abs(self.episodes[0].effect)

    @property
    def finding(self) -> str:
        """What moved, as text; feature by feature where it is not the same."""
        findings = {formatting.finding(episode) for episode in self.episodes}
        if len(findings) == 1:
            return findings.pop()
        return "; ".join(f"{episode.feature}: {formatting.finding(episode)}" for episode in self.episodes)

    @property
    def against(self) -> str:
        """What it was compared with, as text."""
        return formatting.listing([formatting.REFERENCE_LABELS[reference] for reference in self.references])


def gather(episodes: Iterable[Episode]) -> Sequence[Story]:
    """Return stories: those that still go on first, by effect, then the others, the newest first."""
    features: list[Story] = []
    # Production comes first, so that it is the reference that is shown.
    for episode in sorted(episodes, key=lambda each: (each.reference, each.since)):
        one = Story([episode], [episode.reference], episode.since, episode.until, episode.is_open)
        _add(features, one, _is_same_feature)
    stories: list[Story] = []
    for one in sorted(features, key=lambda each: (each.segment != "", each.since)):
        _add(stories, one, _is_same_story)
    return sorted(stories, key=lambda each: (-each.is_open, -each.effect if each.is_open else -each.since))


def _add(stories: list[Story], one: Story, belongs: Callable[[Story, Story], bool]) -> None:
    for index, known in enumerate(stories):
        if belongs(known, one):
            stories[index] = _merged(known, one)
            return
    stories.append(one)


def _is_same_feature(known: Story, one: Story) -> bool:
    first, second = known.episodes[0], one.episodes[0]
    same = (first.stream, first.segment, first.feature) == (second.stream, second.segment, second.feature)
    return (
        same
        and first.incident_id == second.incident_id
        and known.since <= one.until
        and one.since <= known.until
    )


def _is_same_story(known: Story, one: Story) -> bool:
    first, second = known.episodes[0], one.episodes[0]
    if first.incident_id or second.incident_id:
        return first.incident_id == second.incident_id
    same = (first.stream, first.segment, first.channel) == (second.stream, second.segment, second.channel)
    near = abs(known.since - one.since) <= _TOGETHER_HOURS
    return same and near and known.is_open == one.is_open


def _merged(known: Story, one: Story) -> Story:
    features = {episode.feature for episode in known.episodes}
    episodes = [*known.episodes, *(episode for episode in one.episodes if episode.feature not in features)]
    return Story(
        episodes=sorted(episodes, key=lambda each: (-abs(each.effect), each.feature)),
        references=sorted({*known.references, *one.references}),
        since=min(episode.since for episode in episodes),
        until=max(known.until, one.until),
        is_open=known.is_open or one.is_open,
    )
