"""The way of an hour: what judges say of it, what drives what, its incidents, and whoever takes that."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from driftline.domain.names import VOLUME
from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import VerdictName
from driftline.drift.hours import WHOLE
from driftline.drift.incidents.book import IncidentTracker
from driftline.drift.incidents.store import open_book
from driftline.drift.judge import Judge
from driftline.drift.judges import SegmentJudges, VolumeJudge, WholeJudge
from driftline.drift.segments import name_drivers, whole_settings
from driftline.drift.service.source import read_all_hours, read_history
from driftline.store.grids import read_grids
from driftline.store.kinds import categories_of_model
from driftline.store.segments import read_segments
from driftline.store.verdicts import SHARE_STEP, kept, read_episode_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from driftline.domain.calendars import Calendar
    from driftline.domain.incidents import Acknowledgement
    from driftline.domain.verdicts import Verdict
    from driftline.drift.hours import StreamHour
    from driftline.drift.joint.judge import JointJudge
    from driftline.drift.judges import HourJudge
    from driftline.drift.service.sink import VerdictSink
    from driftline.drift.service.source import StreamSource
    from driftline.drift.settings import DriftSettings
    from driftline.monitors import ModelMonitor
    from driftline.profiles import Grid, HourProfile


class Pipeline:
    """Judges a stream's hours one after the other. For one thread.

    Where the hours come from and who takes the verdicts makes no difference: those that closed and those
    that are revised go the same way.

    Args:
        whole: judges the whole traffic.
        parts: judges its segments.
        together: judges its features together; None: nobody does.
        volume: judges how many predictions there are; None: nobody does.
        tracker: of the stream's incidents.
        segments: that are judged.
        grids: that the judges count on.
        reference_state: of the reference that they were given; see `StreamSource`.
        monitor: by which they judge.
        calendar: by which, too.
        categories: features that are counted as categories, whatever they were logged as.
    """

    def __init__(
        self,
        whole: HourJudge,
        parts: HourJudge,
        together: HourJudge | None,
        volume: HourJudge | None,
        tracker: IncidentTracker,
        *,
        segments: Sequence[str],
        grids: Mapping[str, Grid],
        reference_state: tuple[int, int],
        monitor: ModelMonitor[DriftSettings],
        calendar: Calendar | None = None,
        categories: Collection[str] = (),
    ) -> None:
        self._whole, self._parts, self._together = whole, parts, together
        self._volume = volume
        self._judges = [each for each in (whole, parts, together, volume) if each is not None]
        self.tracker = tracker
        self.segments, self.grids = segments, grids
        self._reference_state = reference_state
        self._monitor = monitor
        self._calendar = calendar
        self._categories = frozenset(categories)

    def fits(self, source: StreamSource) -> bool:
        """Return whether it would be built the same: by monitor, calendar, reference, and what is counted."""
        stream = source.span.stream
        return (
            self._monitor == source.monitor
            and self._calendar == source.calendar
            and (not source.is_settled or self._reference_state == source.reference_state)
            and read_grids(source.connection, stream.model_name) == self.grids
            and set(read_segments(source.connection, stream)) == set(self.segments)
            and categories_of_model(source.connection, stream.model_name) == self._categories
        )

    def remember(self, hours: Sequence[StreamHour], episodes: Sequence[Verdict]) -> None:
        """Take hours as history, without verdicts, and then the episodes of what was stored of them."""
        decisions = self.tracker.decisions
        for judge in self._judges:
            for hour in hours:
                judge.remember(hour)
            judge.resume(episodes, decisions)

    def judge(
        self, hours: Sequence[StreamHour], sink: VerdictSink, *, after: Callable[[], None] = lambda: None
    ) -> Verdicts:
        """Judge hours, each with what was found and decided of those before it.

        Args:
            hours: ascending.
            sink: is given the verdicts of each.
            after: is called after each, before the next is judged.

        Returns:
            The verdicts on the last of them that are of the whole traffic.
        """
        for judge in self._judges:
            judge.foresee(hours, self.tracker.margin)
        given = Verdicts.of(())
        for hour in hours:
            given = self._judge(hour)
            sink.take(hour, given)
            after()
        return given.where("segment", WHOLE)

    def _judge(self, hour: StreamHour) -> Verdicts:
        margin = self.tracker.margin(hour.hour)
        attributed = name_drivers(self._whole.judge(hour, margin), self._parts.judge(hour, margin))
        volume = Verdicts.of(()) if self._volume is None else self._volume.judge(hour, margin)
        verdicts = Verdicts.joined([attributed.whole, attributed.segments, volume])
        own = as_monitored(verdicts.own.values(), self._monitor)
        as_written = [one if one.episode_start is None else as_kept(one) for one in own]
        verdicts = verdicts.replaced(dict(zip(verdicts.own, as_written, strict=True)))
        self._decide(self.tracker.take(hour.hour, verdicts.changed))
        if self._together is None:
            return verdicts
        return Verdicts.joined([verdicts, self._together.judge(hour, margin)])

    def receive(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Take all acknowledgements of the stream's incidents; receiving them again changes nothing."""
        self._decide(self.tracker.receive(acknowledgements))

    def _decide(self, has_changed: bool) -> None:
        if has_changed:
            decisions = self.tracker.decisions
            for judge in self._judges:
                judge.decide(decisions)


