"""The judge of one model version: fed hour by hour, it remembers what it needs and says what changed."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.verdict_table import Verdicts
from driftline.drift.hours import Window
from driftline.drift.hygiene import PageLog
from driftline.drift.report import remark_on, report_comparison, report_learning
from driftline.drift.settings import HOURS_PER_DAY, NOISE_LAG_WEEKS, DriftSettings
from driftline.drift.statistics.baseline import Baseline, build_baseline
from driftline.drift.statistics.hours import Clock, HourCounts, known_features
from driftline.drift.statistics.lessons import Span
from driftline.drift.statistics.named_hours import with_named_hours
from driftline.drift.statistics.recent import Recent
from driftline.drift.statistics.vocabulary import Vocabulary
from driftline.drift.training import Training, find_conversions, pages_against, training_scales
from driftline.profiles import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.calendars import Calendar
    from driftline.domain.verdicts import Feature, Reference, Verdict
    from driftline.drift.hygiene import Decision
    from driftline.drift.margins import Margin
    from driftline.drift.statistics.arrays import BoolArray
    from driftline.drift.statistics.units import Conversion
    from driftline.profiles import HourProfile

_VOCABULARY_LIMIT = 50_000


class Judge:
    """One model version, in one environment and segment.

    Its state is the hours that it remembers and the pages that it gave; everything else follows from
    these two. So a judge that is rebuilt with `remember` and `resume` says the same as one that ran on.

    Args:
        grids: of the numeric features; others have the default grid.
        training: the training reference, hour by hour; empty where there is none.
        settings: budgets and thresholds.
        identity: names model, version, environment and segment; episode ids are made of it.
        segment: what the verdicts name as their part of the traffic; empty: all of it.
        calendar: which hours are unlike ordinary ones; left out: the holidays of the settings.
    """

    def __init__(
        self,
        *,
        grids: Mapping[str, Grid],
        training: Sequence[HourProfile] = (),
        settings: DriftSettings | None = None,
        identity: str,
        segment: str = "",
        calendar: Calendar | None = None,
    ) -> None:
        self._settings = settings or DriftSettings()
        self._calendar = calendar or self._settings.calendar()
        self._segment = segment
        self._grids = dict(grids)
        self._vocabulary = Vocabulary()
        self._clock = Clock(self._settings.timezone)
        self._hours: list[HourCounts] = []
        self._coming: deque[tuple[HourProfile, HourCounts]] = deque()
        self._margin: Callable[[int], Margin] | None = None
        self._pages: dict[Reference, PageLog] = {
            reference: PageLog(
                identity=identity,
                reference=reference,
                quiet_hours=self._settings.quiet_hours,
                accept_after_hours=self._settings.accept_after_hours,
            )
            for reference in ("training", "production")
        }
        self._production: Recent | None = None
        self._as_of: int | None = None
        self._learned = self._build_training(training)
        self._training: Recent | None = None
        self._training_beside: tuple[Baseline, Baseline] | None = None
        self._may_page_by: tuple[Baseline, Baseline | None, BoolArray] | None = None

    @property
    def history_hours(self) -> int:
        """How many hours before the present one `remember` should be given after a restart."""
        return self._settings.history_hours

    @property
    def page_history_hours(self) -> int:
        """How far back the pages given to `resume` should reach: as far as the hours, and an episode more."""
        return self.history_hours + self._settings.accept_after_hours + self._settings.quiet_hours

    def remember(self, profile: HourProfile, *, completeness: float = 1.0) -> None:
        """Take an hour as history, without verdicts: after a restart, or from an older version.

        Args:
            profile: later than all hours before it.
            completeness: the share of its events that arrived.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        if self._hours and profile.hour <= self._hours[-1].hour:
            raise ValueError(f"hour {profile.hour} must come after hour {self._hours[-1].hour}")
        self._append(profile, completeness)
        self._production = self._training = self._as_of = None

    def resume(self, pages: Iterable[Verdict], decisions: Iterable[Decision] = ()) -> None:
        """Take up the episodes of pages given before; call it once, before the first `judge`.

        Args:
            pages: stored verdicts, in any order; those that are no pages, and would not have been any, are
                left aside. They need `feature`, `kind`, `reference`, `window_start`, `window_end` and
                `episode_start`.
            decisions: all that were made of this judge's episodes.
        """
        self.decide(decisions)
        stored = list(pages)
        for reference, log in self._pages.items():
            log.resume(each for each in stored if each.reference == reference)

    def decide(self, decisions: Iterable[Decision]) -> None:
        """Take back into the reference, or keep out of it, what somebody decided; repeating it is harmless.

        What is accepted as the new normal is judged against itself from the next hour on: `learning`, where
        it is younger than the reference has to be. Against the training data, which can't follow, its
        features only warn from then on.

        Args:
            decisions: of this judge's episodes; those of other segments are left aside.
        """
        for one in decisions:
            if one.segment == self._segment:
                pages = self._pages[one.reference]
                if pages.decide(one.feature, one.episode_id, one.name, at=one.at):
                    self._as_of = None

    def foresee(
        self, hours: Iterable[tuple[HourProfile, float]], *, margin: Callable[[int], Margin] | None = None
    ) -> None:
        """Take hours that are judged next, each with its completeness, so that a day's are compared at once.

        This saves time and changes no verdict. An hour that is judged otherwise ends it.

        Args:
            hours: ascending, later than all before them.
            margin: returns what each hour is going to be judged with, as far as is known by then.
        """
        self._margin = margin
        self._coming = deque((profile, self._counts(profile, share)) for profile, share in hours)

    def judge(self, profile: HourProfile, *, completeness: float = 1.0, margin: Margin = 1.0) -> Verdicts:
        """Judge all windows that end with this hour.

        Args:
            profile: the hour, later than all before it; hours without traffic are simply left out.
            completeness: the share of its events that arrived.
            margin: what a page needs is multiplied by it, see `IncidentBook.margin`.

        Returns:
            A verdict per reference, scale and feature.

        Raises:
            ValueError: the hour is not later than the one before it.
        """
        if self._hours and profile.hour <= self._hours[-1].hour:
            raise ValueError(f"hour {profile.hour} must come after hour {self._hours[-1].hour}")
        hour = self._append(profile, completeness)
        self._refresh(hour)
        verdicts = self._judge_production(hour, margin)
        if self._training is not None:
            verdicts += [self._judge_training(hour, self._training, margin)]
        return Verdicts.joined(verdicts)

    def _append(self, profile: HourProfile, completeness: float) -> HourCounts:
        if self._coming and self._coming[0][0] is profile:
            hour = self._coming.popleft()[1]
        else:
            self._coming.clear()
            hour = self._counts(profile, completeness)
        self._hours.append(hour)
        return hour

    def _counts(self, profile: HourProfile, completeness: float) -> HourCounts:
        self._know_grids(profile)
        return HourCounts.from_profile(
            profile,
            self._vocabulary,
            clock=self._clock,
            completeness=completeness,
            entry=self._calendar.entry(profile.hour),
        )

    def _know_grids(self, profile: HourProfile) -> None:
        for name in profile.numeric:
            self._grids.setdefault(name, Grid())

    def _build_training(self, profiles: Sequence[HourProfile]) -> Training | None:
        for profile in profiles:
            self._know_grids(profile)
        hours = [
            HourCounts.from_profile(profile, self._vocabulary, clock=self._clock) for profile in profiles
        ]
        hours.sort(key=lambda hour: hour.hour)
        return Training.of(
            hours,
            _features(hours),
            grids=self._grids,
            vocabulary=self._vocabulary,
            settings=self._settings,
        )

    def _refresh(self, hour: HourCounts) -> None:
        """Take the newest hour into the windows; once a day, and when hours are taken back, anew."""
        decided = self._pages["production"].last_decided(by=hour.hour)
        midnight = hour.hour // HOURS_PER_DAY * HOURS_PER_DAY
        as_of = max(midnight, decided or midnight)
        if as_of == self._as_of:
            for recent in (self._production, self._training):
                if recent is not None:
                    recent.push(hour, self._rest_of_day())
            return
        self._as_of = as_of
        self._forget(as_of)
        baseline = self._build_production(as_of)
        scales = self._settings.scales_hours
        self._production = None if baseline is None else self._recent(baseline, scales)
        self._refresh_training(baseline)

    def _refresh_training(self, production: Baseline | None) -> None:
        if self._learned is None:
            return
        beside = self._learned.beside(production, self._settings)
        if self._training_beside is None or self._training_beside[0] is not beside:
            self._training_beside = beside, with_named_hours(beside, self._calendar)
        wanted = self._training_beside[1]
        if self._training is not None and self._training.baseline is wanted:
            self._training.push(self._hours[-1], self._rest_of_day())
        else:
            self._training = self._recent(wanted, training_scales(wanted, self._settings))

    def _recent(self, baseline: Baseline, scales_hours: tuple[int, ...]) -> Recent:
        return Recent(
            baseline,
            self._hours,
            scales_hours=scales_hours,
            settings=self._settings,
            newest=self._hours[-1].hour,
            coming=self._rest_of_day(),
        )

    def _rest_of_day(self) -> Sequence[HourCounts]:
        """Return the hours that are judged next, as far as the reference stays the same."""
        day = self._hours[-1].hour // HOURS_PER_DAY
        return [hour for _, hour in self._coming if hour.hour // HOURS_PER_DAY == day]

    def _build_production(self, as_of: int) -> Baseline | None:
        """Build the reference that ends where the longest window of the day's first hour begins."""
        settings = self._settings
        end = as_of - settings.longest_scale_hours
        local_end = self._clock.local(end)
        span = Span(local_end - settings.reference_hours, settings.reference_weeks, NOISE_LAG_WEEKS)
        hours = [
            hour
            for hour in self._hours
            if hour.hour < end
            and hour.local_hour >= span.earliest
            and hour.completeness >= settings.minimum_completeness
        ]
        features = _features(hours)
        when = np.array([hour.hour for hour in hours], dtype=np.int64)
        usable = known_features(hours, features) & self._pages["production"].usable(
            when, features, as_of=as_of
        )
        first = np.where(usable.any(0), when[usable.argmax(0)] if hours else 0, end)
        learned = end - first >= settings.hour_of_day_after_hours
        if not learned.any():
            return None
        held = self._pages["production"].precedents(when, features, as_of=as_of)
        ordinary = np.array([not hour.entry for hour in hours], dtype=np.bool_)
        baseline = build_baseline(
            hours,
            (usable & ordinary[:, None])[:, learned],
            tuple(feature for feature, known in zip(features, learned, strict=True) if known),
            span=span,
            grids=self._grids,
            vocabulary=self._vocabulary,
            settings=settings,
            lent=None if self._learned is None else self._learned.baseline.extremes(),
            held=held[:, learned],
        )
        named = np.flatnonzero(~ordinary)
        # What paged in them, and nobody called a fault, tells what such hours are like, too.
        counts = (usable | held)[np.ix_(named, np.flatnonzero(learned))]
        return with_named_hours(baseline, self._calendar, [hours[at] for at in named.tolist()], counts)

    def _judge_production(self, hour: HourCounts, margin: Margin) -> list[Verdicts]:
        scales = self._settings.scales_hours
        known = None if self._production is None else self._production.baseline
        windows = [self._window("production", hour.hour + 1, scale, known) for scale in scales]
        if self._production is None:
            return [report_learning(hour.features, windows, self._settings, self._days())]
        features = self._production.baseline.features
        verdicts = self._report(self._production, windows, "production", margin)
        young = () if features == hour.features else [each for each in hour.features if each not in features]
        return [verdicts, report_learning(young, windows, self._settings)]

    def _days(self) -> int:
        """Return on which day of its history the newest hour lies, the first being 1."""
        return (self._hours[-1].hour - self._hours[0].hour) // HOURS_PER_DAY + 1

    def _judge_training(self, hour: HourCounts, training: Recent, margin: Margin) -> Verdicts:
        scales = training_scales(training.baseline, self._settings)
        windows = [self._window("training", hour.hour + 1, scale, training.baseline) for scale in scales]
        return self._report(training, windows, "training", margin)

    def _report(
        self, recent: Recent, windows: Sequence[Window], reference: Reference, margin: Margin
    ) -> Verdicts:
        may_page = self._may_page(recent.baseline, reference)
        comparison = recent.compare(may_page=may_page, margin=margin, later=self._margin)
        conversions: Mapping[tuple[int, int], Conversion] = {}
        if reference == "training" and self._production is None:
            scales = [window.scale_hours for window in windows]
            conversions = find_conversions(
                recent.baseline, comparison, self._hours, scales, grids=self._grids, may_page=may_page
            )
        return report_comparison(
            recent.baseline,
            comparison,
            windows,
            self._pages[reference],
            self._settings,
            onset=partial(recent.onset, comparison),
            conversions=conversions,
        )

    def _may_page(self, baseline: Baseline, reference: Reference) -> BoolArray:
        """Return which channels may page, (c,).

        Against the training data none does of features of which a new normal was accepted: the training data
        can't follow.
        """
        channels = baseline.channels
        if reference == "production":
            return np.ones(channels.size, dtype=np.bool_)
        newest = self._hours[-1].hour
        accepted = [self._pages[reference].is_accepted(feature, by=newest) for feature in baseline.features]
        return self._unless_accepted(baseline) & ~np.array(accepted, dtype=np.bool_)[channels.feature]

    def _unless_accepted(self, training: Baseline) -> BoolArray:
        """Return `pages_against`, made once for each pair of references."""
        production = None if self._production is None else self._production.baseline
        known = self._may_page_by
        if known is None or known[0] is not training or known[1] is not production:
            known = self._may_page_by = training, production, pages_against(training, production)
        return known[2]

    def _window(self, reference: Reference, end: int, scale: int, baseline: Baseline | None) -> Window:
        inside = [hour for hour in self._hours[-scale:] if hour.hour >= end - scale]
        rows = sum(hour.rows for hour in inside)
        sent = sum(hour.rows / max(hour.completeness, 1e-9) for hour in inside)
        return Window(
            reference=reference,
            scale_hours=scale,
            end=end,
            rows=rows,
            completeness=rows / sent if sent else min(hour.completeness for hour in inside),
            covered=self._hours[0].hour <= end - scale,
            segment=self._segment,
            features=[hour.features for hour in inside],
            remark=remark_on(
                [hour.entry for hour in inside],
                {} if baseline is None or baseline.named is None else baseline.named.hours,
            ),
        )

    def _forget(self, as_of: int) -> None:
        oldest = as_of - self._settings.history_hours
        self._hours = [hour for hour in self._hours if hour.hour >= oldest]
        for pages in self._pages.values():
            pages.forget(before=oldest)
        if len(self._vocabulary) > _VOCABULARY_LIMIT:
            held = [*self._hours, *(hour for _, hour in self._coming)]
            self._vocabulary.keep({key for hour in held for key in hour.keys.tolist()})


def _features(hours: Iterable[HourCounts]) -> tuple[Feature, ...]:
    return tuple(sorted({feature for features in {hour.features for hour in hours} for feature in features}))
