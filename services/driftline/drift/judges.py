"""What all judges of a stream's hours have in common; those of its whole traffic and of its segments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import VerdictName
from driftline.drift.hours import WHOLE
from driftline.drift.judge import Judge
from driftline.drift.segments import segment_settings
from driftline.drift.settings import DriftSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Verdict
    from driftline.drift.hours import StreamHour
    from driftline.drift.hygiene import Decision
    from driftline.profiles import Grid, HourProfile


class HourJudge(Protocol):
    """Judges the hours of one stream in one respect. For one thread.

    It is given each hour once, in ascending order: to remember it, or to judge it. What it says follows
    from these hours, and from what was found and decided of them: one that is built again says the same.
    """

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts."""

    def resume(self, episodes: Sequence[Verdict], decisions: Sequence[Decision]) -> None:
        """Take up what was found before.

        Args:
            episodes: stored verdicts that belong to an episode, of all parts of the traffic.
            decisions: all that were made of the stream's episodes.
        """

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Take what was decided of the stream's episodes; repeating it is harmless."""

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], float]) -> None:
        """Take the hours that are judged next, so that many are compared at once. This changes no verdict.

        Args:
            hours: ascending.
            margin: returns what each is going to be judged with, as far as is known by then.
        """

    def judge(self, hour: StreamHour, margin: float) -> Verdicts:
        """Return the verdicts on all windows that end with an hour.

        Args:
            hour: that was foreseen.
            margin: what a page needs is multiplied by it.
        """


class WholeJudge(HourJudge):
    """Judges a stream's whole traffic.

    Args:
        judge: that is given the profiles of the whole traffic.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts."""
        self._judge.remember(hour.profiles[WHOLE], completeness=hour.arrived.completeness)

    def resume(self, episodes: Sequence[Verdict], decisions: Sequence[Decision]) -> None:
        """Take up the episodes of the whole traffic."""
        self._judge.resume(paging(each for each in episodes if each.segment == WHOLE), decisions)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Take what was decided of them."""
        self._judge.decide(decisions)

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], float]) -> None:
        """Take the hours that are judged next; see `Judge.foresee`."""
        known = ((hour.profiles[WHOLE], hour.arrived.completeness) for hour in hours)
        self._judge.foresee(known, margin=margin)

    def judge(self, hour: StreamHour, margin: float) -> Verdicts:
        """Return the verdicts on the whole traffic."""
        completeness = hour.arrived.completeness
        return self._judge.judge(hour.profiles[WHOLE], completeness=completeness, margin=margin)


def paging(episodes: Iterable[Verdict]) -> Sequence[Verdict]:
    """Return verdicts that have an episode as the pages that they were.

    A warning that has an episode would have paged, and its hours are held out all the same.
    """
    return [replace(each, verdict=VerdictName.PAGE) for each in episodes if each.episode_start is not None]


class SegmentJudges(HourJudge):
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

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts.

        Args:
            hour: segments without traffic in it have no profile there; those that are not judged are left
                aside.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        for segment, profile in self._known(hour):
            self._judges[segment].remember(profile, completeness=hour.arrived.completeness)

    def resume(self, episodes: Sequence[Verdict], decisions: Sequence[Decision] = ()) -> None:
        """Take up the episodes of pages given before; call it once, before the first `judge`.

        Args:
            episodes: stored verdicts that have an episode, with their segment: pages, and warnings that
                `name_drivers` made of pages.
            decisions: all that were made of this stream's episodes.
        """
        by_segment: dict[str, list[Verdict]] = {}
        for verdict in paging(episodes):
            by_segment.setdefault(verdict.segment, []).append(verdict)
        for segment, judge in self._judges.items():
            judge.resume(by_segment.get(segment, ()), decisions)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Tell each judge what somebody decided of its episodes; repeating it is harmless."""
        for judge in self._judges.values():
            judge.decide(decisions)

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], float]) -> None:
        """Take hours that are judged next; see `Judge.foresee`.

        Args:
            hours: ascending.
            margin: returns what each hour is going to be judged with, as far as is known by then.
        """
        for segment, judge in self._judges.items():
            own = (
                (hour.profiles[segment], hour.arrived.completeness)
                for hour in hours
                if segment in hour.profiles
            )
            judge.foresee(own, margin=margin)

    def judge(self, hour: StreamHour, margin: float = 1.0) -> Verdicts:
        """Judge all windows of all segments that end with this hour.

        Args:
            hour: as `remember` takes it.
            margin: what a page needs is multiplied by it.

        Returns:
            A verdict per segment, reference, scale and feature, not yet put beside those of the whole
            traffic: see `name_drivers`.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        completeness = hour.arrived.completeness
        return Verdicts.joined(
            self._judges[segment].judge(profile, completeness=completeness, margin=margin)
            for segment, profile in self._known(hour)
        )

    def _known(self, hour: StreamHour) -> Iterable[tuple[str, HourProfile]]:
        return ((segment, hour.profiles[segment]) for segment in self._judges if segment in hour.profiles)
