"""The judges of one stream's segments, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import VerdictName
from driftline.drift.judge import Judge
from driftline.drift.segments import segment_settings
from driftline.drift.settings import DriftSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Verdict
    from driftline.drift.hygiene import Decision
    from driftline.profiles import Grid, HourProfile


class SegmentJudges:
    """A judge for each segment of a stream: what one of them remembers, the others do not.

    Args:
        segments: each `key=value`, without repeats.
        grids: of the numeric features, the same for all segments.
        training: the training reference of each segment, hour by hour; those without are left out.
        settings: of the stream; the budget is split here, see `segment_settings`.
        identity: names model, version and environment; episode ids are made of it and of the segment.
    """

    def __init__(
        self,
        segments: Sequence[str],
        *,
        grids: Mapping[str, Grid],
        training: Mapping[str, Sequence[HourProfile]] | None = None,
        settings: DriftSettings | None = None,
        identity: str,
    ) -> None:
        own = segment_settings(settings or DriftSettings(), len(segments))
        self._settings = own
        self._judges = {
            segment: Judge(
                grids=grids,
                training=(training or {}).get(segment, ()),
                settings=own,
                identity=f"{identity}/{segment}",
                segment=segment,
            )
            for segment in segments
        }

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments that are judged."""
        return tuple(self._judges)

    @property
    def history_hours(self) -> int:
        """How many hours before the present one `remember` should be given after a restart."""
        return self._settings.history_hours

    @property
    def page_history_hours(self) -> int:
        """How far back the pages given to `resume` should reach."""
        return self.history_hours + self._settings.accept_after_hours + self._settings.quiet_hours

    def remember(self, profiles: Mapping[str, HourProfile], *, completeness: float = 1.0) -> None:
        """Take an hour as history, without verdicts.

        Args:
            profiles: of one hour by segment; segments without traffic in it are left out, and those that
                are not judged are left aside.
            completeness: the share of the whole traffic's events that arrived.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        for segment, profile in self._known(profiles):
            self._judges[segment].remember(profile, completeness=completeness)

    def resume(self, verdicts: Iterable[Verdict], decisions: Iterable[Decision] = ()) -> None:
        """Take up the episodes of pages given before; call it once, before the first `judge`.

        Args:
            verdicts: stored verdicts that have an episode, with their segment: pages, and warnings that
                `name_drivers` made of pages.
            decisions: all that were made of this stream's episodes.
        """
        by_segment: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            if verdict.episode_start is not None:
                by_segment.setdefault(verdict.segment, []).append(replace(verdict, verdict=VerdictName.PAGE))
        known = list(decisions)
        for segment, judge in self._judges.items():
            judge.resume(by_segment.get(segment, ()), known)

    def decide(self, decisions: Iterable[Decision]) -> None:
        """Tell each judge what somebody decided of its episodes; repeating it is harmless."""
        known = list(decisions)
        for judge in self._judges.values():
            judge.decide(known)

    def foresee(
        self,
        hours: Iterable[tuple[Mapping[str, HourProfile], float]],
        *,
        caution: Callable[[int], float] | None = None,
    ) -> None:
        """Take hours that are judged next, each with its completeness; see `Judge.foresee`.

        Args:
            hours: of each its profiles by segment, as `judge` takes them.
            caution: returns what each hour is going to be judged with, as far as is known by then.
        """
        known = list(hours)
        for segment, judge in self._judges.items():
            own = ((profiles[segment], share) for profiles, share in known if segment in profiles)
            judge.foresee(own, caution=caution)

    def judge(
        self, profiles: Mapping[str, HourProfile], *, completeness: float = 1.0, caution: float = 1.0
    ) -> Verdicts:
        """Judge all windows of all segments that end with this hour.

        Args:
            profiles: of one hour by segment, as `remember` takes them.
            completeness: the share of the whole traffic's events that arrived.
            caution: what a page needs is multiplied by it.

        Returns:
            A verdict per segment, reference, scale and feature, not yet put beside those of the whole
            traffic: see `name_drivers`.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        return Verdicts.joined(
            self._judges[segment].judge(profile, completeness=completeness, caution=caution)
            for segment, profile in self._known(profiles)
        )

    def _known(self, profiles: Mapping[str, HourProfile]) -> Iterable[tuple[str, HourProfile]]:
        return ((segment, profiles[segment]) for segment in self._judges if segment in profiles)
