"""The joint check of one stream: samples its hours, keeps their counts in the store, and judges them."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from driftline.domain.names import JOINT
from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import Verdict, VerdictName
from driftline.drift.joint.report import report_joint
from driftline.drift.judge import Judge
from driftline.drift.judges import HourJudge
from driftline.drift.settings import HOURS_PER_WEEK, DriftSettings
from driftline.drift.statistics.joint import Projection, count, fit, pair_phrases, profile
from driftline.store.joint import (
    JointFinding,
    read_joint_counts,
    read_joint_findings,
    read_projection,
    write_joint_counts,
    write_joint_findings,
    write_projection,
)
from driftline.store.samples import count_rows, read_even_sample, read_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.calendars import Calendar
    from driftline.domain.streams import Stream
    from driftline.drift.hours import StreamHour
    from driftline.drift.hygiene import Decision
    from driftline.drift.margins import Margin
    from driftline.store.connection import Connection
    from driftline.store.joint import JointCounts

FITTED_ROWS = 20_000
SAMPLED_ROWS = 2_000
"""Rows of an hour. More would only tell smaller changes than anybody acts on."""

_ROWS_AT_ONCE = 50_000


class JointWatch:
    """Judges the joint distribution of one stream, hour by hour. For one thread.

    Each week it fits a projection to the weeks before, and counts the hours that it remembers anew by it,
    so that this alone changes nothing. All follows from the stored rows: one that is built after a restart
    says what the other would have.

    Args:
        connection: to the store.
        stream: whose rows.
        settings: how to judge; the budget is of false warnings, since this never pages.
        since_hour: hours before it are those of the model's other versions, as history of this one.
        calendar: which hours are unlike ordinary ones; left out: the holidays of the settings.
    """

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        settings: DriftSettings | None = None,
        *,
        since_hour: int = 0,
        calendar: Calendar | None = None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._settings = settings or DriftSettings()
        self._since_hour = since_hour
        self._calendar = calendar
        self._week: int | None = None
        self._projection: Projection | None = None
        self._judge: Judge | None = None

    def judge(self, hours: Sequence[int], *, missing: Mapping[int, float] | None = None) -> list[Verdict]:
        """Judge hours that have closed.

        Args:
            hours: since the Unix epoch, UTC, ascending, later than all before.
            missing: events that did not arrive, by hour, for these and for those remembered.

        Returns:
            A verdict per hour and scale on the feature `(joint)`. None for a model with a single feature,
            nor before there are rows enough to fit a projection.

        Raises:
            StoreError: the store did not answer; judging the same hours again is safe.
        """
        lost = missing or {}
        verdicts: list[Verdict] = []
        try:
            for week, group in groupby(hours, key=lambda hour: hour // HOURS_PER_WEEK):
                wanted = list(group)
                if week != self._week:
                    self._begin(week, wanted[0], lost)
                verdicts += self._judge_hours(week, wanted, lost)
        except BaseException:
            self._week = None  # It may know some of these hours already: the next call begins anew.
            raise
        return verdicts

    def judge_anew(
        self, hours: Sequence[int], *, missing: Mapping[int, float] | None = None
    ) -> list[Verdict]:
        """Judge hours again that events arrived late of, and take back what is found in them no more.

        Args:
            hours: as in `judge`; a watch that has judged any of them can't judge them anew.
            missing: as in `judge`.

        Returns:
            As `judge` does.

        Raises:
            StoreError: the store did not answer; judging the same hours anew is safe.
        """
        if not hours:
            return []
        # All is taken back, and what is found again is kept again. Cut short, it is done anew as a whole.
        found = read_joint_findings(
            self._connection, self._stream, since_hour=hours[0], end_hour=hours[-1] + 1
        )
        write_joint_findings(self._connection, self._stream, found, withdrawn=True)
        return self.judge(hours, missing=missing)

    def _begin(self, week: int, hour: int, lost: Mapping[int, float]) -> None:
        """Take the projection of a week, and remember what came before an hour as it shows it."""
        self._week, self._judge = week, None
        self._projection = self._fitted(week)
        if self._projection is None:
            return
        judge = Judge(
            grids=self._projection.grid_of,
            settings=self._settings,
            identity=f"{self._stream.identity}/{JOINT}",
            calendar=self._calendar,
        )
        first_hour = max(hour - judge.history_hours, 0)
        for counts in self._counted(self._projection, week, first_hour, hour):
            judge.remember(profile(self._projection, counts), completeness=_completeness(counts, lost))
        since_hour = max(hour - judge.page_history_hours, 0)
        found = read_joint_findings(self._connection, self._stream, since_hour=since_hour, end_hour=hour)
        judge.resume([_verdict(one) for one in found])
        self._judge = judge

    def _fitted(self, week: int) -> Projection | None:
        """Return the projection of a week; the first time, fit it to the weeks before."""
        text = read_projection(self._connection, self._stream, week)
        if text is not None:
            return Projection.from_text(text)
        end_hour = week * HOURS_PER_WEEK
        sample = read_even_sample(
            self._connection,
            self._stream,
            first_hour=max(end_hour - self._settings.reference_hours, 0),
            end_hour=end_hour,
            rows=FITTED_ROWS,
            since_hour=self._since_hour,
        )
        projection = fit(sample)
        if projection is not None:
            write_projection(self._connection, self._stream, week, projection.to_text())
        return projection

    def _counted(
        self, projection: Projection, week: int, first_hour: int, end_hour: int
    ) -> Sequence[JointCounts]:
        """Return the counts of hours, ascending; those that are not in the store are made and kept there."""
        stored = read_joint_counts(
            self._connection, self._stream, week, first_hour=first_hour, end_hour=end_hour
        )
        held = count_rows(
            self._connection,
            self._stream,
            first_hour=first_hour,
            end_hour=end_hour,
            since_hour=self._since_hour,
        )
        # Where rows arrived since, an hour is counted anew; where they are gone by now, its counts stay.
        known = {one.hour: one for one in stored if held.get(one.hour, one.total) == one.total}
        unknown = {hour: rows for hour, rows in held.items() if hour not in known}
        for run in _runs(unknown):
            sample = read_sample(
                self._connection,
                self._stream,
                first_hour=min(run),
                end_hour=max(run) + 1,
                rows_per_hour=SAMPLED_ROWS,
                since_hour=self._since_hour,
                counted=run,
            )
            new = [replace(counts, total=held[counts.hour]) for counts in count(projection, sample)]
            write_joint_counts(self._connection, self._stream, week, new)
            known |= {counts.hour: counts for counts in new}
        return [known[hour] for hour in sorted(known)]

    def _judge_hours(self, week: int, hours: Sequence[int], lost: Mapping[int, float]) -> list[Verdict]:
        if self._judge is None or self._projection is None:
            return []
        wanted, phrases = frozenset(hours), pair_phrases(self._projection)
        verdicts: list[Verdict] = []
        findings: list[JointFinding] = []
        coming = [
            (profile(self._projection, counts), _completeness(counts, lost))
            for counts in self._counted(self._projection, week, hours[0], hours[-1] + 1)
            if counts.hour in wanted
        ]
        self._judge.foresee(coming)
        for one, completeness in coming:
            given = self._judge.judge(one, completeness=completeness)
            findings += [_finding(each) for each in given.changed if each.verdict == "page"]
            verdicts += report_joint(given, phrases)
        write_joint_findings(self._connection, self._stream, findings)
        return verdicts


class JointJudge(HourJudge):
    """Judges all features of a stream together. It remembers by itself: raw rows, which it samples.

    Args:
        begun: returns a watch that has judged nothing yet.
        missing: returns how many events are missing, by hour, of one and later and of those remembered.
        is_anew: whether hours are judged that were judged before.
    """

    def __init__(
        self,
        begun: Callable[[], JointWatch],
        *,
        missing: Callable[[int], Mapping[int, float]],
        is_anew: bool = False,
    ) -> None:
        self._begun, self._missing, self._is_anew = begun, missing, is_anew
        self._watch: JointWatch | None = None
        self._given: dict[int, list[Verdict]] = {}

    def remember(self, hour: StreamHour) -> None:
        """Begin again behind an hour that is not judged."""
        del hour
        self._watch = None

    def resume(self, episodes: Sequence[Verdict], decisions: Sequence[Decision]) -> None:
        """Do nothing: what it found is kept with what it counted."""

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Do nothing: it never pages, so there is nothing to decide."""

    def foresee(self, hours: Sequence[StreamHour], margin: Callable[[int], Margin]) -> None:
        """Judge hours at once, by a budget of its own: their rows are read together."""
        del margin
        self._given.clear()
        held = [hour.hour for hour in hours if hour.arrived.rows]
        if not held:
            return
        if self._watch is None:
            self._watch = self._begun()
        judge = self._watch.judge_anew if self._is_anew else self._watch.judge
        for verdict in judge(held, missing=self._missing(held[0])):
            self._given.setdefault(verdict.window_end, []).append(verdict)

    def judge(self, hour: StreamHour, margin: Margin) -> Verdicts:
        """Return the verdicts on windows that end with an hour that was foreseen."""
        del margin
        return Verdicts.of(self._given.get(hour.hour + 1, ()))


