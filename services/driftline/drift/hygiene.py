"""Reference hygiene: what is held out of a feature's reference, and what is taken back.

Hours under a page must not teach the reference that a fault is normal. An episode that lasts two weeks
is the new normal: its hours are taken back, and what came before it is dropped. Somebody who looked may
decide otherwise: accept it at once, say that it is a fault however long it lasts, or that it was none.

All of it follows from the pages and decisions alone, each of them with the hour at which it was made, so
that a judge can be rebuilt from what is stored, and can say what was held out at any past hour.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.verdicts import Feature

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.domain.incidents import AcknowledgementName
    from driftline.domain.verdicts import Reference, Verdict
    from driftline.drift.statistics.arrays import BoolArray, IntArray

OBJECTION_HOURS = 72
"""What paged may pass for a habit once it has been over for so long: a weekend to call it a fault."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A page and what follows within the quiet hours, of one feature against one reference.

    Args:
        episode_id: the same whenever the same hours are judged again.
        start: the first hour of its first window.
        last: when its last window ended.
    """

    episode_id: str
    start: int
    last: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an episode, by an acknowledgement or by its age.

    Args:
        segment: of which part of the traffic; empty: of all of it.
        reference: that it paged against.
        feature: that paged.
        episode_id: which episode.
        name: `accept`: it is the new normal; `real`: it is a fault, and never becomes normal by its age;
            `noise`: its hours are as good a reference as any.
        at: the hour from which this is known.
    """

    segment: str
    reference: Reference
    feature: Feature
    episode_id: str
    name: AcknowledgementName
    at: int


@dataclass(frozen=True, slots=True)
class _Hold:
    start: int
    end: int
    decided: int
    episode_id: str


