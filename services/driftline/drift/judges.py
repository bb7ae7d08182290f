"""What all judges of a stream's hours have in common; those of its traffic, its segments and its volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from driftline.domain.names import VOLUME
from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import Feature
from driftline.drift.hours import WHOLE
from driftline.drift.hygiene import PageLog
from driftline.drift.judge import Judge
from driftline.drift.margins import margin_of
from driftline.drift.report import remark_on, report_volume
from driftline.drift.segments import segment_settings
from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK, NOISE_LAG_WEEKS, DriftSettings
from driftline.drift.statistics.hours import Clock
from driftline.drift.statistics.volume import (
    Made,
    Outcome,
    Volume,
    compare_volumes,
    learn_alike,
    learn_volume,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.calendars import Calendar
    from driftline.domain.verdicts import Verdict
    from driftline.drift.hours import StreamHour
    from driftline.drift.hygiene import Decision
    from driftline.drift.margins import Margin
    from driftline.drift.statistics.arrays import BoolArray
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

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], Margin]) -> None:
        """Take the hours that are judged next, so that many are compared at once. This changes no verdict.

        Args:
            hours: ascending.
            margin: returns what each is going to be judged with, as far as is known by then.
        """

    def judge(self, hour: StreamHour, margin: Margin) -> Verdicts:
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
        self._judge.resume([each for each in episodes if each.segment == WHOLE], decisions)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Take what was decided of them."""
        self._judge.decide(decisions)

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], Margin]) -> None:
        """Take the hours that are judged next; see `Judge.foresee`."""
        known = ((hour.profiles[WHOLE], hour.arrived.completeness) for hour in hours)
        self._judge.foresee(known, margin=margin)

    def judge(self, hour: StreamHour, margin: Margin) -> Verdicts:
        """Return the verdicts on the whole traffic."""
        completeness = hour.arrived.completeness
        return self._judge.judge(hour.profiles[WHOLE], completeness=completeness, margin=margin)