def _runs(rows: Mapping[int, int]) -> Iterable[Mapping[int, int]]:
    """Cut hours into runs of so many rows as are read at once. An hour is never cut."""
    run: dict[int, int] = {}
    sampled = 0
    for hour in sorted(rows):
        run[hour] = rows[hour]
        sampled += min(rows[hour], SAMPLED_ROWS)
        if sampled >= _ROWS_AT_ONCE:
            yield run
            run, sampled = {}, 0
    if run:
        yield run


def _completeness(counts: JointCounts, lost: Mapping[int, float]) -> float:
    return counts.total / (counts.total + lost.get(counts.hour, 0.0))


def _finding(verdict: Verdict) -> JointFinding:
    return JointFinding(
        feature=verdict.feature,
        kind=verdict.kind,
        scale_hours=verdict.scale_hours,
        window_start=verdict.window_start,
        window_end=verdict.window_end,
        episode_start=verdict.window_start if verdict.episode_start is None else verdict.episode_start,
    )


def _verdict(finding: JointFinding) -> Verdict:
    return Verdict(
        feature=finding.feature,
        kind="numeric" if finding.kind == "numeric" else "categorical",
        reference="production",
        scale_hours=finding.scale_hours,
        window_start=finding.window_start,
        window_end=finding.window_end,
        verdict=VerdictName.PAGE,
        episode_start=finding.episode_start,
    )
