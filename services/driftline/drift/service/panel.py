"""The judges of one stream, of the whole traffic and of its segments, and the book of its incidents."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from driftline.domain.verdict_table import Verdicts
from driftline.domain.verdicts import VerdictName
from driftline.drift.incidents.store import open_book
from driftline.drift.judge import Judge
from driftline.drift.segment_judges import SegmentJudges
from driftline.drift.segments import name_drivers, whole_settings
from driftline.drift.service.ground import WHOLE, read_all_hours, read_history
from driftline.drift.service.monitored import as_told
from driftline.drift.service.records import as_kept
from driftline.store.grids import read_grids
from driftline.store.segments import read_segments
from driftline.store.verdicts import read_episode_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.domain.incidents import Acknowledgement, Incident
    from driftline.domain.verdicts import Verdict
    from driftline.drift.incidents.book import IncidentBook
    from driftline.drift.service.arrival import StreamHour
    from driftline.drift.service.ground import Ground
    from driftline.drift.settings import DriftSettings
    from driftline.monitors import ModelMonitor
    from driftline.profiles import Grid, HourProfile


class Panel:
    """A stream's judges and its incidents. For one thread.

    Args:
        whole: judges the whole traffic.
        parts: judge its segments.
        book: of the stream's incidents.
        unkept: incidents that are not stored as the book has them.
        grids: that the judges count on.
        reference_state: of the reference that they were given; see `Ground`.
        monitor: by which they judge.
    """

    def __init__(
        self,
        whole: Judge,
        parts: SegmentJudges,
        book: IncidentBook,
        unkept: Sequence[Incident],
        *,
        grids: Mapping[str, Grid],
        reference_state: tuple[int, int],
        monitor: ModelMonitor[DriftSettings],
    ) -> None:
        self._whole = whole
        self._parts = parts
        self._book = book
        self._unkept = list(unkept)
        self.grids = grids
        self._reference_state = reference_state
        self._monitor = monitor

    @property
    def segments(self) -> Sequence[str]:
        """The segments that are judged beside the whole traffic."""
        return self._parts.segments

    @property
    def incidents(self) -> Sequence[Incident]:
        """All incidents of the stream, the oldest first."""
        return self._book.incidents

    def fits(self, ground: Ground) -> bool:
        """Say whether it would be built the same: monitor, grids, segments and settled reference rows."""
        stream = ground.span.stream
        return (
            self._monitor == ground.monitor
            and (not ground.is_settled or self._reference_state == ground.reference_state)
            and read_grids(ground.connection, stream.model_name) == self.grids
            and set(read_segments(ground.connection, stream)) == set(self.segments)
        )

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts."""
        completeness = hour.arrived.completeness
        self._whole.remember(hour.profiles[WHOLE], completeness=completeness)
        self._parts.remember(hour.profiles, completeness=completeness)

    def resume(self, episodes: Sequence[Verdict]) -> None:
        """Take up the episodes of stored verdicts, later than those before; see `read_episodes`."""
        decisions = self._book.decisions()
        # A warning that has an episode would have paged, and its hours are held out all the same.
        whole = [
            replace(verdict, verdict=VerdictName.PAGE) for verdict in episodes if verdict.segment == WHOLE
        ]
        self._whole.resume(whole, decisions)
        self._parts.resume((verdict for verdict in episodes if verdict.segment != WHOLE), decisions)

    def take_pages(self, verdicts: Iterable[Verdict]) -> None:
        """Take up stored page verdicts on hours that are not judged again, later than those before."""
        paging = sorted(verdicts, key=lambda verdict: verdict.window_end)
        for end, group in groupby(paging, key=lambda verdict: verdict.window_end):
            self._unkept += self._book.take(end - 1, group)

    def foresee(self, hours: Sequence[StreamHour]) -> None:
        """Take the hours that are judged next, which saves time and changes nothing; see `Judge.foresee`."""
        caution = self._book.caution
        self._whole.foresee(
            ((hour.profiles[WHOLE], hour.arrived.completeness) for hour in hours), caution=caution
        )
        self._parts.foresee(((hour.profiles, hour.arrived.completeness) for hour in hours), caution=caution)

    def judge(self, hour: StreamHour) -> Verdicts:
        """Judge all windows that end with an hour, and write what pages into the book."""
        completeness, caution = hour.arrived.completeness, self._book.caution(hour.hour)
        whole = self._whole.judge(hour.profiles[WHOLE], completeness=completeness, caution=caution)
        parts = self._parts.judge(hour.profiles, completeness=completeness, caution=caution)
        told = name_drivers(whole, parts)
        verdicts = Verdicts.joined([told.whole, told.segments])
        own = as_told(verdicts.own.values(), self._monitor)
        kept = [one if one.episode_start is None else as_kept(one) for one in own]
        verdicts = verdicts.replaced(dict(zip(verdicts.own, kept, strict=True)))
        self._change(self._book.take(hour.hour, verdicts.changed))
        return verdicts

    def hear(self, words: Sequence[Acknowledgement]) -> None:
        """Take everything that was said of the stream's incidents; hearing it again changes nothing."""
        self._change(self._book.acknowledge(words))

    def unanswered(self) -> Sequence[Incident]:
        """Return the incidents that changed since they were asked for last, and of which nothing was said."""
        return [incident for incident in self._unkept if incident.acknowledged is None]

    def changed_incidents(self) -> Sequence[Incident]:
        """Return the incidents that changed since this was asked last, to be stored."""
        changed, self._unkept = self._unkept, []
        return changed

    def _change(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            self._unkept += incidents
            decisions = self._book.decisions()
            self._whole.decide(decisions)
            self._parts.decide(decisions)


def build_panel(ground: Ground, *, as_of: int) -> Panel:
    """Build a stream's judges and its book as they were before an hour, from what is stored.

    Raises:
        BeingWrittenError: try again.
        StoreError: the store is away.
    """
    stream = ground.span.stream
    grids = read_grids(ground.connection, stream.model_name)
    segments = read_segments(ground.connection, stream)
    training: dict[str, list[HourProfile]] = {segment: [] for segment in (WHOLE, *segments)}
    if reference := ground.reference:
        first, end = reference.first_hour, reference.last_hour + 1
        for hour in read_all_hours(
            ground, reference.stream, first_hour=first, end_hour=end, segments=segments
        ):
            for segment, profile in hour.profiles.items():
                training[segment].append(profile)
    whole = Judge(
        grids=grids,
        training=training.pop(WHOLE),
        settings=whole_settings(ground.settings, len(segments)),
        identity=stream.identity,
    )
    parts = SegmentJudges(
        segments, grids=grids, training=training, settings=ground.settings, identity=stream.identity
    )
    book, unkept = open_book(ground.connection, stream, ground.settings, next_hour=as_of)
    panel = Panel(
        whole,
        parts,
        book,
        unkept,
        grids=grids,
        reference_state=ground.reference_state,
        monitor=ground.monitor,
    )
    first = max(as_of - whole.history_hours, 0)
    for hour in read_history(ground, first_hour=first, end_hour=as_of, segments=segments):
        panel.remember(hour)
    after = max(as_of - whole.page_history_hours, 0)
    panel.resume(read_episode_verdicts(ground.connection, stream, after_hour=after, until_hour=as_of))
    return panel