def build_pipeline(source: StreamSource, *, as_of: int, together: JointJudge | None) -> Pipeline:
    """Build a stream's judges and its incidents as they were before an hour, from what is stored.

    Args:
        source: of the stream.
        as_of: the hour, since the Unix epoch, UTC.
        together: judges the features together, where somebody does.

    Raises:
        BeingWrittenError: try again.
        StoreError: the store is away.
    """
    stream = source.span.stream
    grids = read_grids(source.connection, stream.model_name)
    segments = read_segments(source.connection, stream)
    categories = categories_of_model(source.connection, stream.model_name)
    training: dict[str, list[HourProfile]] = {segment: [] for segment in (WHOLE, *segments)}
    if reference := source.reference:
        first, end = reference.first_hour, reference.last_hour + 1
        for hour in read_all_hours(
            source, reference.stream, first_hour=first, end_hour=end, segments=segments
        ):
            for segment, profile in hour.profiles.items():
                training[segment].append(profile)
    whole = Judge(
        grids=grids,
        training=training.pop(WHOLE),
        settings=whole_settings(source.settings, len(segments)),
        identity=stream.identity,
        calendar=source.calendar,
    )
    parts = SegmentJudges(
        segments,
        grids=grids,
        training=training,
        settings=source.settings,
        identity=stream.identity,
        calendar=source.calendar,
    )
    volume = VolumeJudge(settings=source.settings, identity=stream.identity, calendar=source.calendar)
    tracker = IncidentTracker(*open_book(source.connection, stream, source.settings, next_hour=as_of))
    pipeline = Pipeline(
        WholeJudge(whole),
        parts,
        together,
        None if source.monitor.ignores(VOLUME) else volume,
        tracker,
        segments=segments,
        grids=grids,
        reference_state=source.reference_state,
        monitor=source.monitor,
        calendar=source.calendar,
        categories=categories,
    )
    first = max(as_of - whole.history_hours, 0)
    after = max(as_of - whole.page_history_hours, 0)
    pipeline.remember(
        read_history(source, first_hour=first, end_hour=as_of, segments=segments),
        read_episode_verdicts(source.connection, stream, after_hour=after, until_hour=as_of),
    )
    return pipeline


_ONLY_WARNS = "This only warns, as the file of monitors says."


def as_monitored(verdicts: Iterable[Verdict], monitor: ModelMonitor[Any]) -> list[Verdict]:
    """Return verdicts with those as warnings that would have paged for what only warns.

    They keep their episodes: a judge that takes them up after a restart still holds their hours out of its
    reference. Do this before incidents are made of verdicts, and before they are written.
    """
    return [
        verdict
        if verdict.verdict != "page" or monitor.may_page(verdict.feature)
        else replace(verdict, verdict=VerdictName.WARN, reason=f"{verdict.reason} {_ONLY_WARNS}".lstrip())
        for verdict in verdicts
    ]


_EVIDENCE = ("effect_low", "effect_high", "z", "critical", "overdispersion", "freedom", "detectable_effect")


def as_kept(verdict: Verdict) -> Verdict:
    """Return a verdict with its evidence as the store keeps it.

    What pages becomes an incident in this form, so that a worker that starts again makes the same one of it.
    """
    if verdict.observed is None or verdict.expected is None:
        return verdict
    figures = dict(zip(_EVIDENCE, kept([getattr(verdict, name) for name in _EVIDENCE]), strict=True))
    (expected,) = kept([verdict.expected], step=SHARE_STEP)
    known: dict[str, Any] = {name: None if math.isnan(figure) else figure for name, figure in figures.items()}
    return replace(verdict, **known, expected=expected, effect=verdict.observed - expected)