class SegmentJudges(HourJudge):
    """A judge for each segment of a stream: what one of them remembers, the others do not.

    Args:
        segments: each `key=value`, without repeats.
        grids: of the numeric features, the same for all segments.
        training: the training reference of each segment, hour by hour; those without are left out.
        settings: of the stream; the budget is split here, see `segment_settings`.
        identity: names model, version and environment; episode ids are made of it and of the segment.
        calendar: which hours are unlike ordinary ones; left out: the holidays of the settings.
    """

    def __init__(
        self,
        segments: Sequence[str],
        *,
        grids: Mapping[str, Grid],
        training: Mapping[str, Sequence[HourProfile]] | None = None,
        settings: DriftSettings | None = None,
        identity: str,
        calendar: Calendar | None = None,
    ) -> None:
        own = segment_settings(settings or DriftSettings(), len(segments))
        self._judges = {
            segment: Judge(
                grids=grids,
                training=(training or {}).get(segment, ()),
                settings=own,
                identity=f"{identity}/{segment}",
                segment=segment,
                calendar=calendar,
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
        for verdict in episodes:
            by_segment.setdefault(verdict.segment, []).append(verdict)
        for segment, judge in self._judges.items():
            judge.resume(by_segment.get(segment, ()), decisions)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Tell each judge what somebody decided of its episodes; repeating it is harmless."""
        for judge in self._judges.values():
            judge.decide(decisions)

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], Margin]) -> None:
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

    def judge(self, hour: StreamHour, margin: Margin = 1.0) -> Verdicts:
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


_FEATURE = Feature(VOLUME, "numeric")
_BUDGET_SHARE = 0.1
"""Volume is one channel among hundreds; it has this part of the budget besides theirs."""


class VolumeJudge(HourJudge):
    """Judges how many predictions a stream's model makes, its other versions in the environment included.

    What the ledger misses was made, too. An hour that was not given brought nothing.

    Args:
        settings: budgets, windows, ages.
        identity: names model, version and environment; episode ids are made of it.
        calendar: which hours are unlike ordinary ones; left out: the holidays of the settings.
    """

    def __init__(self, *, settings: DriftSettings, identity: str, calendar: Calendar | None = None) -> None:
        self._settings = settings
        self._calendar = calendar or settings.calendar()
        self._clock = Clock(settings.timezone)
        self._pages = PageLog(
            identity=f"{identity}/{VOLUME}",
            reference="production",
            quiet_hours=settings.quiet_hours,
            accept_after_hours=settings.accept_after_hours,
        )
        self._hours: dict[int, Made] = {}
        self._volume: Volume | None = None
        self._as_of: int | None = None

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts."""
        arrived, local_hour = hour.arrived, self._clock.local(hour.hour)
        sent = arrived.rows + arrived.missing
        entry = self._calendar.entry(hour.hour)
        self._hours[hour.hour] = Made(local_hour, sent + hour.elsewhere, sent, arrived.rows, entry)
        self._as_of = None

    def resume(self, episodes: Sequence[Verdict], decisions: Sequence[Decision]) -> None:
        """Take up what paged before."""
        self.decide(decisions)
        self._pages.resume(each for each in episodes if each.feature == VOLUME and each.segment == WHOLE)

    def decide(self, decisions: Iterable[Decision]) -> None:
        """Take what was decided of its episodes; repeating it is harmless."""
        for one in decisions:
            is_own = one.feature == _FEATURE and one.segment == WHOLE
            if is_own and self._pages.decide(one.feature, one.episode_id, one.name, at=one.at):
                self._as_of = None

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], Margin]) -> None:
        """Do nothing: an hour costs next to nothing."""

    def judge(self, hour: StreamHour, margin: Margin) -> Verdicts:
        """Return the verdicts on all windows that end with an hour."""
        as_of = self._as_of
        self.remember(hour)
        decided = self._pages.last_decided(by=hour.hour)
        midnight = hour.hour // HOURS_PER_DAY * HOURS_PER_DAY
        self._as_of = max(midnight, decided or midnight)
        if self._as_of != as_of:
            self._learn(self._as_of)
        if hour.arrived.rows + hour.arrived.missing < hour.elsewhere:
            return Verdicts.of(())  # Another version makes most of them, and is judged by it.
        end, scales = hour.hour + 1, self._settings.scales_hours
        made = [self._made(each) for each in range(end - scales[-1], end)]
        found = compare_volumes(self._volume, made, scales, margin_of(margin, VOLUME))
        held = [one for one in found if one.outcome in (Outcome.PAGES, Outcome.HELD_BACK)]
        episode = None
        if held:
            longest = max(one.scale_hours for one in held)
            first = end - min(one.scale_hours for one in held)
            episode = self._pages.record(_FEATURE, first=first, window_start=end - longest, window_end=end)
        alike = {} if self._volume is None else self._volume.alike
        known = {name: each.hours for name, each in alike.items()}
        remarks = [remark_on([each.entry for each in made[-scale:]], known) for scale in scales]
        return Verdicts.of(
            report_volume(one, end, episode, self._settings, remark)
            for one, remark in zip(found, remarks, strict=True)
        )

    def _made(self, hour: int) -> Made:
        """Return what was made in an hour: nothing where none was given."""
        known = self._hours.get(hour)
        return known or Made(self._clock.local(hour), 0.0, 0.0, 0.0, self._calendar.entry(hour))

    def _learn(self, as_of: int) -> None:
        settings = self._settings
        weeks = settings.reference_weeks + NOISE_LAG_WEEKS
        end = as_of - settings.longest_scale_hours
        start = end - weeks * HOURS_PER_WEEK
        oldest = start - settings.longest_scale_hours
        self._hours = {hour: made for hour, made in self._hours.items() if hour >= oldest}
        self._pages.forget(before=oldest)
        since = max(min(self._hours, default=end), start)
        if end - since < settings.hour_of_day_after_hours:
            self._volume = None
            return
        hours = np.arange(start, end)
        every = [self._made(hour) for hour in hours.tolist()]
        local = np.array([each.local_hour for each in every])
        first = self._clock.local(end) - hours.size
        place = local - first
        inside = (place >= 0) & (hours >= since)
        made = [every[at] for at in np.flatnonzero(inside).tolist()]
        counted = np.bincount(place[inside], minlength=hours.size)
        events = np.bincount(place[inside], [each.events for each in made], hours.size)
        # What arrived by less than is judged teaches nothing.
        whole = [each.rows >= each.sent * settings.minimum_completeness and not each.entry for each in made]
        # When the clock is put forward an hour is none, when it is put back one is two: neither counts.
        there = (counted == 1) & (np.bincount(place[inside], whole, hours.size) == 1)

        def by_place(known: BoolArray) -> BoolArray:
            held = np.bincount(place[inside], known[inside], hours.size) > 0
            return np.asarray(there & held, dtype=np.bool_)

        lag = NOISE_LAG_WEEKS * HOURS_PER_WEEK
        age = end - since
        usable = self._pages.usable(hours, [_FEATURE], as_of=as_of)[:, 0]
        paged = self._pages.precedents(hours, [_FEATURE], as_of=as_of)[:, 0]
        volume = learn_volume(
            events.astype(np.float64),
            by_place(usable),
            by_place(paged),
            first=first,
            scales_hours=settings.scales_hours,
            by_week=age >= settings.hour_of_week_after_hours,
            ordinary=hours.size - (lag if age >= settings.hour_of_week_after_hours + lag else 0),
            alpha=_BUDGET_SHARE / (settings.page_budget_hours * len(settings.scales_hours)),
        )
        named = [at for at in np.flatnonzero(inside & (usable | paged)).tolist() if every[at].entry]
        self._volume = replace(volume, alike=learn_alike(volume, [every[at] for at in named]))
