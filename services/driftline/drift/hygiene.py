"""Reference hygiene: what is held out of a feature's reference, and what is taken back.

Hours under a page must not teach the reference that a fault is normal. An episode that lasts two weeks
is the new normal: its hours are taken back, and what came before it is dropped.

All of it follows from the pages alone, each of them with the hour at which it was decided, so that a
judge can be rebuilt from stored verdicts, and can say what was held out at any past hour.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.drift.arrays import BoolArray, IntArray
    from driftline.drift.verdict import Feature, Reference


@dataclass(frozen=True, slots=True)
class Episode:
    """A page and what follows within the quiet hours, of one feature against one reference.

    Args:
        episode_id: the same whenever the same hours are judged again.
        start: the first hour of its first window.
        last: when its last window ended.
        accepted_at: the hour at which it became the new normal, None before.
    """

    episode_id: str
    start: int
    last: int
    accepted_at: int | None = None


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

    def record(self, feature: Feature, *, first: int, window_start: int, window_end: int) -> Episode:
        """Note that a feature pages, and return the episode this belongs to.

        Args:
            feature: that pages.
            first: the first hour of its shortest window that pages.
            window_start: the first hour of its longest window that pages.
            window_end: when these windows end.
        """
        episodes = self._episodes.setdefault(feature, [])
        if episodes and episodes[-1].accepted_at is None and window_end - episodes[-1].last <= self._quiet:
            episode = replace(episodes[-1], last=window_end)
            if window_end - episode.start >= self._accept_after:
                episode = replace(episode, accepted_at=window_end)
            episodes[-1] = episode
        else:
            episode = Episode(self._episode_id(feature, first), first, window_end)
            episodes.append(episode)
        self._hold(feature, _Hold(window_start, window_end, window_end, episode.episode_id))
        return episode

    def last_accepted(self, *, by: int) -> int | None:
        """Return the latest hour, up to `by`, at which an episode became the new normal."""
        accepted = [
            episode.accepted_at
            for episodes in self._episodes.values()
            for episode in episodes
            if episode.accepted_at is not None and episode.accepted_at <= by
        ]
        return max(accepted, default=None)

    def usable(self, hours: IntArray, features: Sequence[Feature], *, as_of: int) -> BoolArray:
        """Say which hours may serve as reference for which feature, knowing what was known at `as_of`.

        Args:
            hours: ascending, (h,).
            features: (f,).
            as_of: only pages decided by then count.

        Returns:
            (h, f).
        """
        usable = np.ones((hours.size, len(features)), dtype=np.bool_)
        for index, feature in enumerate(features):
            accepted = {
                episode.episode_id: episode.start
                for episode in self._episodes.get(feature, ())
                if episode.accepted_at is not None and episode.accepted_at <= as_of
            }
            for hold in self._holds.get(feature, ()):
                if hold.decided <= as_of and hold.episode_id not in accepted:
                    usable[(hours >= hold.start) & (hours < hold.end), index] = False
            if accepted:
                usable[hours < max(accepted.values()), index] = False
        return usable

    def forget(self, *, before: int) -> None:
        """Drop what ended before an hour that no reference reaches any more."""
        for feature, holds in self._holds.items():
            self._holds[feature] = [hold for hold in holds if hold.end > before]
        for feature, episodes in self._episodes.items():
            self._episodes[feature] = [episode for episode in episodes if episode.last > before]

    def _hold(self, feature: Feature, hold: _Hold) -> None:
        self._holds.setdefault(feature, []).append(hold)

    def _episode_id(self, feature: Feature, start: int) -> str:
        parts = "\x1f".join((self._identity, self._reference, feature.kind, feature.name, str(start)))
        return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
