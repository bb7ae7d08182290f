"""One stream under watch: its hours are judged once they have closed, and anew when events arrive late."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from driftline.domain.verdict_table import Verdicts
from driftline.drift.hours import Arrival
from driftline.drift.incidents.store import keep_incidents
from driftline.drift.joint.judge import JointJudge, JointWatch
from driftline.drift.service.beginning import PAUSE_HOURS, first_to_judge
from driftline.drift.service.late import Revision, is_late
from driftline.drift.service.pipeline import build_pipeline
from driftline.drift.service.sink import FirstVerdicts
from driftline.drift.service.source import began, read_stream_hours
from driftline.store.grids import read_grids
from driftline.store.incidents import read_acknowledgements, write_acknowledgement
from driftline.store.ledger import read_last_landings, read_rows_by_hour
from driftline.store.profiles import read_counted_hours
from driftline.store.set_aside import LATE_HOURS
from driftline.store.verdicts import (
    JudgedHour,
    last_judged_hour,
    read_episode_verdicts,
    read_judged_hours,
    read_windows,
    write_judged_hours,
    write_verdicts,
)
from driftline.store.widened_rules import widen_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.domain.incidents import Acknowledgement, Answer, Incident
    from driftline.domain.verdicts import Verdict
    from driftline.drift.service.pipeline import Pipeline
    from driftline.drift.service.source import StreamHours, StreamSource

_CHUNK_HOURS = 7 * 24
_LONGEST_WAIT = 10
"""A trickle that never ends is judged anew after so many times the quiet that it never comes to."""


class StreamWatch:
    """A stream's judges, what its hours were judged on, and the next hour to be judged. For one thread.

    After an error of the store it is of no use: the store then holds what counts, and a new one is made.

    Args:
        source: of the stream, at this moment.
        late_quiet_s: how long nothing may have arrived late before late events are judged.
        answer: says something of an incident, or None: of each that changes, before the next hour is judged.
    """

    def __init__(
        self,
        source: StreamSource,
        *,
        late_quiet_s: float,
        answer: Callable[[Incident], Answer | None] | None = None,
    ) -> None:
        stream = source.span.stream
        self._answer = answer
        self._stream = stream
        self._quiet_s = late_quiet_s
        self._judged = dict(read_judged_hours(source.connection, stream, hours=LATE_HOURS))
        self.next_hour = max(self._judged) + 1 if self._judged else self._first_hour(source)
        # Verdicts were written on these windows, and not yet noted on what.
        self._cut_short_end = last_judged_hour(source.connection, stream) or 0
        self._pipeline: Pipeline | None = None
        self._received: Sequence[Acknowledgement] = ()
        self._late: Mapping[int, Arrival] = {}
        self._late_since_s = 0.0
        self._late_changed_s = 0.0
        self.latest: Sequence[Verdict] = ()

    def _first_hour(self, source: StreamSource) -> int:
        rows = read_counted_hours(source.connection, self._stream)
        return first_to_judge(rows) if rows else source.span.first_hour

    def look_for_late(self, source: StreamSource, now_s: float) -> None:
        """Compare what is there of the last weeks with what was judged.

        Args:
            source: of the stream.
            now_s: the time, by a clock that never goes back.
        """
        late = self._find_late(source)
        if late != self._late:
            if not self._late:
                self._late_since_s = now_s
            self._late_changed_s = now_s
        self._late = late

    @property
    def has_late(self) -> bool:
        """Whether events arrived late that nothing was judged on yet."""
        return bool(self._late)

    def is_late_due(self, now_s: float) -> bool:
        """Return whether events arrived late, and no more of them for a while."""
        return bool(self._late) and (
            now_s - self._late_changed_s >= self._quiet_s
            or now_s - self._late_since_s >= self._quiet_s * _LONGEST_WAIT
        )

    @property
    def incidents(self) -> Sequence[Incident]:
        """The stream's incidents, as far as they are known by now."""
        return () if self._pipeline is None else self._pipeline.tracker.incidents

    def receive(self, source: StreamSource, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Take all acknowledgements of the stream's incidents.

        Raises:
            BeingWrittenError: try again.
            StoreError: the store is away.
        """
        if list(acknowledgements) != list(self._received):
            if self._pipeline is None:
                self._pipeline = self._build(source, as_of=self.next_hour)
            self._pipeline.receive(acknowledgements)
            self._keep_incidents(source, self._pipeline)
            self._received = acknowledgements

    def judge_closed(
        self, source: StreamSource, end_hour: int, *, goes_on: Callable[[], bool] = lambda: True
    ) -> Verdicts:
        """Judge all hours before one that are not judged yet; return the verdicts that were written.

        Where a block is landing at this moment, `next_hour` stays behind; the rest is judged next time.
        So it is where `goes_on`, asked between two chunks of hours, says no.

        Raises:
            BeingWrittenError: try again.
            StoreError: the store is away.
        """
        written: list[Verdicts] = []
        while self.next_hour < end_hour and goes_on():
            self._skip_pause(source, end_hour)
            if self._pipeline is None or not self._pipeline.fits(source):
                self._pipeline = self._build(source, as_of=self.next_hour)
            # While weeks are caught up with, incidents are opened and answered.
            self.receive(source, read_acknowledgements(source.connection, self._stream).get(self._stream, ()))
            wanted = min(self.next_hour + _CHUNK_HOURS, end_hour)
            read = read_stream_hours(
                source,
                self._stream,
                first_hour=self.next_hour,
                end_hour=wanted,
                segments=self._pipeline.segments,
                # Of what closed though no event came, somebody has to know.
                also=range(max(source.span.last_hour + 1, self.next_hour), wanted),
            )
            if read_grids(source.connection, self._stream.model_name) != self._pipeline.grids:
                break  # The buckets just read may be of either grid: begin again with the new one.
            written.append(self._judge(source, self._pipeline, read))
            if read.end_hour < wanted:
                break
        return Verdicts.joined(written)

    def _skip_pause(self, source: StreamSource, end_hour: int) -> None:
        """Go on with the next hour that there is something of: the years behind a stray event cost nothing.

        Behind a pause the judges are built anew: a version that had but that event has the history of those
        before it.
        """
        if end_hour - self.next_hour <= _CHUNK_HOURS:
            return
        span = {"first_hour": self.next_hour, "end_hour": end_hour}
        hours = list(read_counted_hours(source.connection, self._stream, **span))[:1]
        missing = source.ledger.missing(self._stream, since_hour=self.next_hour)
        hours += [hour for hour, count in missing.items() if self.next_hour <= hour < end_hour and count >= 1]
        following = min(hours, default=end_hour - 1)
        if following - self.next_hour > PAUSE_HOURS:
            self.next_hour = following
            self._pipeline = None

    def _judge(self, source: StreamSource, pipeline: Pipeline, read: StreamHours) -> Verdicts:
        known: Sequence[Verdict] = ()
        if self._cut_short_end > self.next_hour:
            known = read_windows(
                source.connection, self._stream, first_end=self.next_hour + 1, last_end=read.end_hour
            )
        sink = FirstVerdicts(known)
        latest = pipeline.judge(read.hours, sink, after=lambda: self._answer_incidents(source, pipeline))
        if latest:
            self.latest = latest
        verdicts = sink.verdicts
        self._write(source, verdicts, sink.hours)
        self._keep_incidents(source, pipeline)
        self.next_hour = read.end_hour
        return verdicts

    def _write(self, source: StreamSource, verdicts: Sequence[Verdict], hours: Sequence[JudgedHour]) -> None:
        """Write verdicts, then on what hours were judged: whoever is killed between judges them again."""
        write_verdicts(source.connection, self._stream, verdicts)
        write_judged_hours(source.connection, self._stream, hours)
        self._judged.update((hour.hour, hour) for hour in hours)
        oldest = max(self._judged, default=0) - LATE_HOURS
        self._judged = {hour: known for hour, known in self._judged.items() if hour > oldest}

    def _answer_incidents(self, source: StreamSource, pipeline: Pipeline) -> None:
        """Have those incidents answered that changed with an hour: the answer is known from its end on."""
        if self._answer is None:
            return
        answers = {incident.incident_id: self._answer(incident) for incident in pipeline.tracker.unanswered}
        given = {incident_id: answer for incident_id, answer in answers.items() if answer is not None}
        if given:
            self._keep_incidents(source, pipeline)
            for incident_id, answer in given.items():
                write_acknowledgement(source.connection, incident_id, **dataclasses.asdict(answer))
            self._received = read_acknowledgements(source.connection, self._stream).get(self._stream, ())
            pipeline.receive(self._received)

    def _build(self, source: StreamSource, *, as_of: int, is_anew: bool = False) -> Pipeline:
        """Build the judges of an hour and of those behind it."""
        together = None
        if source.monitor.joint != "off":
            together = JointJudge(
                lambda: self._joint_watch(source),
                missing=lambda hour: self._missing(source, hour),
                is_anew=is_anew,
            )
        return build_pipeline(source, as_of=as_of, together=together)

    def _joint_watch(self, source: StreamSource) -> JointWatch:
        first_hour = max(self.next_hour - source.settings.history_hours, 0)
        since_hour = began(source, first_hour=first_hour, as_of=self.next_hour)
        return JointWatch(
            source.connection,
            self._stream,
            source.settings,
            since_hour=since_hour,
            calendar=source.calendar,
        )

    def _missing(self, source: StreamSource, hour: int) -> Mapping[int, float]:
        """Return the events that are missing of an hour and later, and of those that a judge knows."""
        since = max(hour - source.settings.history_hours, 0)
        return source.ledger.missing(self._stream, since_hour=since)

    def _keep_incidents(self, source: StreamSource, pipeline: Pipeline) -> None:
        changed = pipeline.tracker.changed()
        keep_incidents(source.connection, changed)
        for incident in changed:
            if incident.state == "accepted":
                names = {finding.feature for finding in incident.findings}
                until = max(incident.last, min(incident.accepted_at or 0, self.next_hour))
                widen_rules(source.connection, self._stream, names, first_hour=incident.since, end_hour=until)

    def revise(self, source: StreamSource) -> Sequence[Revision]:
        """Judge anew what late events change; return what was written.

        Hours far apart are judged group after group, each as it would have been judged then.

        Raises:
            BeingWrittenError: try again.
            StoreError: the store is away.
        """
        late = sorted(self._find_late(source))
        revisions: list[Revision] = []
        landings = read_last_landings(source.connection, self._stream, late) if late else {}
        pipeline = self._build(source, as_of=late[0], is_anew=True) if late else None
        latest: Sequence[Verdict] = ()
        hour = late[0] if late else self.next_hour
        while late and pipeline is not None:
            self._bridge(source, pipeline, hour, late[0])
            revision = Revision(late, judged=self._judged, landings=landings, settings=source.settings)
            latest = self._revise_from(source, pipeline, revision, late)
            hour = min(revision.end_hour, self.next_hour)
            revisions.append(revision)
            late = [later for later in late if later >= hour]
        if pipeline is not None and not pipeline.fits(source):
            return ()  # New grids are coming into force: all of it is late still.
        self._write(
            source,
            [verdict for revision in revisions for verdict in revision.verdicts],
            [noted for revision in revisions for noted in revision.hours],
        )
        if self.latest and latest and latest[0].window_end == self.latest[0].window_end:
            self.latest = latest
        self._late = {}
        if revisions:
            self._pipeline = None  # Its judges remember the hours as they were.
        return revisions

    def _bridge(self, source: StreamSource, pipeline: Pipeline, first_hour: int, end_hour: int) -> None:
        """Take hours that need no second look as they were judged."""
        if first_hour < end_hour:
            read = read_stream_hours(
                source, self._stream, first_hour=first_hour, end_hour=end_hour, segments=pipeline.segments
            )
            episodes, pages = (
                read_episode_verdicts(
                    source.connection,
                    self._stream,
                    after_hour=first_hour,
                    until_hour=end_hour,
                    verdict=verdict,
                )
                for verdict in ("", "page")
            )
            pipeline.remember(read.whole(self._stream), episodes)
            pipeline.tracker.resume(pages)

    def _revise_from(
        self, source: StreamSource, pipeline: Pipeline, revision: Revision, late: Sequence[int]
    ) -> Sequence[Verdict]:
        """Judge from the first late hour on, as far as it matters; return the verdicts on the last hour."""
        hour = late[0]
        latest: Sequence[Verdict] = ()
        while hour < (end := min(revision.end_hour, self.next_hour)):
            end = min(end, hour + _CHUNK_HOURS)
            read = read_stream_hours(
                source, self._stream, first_hour=hour, end_hour=end, segments=pipeline.segments, also=late
            )
            revision.compare_with(
                read_windows(source.connection, self._stream, first_end=hour + 1, last_end=end)
            )
            latest = pipeline.judge(read.whole(self._stream), revision) or latest
            hour = end
        return latest

    def _find_late(self, source: StreamSource) -> Mapping[int, Arrival]:
        first = max(self.next_hour - LATE_HOURS, 0)
        rows = read_rows_by_hour(source.connection, self._stream, first_hour=first, end_hour=self.next_hour)
        missing = source.ledger.missing(self._stream, since_hour=first)
        hours = {hour for hour, count in missing.items() if count >= 1 and first <= hour < self.next_hour}
        hours.update(rows, (hour for hour in self._judged if hour >= first))
        hours -= {each.hour for each in source.unsettled if each.stream == self._stream}
        arrived = {hour: Arrival(rows.get(hour, 0), missing.get(hour, 0.0)) for hour in hours}
        return {hour: now for hour, now in arrived.items() if is_late(self._judged.get(hour), now)}