class PageLog:
    """All pages of one model against one reference: its episodes and the hours they hold out."""

    def __init__(
        self, *, identity: str, reference: Reference, quiet_hours: int, accept_after_hours: int
    ) -> None:
        self._identity = identity
        self._reference = reference
        self._quiet = quiet_hours
        self._accept_after = accept_after_hours
        self._episodes: dict[Feature, list[Episode]] = {}
        self._holds: dict[Feature, list[_Hold]] = {}
        self._accepted: dict[str, int] = {}
        self._named: dict[str, list[tuple[int, AcknowledgementName]]] = {}
        self._accepted_features: dict[Feature, int] = {}

    def is_new(self, feature: Feature, window_end: int) -> bool:
        """Return whether a page of the feature would begin an episode."""
        episodes = self._episodes.get(feature)
        return not episodes or not self._continues(episodes[-1], window_end)

    def record(self, feature: Feature, *, first: int, window_start: int, window_end: int) -> Episode:
        """Note that a feature pages, and return the episode this belongs to.

        Args:
            feature: that pages.
            first: since when it has moved; at the latest the first hour of its shortest window that pages.
            window_start: the first hour of its longest window that pages.
            window_end: when these windows end.
        """
        episodes, begins = self._episodes.setdefault(feature, []), min(first, window_start)
        if episodes and self._continues(episodes[-1], window_end):
            begins = min(window_start, episodes[-1].last)
            episode = replace(episodes[-1], last=window_end)
            episodes[-1] = episode
            is_fault = self._newest(episode.episode_id, by=window_end - 1) == "real"
            if window_end - episode.start >= self._accept_after and not is_fault:
                self.decide(feature, episode.episode_id, "accept", at=window_end)
        else:
            episode = Episode(self._episode_id(feature, first), first, window_end)
            episodes.append(episode)
        hold = _Hold(begins, window_end, window_end, episode.episode_id)
        self._holds.setdefault(feature, []).append(hold)
        return episode

    def resume(self, verdicts: Iterable[Verdict]) -> None:
        """Take up what paged before, or would have but for the controller; call it once, at the beginning.

        Args:
            verdicts: stored ones on windows against this reference, in any order; others than these are left
                aside. They need `feature`, `kind`, `window_start`, `window_end` and `episode_start`.
        """
        grouped: dict[tuple[int, Feature], list[Verdict]] = {}
        for each in verdicts:
            if each.verdict == "page" or each.episode_start is not None:
                grouped.setdefault((each.window_end, Feature(each.feature, each.kind)), []).append(each)
        for (end, feature), group in sorted(grouped.items()):
            starts = [each.window_start for each in group]
            known = [each.episode_start for each in group if each.episode_start is not None]
            first = min(known, default=max(starts))
            self.record(feature, first=first, window_start=min(starts), window_end=end)

    def decide(self, feature: Feature, episode_id: str, name: AcknowledgementName, *, at: int) -> bool:
        """Note what became of an episode, and say whether that was news.

        What was accepted stays so, from the earliest hour named; of the others the newest holds.

        Args:
            feature: that paged.
            episode_id: of an episode that was recorded, or will be.
            name: what became of it.
            at: the hour from which this is known.
        """
        if name == "accept":
            if self._accepted.get(episode_id, at + 1) <= at:
                return False
            self._accepted[episode_id] = at
            self._accepted_features[feature] = min(at, self._accepted_features.get(feature, at))
            return True
        named = self._named.setdefault(episode_id, [])
        if (at, name) in named:
            return False
        named.append((at, name))
        named.sort(key=lambda each: each[0])
        return True

    def last_decided(self, *, by: int) -> int | None:
        """Return the latest hour, up to `by`, at which it was decided which hours serve as reference."""
        decided = [*self._accepted.values(), *(at for named in self._named.values() for at, _ in named)]
        return max((at for at in decided if at <= by), default=None)

    def is_accepted(self, feature: Feature, *, by: int) -> bool:
        """Return whether a new normal of the feature was accepted up to an hour."""
        return self._accepted_features.get(feature, by + 1) <= by

    def usable(self, hours: IntArray, features: Sequence[Feature], *, as_of: int) -> BoolArray:
        """Return which hours may serve as reference for which feature, knowing what was known at `as_of`.

        Args:
            hours: ascending, (h,).
            features: (f,).
            as_of: only pages and decisions made by then count.

        Returns:
            (h, f).
        """
        usable = np.ones((hours.size, len(features)), dtype=np.bool_)
        for index, feature in enumerate(features):
            accepted = [
                episode.start
                for episode in self._episodes.get(feature, ())
                if self._is_accepted(episode.episode_id, by=as_of)
            ]
            for hold in self._holds.get(feature, ()):
                is_held = not self._is_accepted(hold.episode_id, by=as_of)
                is_held = is_held and self._newest(hold.episode_id, by=as_of) != "noise"
                if hold.decided <= as_of and is_held:
                    usable[(hours >= hold.start) & (hours < hold.end), index] = False
            if accepted:
                usable[hours < max(accepted), index] = False
        return usable

    def precedents(self, hours: IntArray, features: Sequence[Feature], *, as_of: int) -> BoolArray:
        """Return which hours were under a page that is over, and that nobody called a fault, (h, f).

        Whoever would object to their becoming a habit had a weekend to do so, or called them noise.

        Args:
            hours: ascending, (h,).
            features: (f,).
            as_of: only pages and decisions made by then count.
        """
        found = np.zeros((hours.size, len(features)), dtype=np.bool_)
        for index, feature in enumerate(features):
            over = {
                episode.episode_id
                for episode in self._episodes.get(feature, ())
                if self._newest(episode.episode_id, by=as_of)
                in (("noise", None) if as_of - episode.last >= OBJECTION_HOURS else ("noise",))
            }
            for hold in self._holds.get(feature, ()):
                if hold.episode_id in over:
                    found[(hours >= hold.start) & (hours < hold.end), index] = True
        return found

    def forget(self, *, before: int) -> None:
        """Drop what ended before an hour that no reference reaches any more."""
        for feature, holds in self._holds.items():
            self._holds[feature] = [hold for hold in holds if hold.end > before]
        for feature, episodes in self._episodes.items():
            self._episodes[feature] = [episode for episode in episodes if episode.last > before]

    def _continues(self, episode: Episode, window_end: int) -> bool:
        is_accepted = self._is_accepted(episode.episode_id, by=window_end - 1)
        return window_end - episode.last <= self._quiet and not is_accepted

    def _is_accepted(self, episode_id: str, *, by: int) -> bool:
        return self._accepted.get(episode_id, by + 1) <= by

    def _newest(self, episode_id: str, *, by: int) -> AcknowledgementName | None:
        """Return what an episode was acknowledged as last, by what was known at an hour, `accept` aside."""
        known = (name for at, name in reversed(self._named.get(episode_id, ())) if at <= by)
        return next(known, None)

    def _episode_id(self, feature: Feature, start: int) -> str:
        parts = "\x1f".join((self._identity, self._reference, feature.kind, feature.name, str(start)))
        return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
