"""The drift worker: judges each hour of each stream once it has closed, and anew when events arrive late.

An hour has closed when the model has an event of a later hour, which is never later than when it landed.
The worker keeps judges in memory; after a restart they are built again from the stored profiles and page
verdicts. While nothing lands it only asks whether something did; then it looks at the streams that moved.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.domain.streams import PRODUCTION, REFERENCE
from driftline.domain.verdict_table import Verdicts
from driftline.drift.service.export import (
    export_evaluated,
    export_teams,
    export_verdicts,
    served_streams,
)
from driftline.drift.service.metrics import FAILING, FAILURES, JUDGED, REVISED
from driftline.drift.service.source import BeingWrittenError, StreamSource
from driftline.drift.service.stored import StoredExport
from driftline.drift.service.streams import Streams
from driftline.drift.service.watch import StreamWatch
from driftline.drift.settings import DriftSettings
from driftline.errors import DriftlineError
from driftline.failing import Failing
from driftline.health import Pulse, keep_on
from driftline.monitors import Monitors
from driftline.store import ready_connection
from driftline.store.grids import is_grid_due, is_reference_complete
from driftline.store.hours import read_unsettled, settled_after_all
from driftline.store.incidents import read_acknowledgements
from driftline.store.ledger import Ledger
from driftline.store.monitored import follow_monitors
from driftline.store.planned import read_planned_events
from driftline.store.ready import is_away
from driftline.store.set_aside import LATE_HOURS
from driftline.store.signs import read_landing_signs

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from driftline.domain.calendars import PlannedEvent
    from driftline.domain.incidents import Acknowledgement, Answer, Incident
    from driftline.domain.streams import HourKey, Stream
    from driftline.domain.verdicts import Verdict
    from driftline.failing import Failure
    from driftline.metrics import Metrics
    from driftline.registry.policy import Policy
    from driftline.store.connect import Store
    from driftline.store.profiles import StreamSpan

_logger = logging.getLogger(__name__)

_JUDGING = "judging"
_POLL_S = 1.0
_LONGEST_POLL_S = 3.0
_LOOK_SHARE = 0.02
"""Asking whether there is something to judge takes about this share of the time, while there is nothing."""

_LOOKS_PER_QUIET = 6
_FOLLOW_GAP_S = 600.0
"""How often new models, and new values of segments, are looked for."""


class DriftWorker:
    """Judges every stream of a store. For one thread.

    Args:
        store: profiles come from it, verdicts go to it.
        metrics: a process's metrics, with the worker's table.
        monotonic: a clock in seconds.
        monitors: what is monitored of each model, and how.
        policy: what becomes of versions that nobody registered.
        reference_patience_s: how long a stream waits for reference rows that its run announced.
        late_quiet_s: how long nothing may have arrived late before what did is judged: a trickle of late
            events is one revision.
        pulse: is given a sign as judging goes on.
        answer: acknowledges an incident, or None, as soon as it is found; left out: somebody on call does.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float],
        monitors: Monitors[DriftSettings] | None = None,
        policy: Policy | None = None,
        reference_patience_s: float = 600.0,
        late_quiet_s: float = 60.0,
        pulse: Pulse | None = None,
        answer: Callable[[Incident], Answer | None] | None = None,
    ) -> None:
        self._store = store
        self._answer = answer
        self.metrics = metrics
        self._monotonic = monotonic
        self._pulse = pulse or Pulse("drift worker", monotonic)
        self._stop: threading.Event | None = None
        self._monitors = monitors or Monitors.default(DriftSettings())
        self._patience_s = reference_patience_s
        self._late_quiet_s = late_quiet_s
        self._waiting_since_s: dict[str, float] = {}
        self._failing: Failing[tuple[str, Stream]] = Failing(
            "judging", logger=_logger, monotonic=monotonic, is_general=lambda e: is_away(self._connection, e)
        )
        self._look_is_due = self._has_news = self._gave = False
        self._looked_s = self._followed_s = float("-inf")
        self._stored = StoredExport(metrics, self._failing, policy)
        self._warned: frozenset[str] = frozenset()
        self._connect()

    def run(self, stop: threading.Event) -> None:
        """Judge until ``stop`` is set. While the store is away, waits and tries again."""
        self._stop = stop

        def step() -> float:
            began_s = self._monotonic()
            judged = self.watch_once()
            if self._fails_in_all:
                self._pulse.fail(DriftlineError(self._failing.described()))
            else:
                self._pulse.succeed(warning=self._failing.described())
            return 0.0 if judged else poll_gap_s(self._monotonic() - began_s)

        keep_on(
            step,
            stop,
            what="judging",
            pulse=self._pulse,
            logger=_logger,
            start_over=self._start_over,
            failed=lambda: self.metrics.count(FAILURES),
            rest_s=_POLL_S,
        )

    def _start_over(self) -> None:
        self._connection.close()
        self._connect()

    def _connect(self) -> None:
        """Know nothing: the next look is at everything."""
        self._connection = ready_connection(self._store)
        self._ledger = Ledger(self._connection)
        self._streams = Streams(self._connection)
        self._watches: dict[Stream, StreamWatch] = {}
        self._unsettled: frozenset[HourKey] = frozenset()
        self._acknowledgements: Mapping[Stream, Sequence[Acknowledgement]] = {}
        self._reference_states: dict[Stream, tuple[int, int]] = {}
        self._signs: Mapping[str, int] | None = None
        self._planned: Sequence[PlannedEvent] = ()
        self._open: set[Stream] = set()
        self._to_look_at: set[Stream] = set()
        self._late_moves: set[Stream] = set()

    def _goes_on(self) -> bool:
        """Say, between two steps, whether there is to be another one."""
        self._pulse.beat()
        return self._stop is None or not self._stop.is_set()

    def watch_once(self) -> int:
        """Judge what has closed, and anew what arrived late; return how many verdicts that gave.

        Only streams that moved are looked at. What fails of one stream holds up no other.

        Raises:
            StoreError: the store is away.
        """
        now_s = self._monotonic()
        self._take_news(now_s)
        self._open |= self._streams.due(now_s)
        looks = self._look_is_due and now_s - self._looked_s >= self._late_quiet_s / _LOOKS_PER_QUIET
        if looks:
            self._to_look_at |= self._ledger_moves()
            self._open |= self._to_look_at
        given = 0
        for span in self._streams.of(self._open):
            if not self._goes_on():
                return given
            if not self._is_judged(span.stream):
                self._open.discard(span.stream)
            elif self._failing.is_due((_JUDGING, span.stream)):
                with self._failing.apart((_JUDGING, span.stream), **span.stream._asdict()):
                    given += self._watch(span, looks_at_s=now_s if looks else None)
        if looks:
            self._look_is_due, self._looked_s = False, now_s
        self._gave = given > 0 or (self._gave and bool(self._failing.known))
        self._export(now_s, has_judged=given > 0)
        return given

    @property
    def _fails_in_all(self) -> bool:
        """Whether nothing was judged since streams began to fail, and it is not one of several."""
        failing = len(self.failing)
        return failing > 0 and not self._gave and (failing > 1 or len(self._streams.all) == 1)

    @property
    def failing(self) -> Mapping[Stream, Failure]:
        """The streams that could not be judged or exported, and why."""
        return {stream: failure for (_, stream), failure in self._failing.known.items()}

    def _export(self, now_s: float, *, has_judged: bool) -> None:
        if has_judged or self._has_news or self._failing.known or self._stored.is_due(now_s):
            newest = self._streams.newest
            served = served_streams([s for s in self._streams.all if self._is_judged(s.stream)], newest)
            export_evaluated(self.metrics, {s: self._next_hour(s) for s in served})
            latest: dict[Stream, Sequence[Verdict]] = {}
            for stream in served:
                if not self._goes_on():
                    return
                with self._failing.apart(("export", stream), **stream._asdict(), step="export"):
                    latest[stream] = self._latest(stream)
            self._stored.refresh(
                self._connection, served, newest, now_s=now_s, has_judged=has_judged, goes_on=self._goes_on
            )
            export_verdicts(self.metrics, latest, self._stored.incidents)
            wanted = set(served)
            reported = [
                span
                for span in self._streams.all
                if span.stream in wanted
                or (span.stream.environment == PRODUCTION and not span.rows and span.future + span.old)
            ]
            self._stored.export_set_aside(self._connection, reported, self._late_moves)
            self._late_moves = set()
            named = [*(span.stream for span in reported), *self._stored.dropping]
            export_teams(self.metrics, named, self._monitors, self._stored.projects)
            self._has_news = False
        failing = {tuple(stream): float(known.attempts) for stream, known in self.failing.items()}
        self.metrics.replace(FAILING, failing)

    def _next_hour(self, stream: Stream) -> int:
        """Return up to where a stream is judged."""
        watch = self._watches.get(stream)
        return self._streams.judged_until(stream) if watch is None else watch.next_hour

    def _latest(self, stream: Stream) -> Sequence[Verdict]:
        watch = self._watches.get(stream)
        if watch is not None and watch.latest:
            return watch.latest
        return self._stored.latest(self._connection, stream, next_hour=self._next_hour(stream))

    def _is_judged(self, stream: Stream) -> bool:
        return stream.environment != REFERENCE and self._monitors.of(stream.model_name).enabled

    def _take_news(self, now_s: float) -> None:
        """If anything has landed, read which streams moved, and let the ledger be read anew."""
        signs = read_landing_signs(self._connection)
        if signs == self._signs:
            return
        self._ledger.refresh()
        unsettled = read_unsettled(self._connection)
        moved = self._streams.refresh(now_s)
        self._unsettled = unsettled - settled_after_all(self._connection, self._closed(unsettled))
        self._open |= self._streams.mates(moved)
        # What moved behind what is judged may be late; what is later still is set aside.
        self._to_look_at |= {stream for stream, hour in moved.items() if hour < self._next_hour(stream)}
        self._late_moves |= {
            stream for stream, hour in moved.items() if hour < self._next_hour(stream) - LATE_HOURS
        }
        self._stored.has_landed(moved.keys())
        if self._signs is None or signs.get("acknowledgements") != self._signs.get("acknowledgements"):
            acknowledgements = read_acknowledgements(self._connection)
            acknowledged = {
                stream
                for stream in acknowledgements
                if acknowledgements[stream] != self._acknowledgements.get(stream)
            }
            if acknowledged:
                self._stored.has_received()
            self._open |= acknowledged
            self._acknowledgements = acknowledgements
        if self._signs is None or signs.get("planned_events") != self._signs.get("planned_events"):
            self._planned = tuple(read_planned_events(self._connection).values())
        self._look_is_due = self._has_news = True
        if now_s - self._followed_s >= _FOLLOW_GAP_S:
            self._follow_monitors()
            self._followed_s = now_s
        self._signs = signs

    def _ledger_moves(self) -> AbstractSet[Stream]:
        """Return the streams of which more or less is missing than at the last look."""
        moved = set(self._ledger.moved()) | self._streams.beaten()
        self._stored.has_landed(moved)
        return moved & self._streams.known

    @property
    def waiting(self) -> int:
        """How many hours have closed, and are not judged since they are not derived in whole."""
        return len(self._closed(self._unsettled))

    def _closed(self, unsettled: Collection[HourKey]) -> Collection[HourKey]:
        """Return the hours that may not be derived in whole, and would be judged if they were."""
        newest = dict(self._streams.newest)
        for each in unsettled:
            if each.stream.environment != REFERENCE:
                newest[each.stream.model_name] = max(newest.get(each.stream.model_name, 0), each.hour)
        return {
            each
            for each in unsettled
            if each.stream.environment == REFERENCE or each.hour < newest[each.stream.model_name]
        }

    def _follow_monitors(self) -> None:
        """Have the store count by the segments and rules that are monitored, where any are."""
        if self._monitors == Monitors.default(self._monitors.others.settings):
            return  # Whoever has no file may have set them otherwise.
        warnings = frozenset(follow_monitors(self._connection, self._monitors))
        for warning in sorted(warnings - self._warned):
            _logger.warning("%s", warning)
        self._warned = warnings

    def _watch(self, span: StreamSpan, *, looks_at_s: float | None) -> int:
        """Do what there is to do for a stream; once there is nothing, it is closed until it moves."""
        stream = span.stream
        end_hour = self._streams.closed_until(span, self._ledger, self._monotonic())
        source = self._source(span)
        try:
            watch = self._watches.get(stream)
            if watch is None:
                watch = StreamWatch(source, late_quiet_s=self._late_quiet_s, answer=self._answer)
                self._watches[stream] = watch
            watch.receive(source, self._acknowledgements.get(stream, ()))
            if looks_at_s is not None and stream in self._to_look_at:
                watch.look_for_late(source, looks_at_s)
                self._to_look_at.discard(stream)
            is_late = watch.is_late_due(self._monotonic())
            if not (is_late or watch.next_hour < end_hour):
                if not watch.has_late and stream not in self._to_look_at:
                    self._open.discard(stream)
                return 0
            if self._must_wait(stream.model_name):
                return 0
            revisions = watch.revise(source) if is_late else ()
            given = [Verdicts.of(revision.verdicts) for revision in revisions]
            given.append(watch.judge_closed(self._settled(source, end_hour), end_hour, goes_on=self._goes_on))
        except BeingWrittenError as error:
            _logger.info("%s", error, extra=stream._asdict())  # In a moment it is whole.
            return 0
        except Exception:
            # The judges may have seen hours that the store has not: they are built again from the store.
            self._watches.pop(stream, None)
            self._to_look_at.add(stream)
            raise
        verdicts = Verdicts.joined(given)
        for name, count in verdicts.counted().items():
            self.metrics.count(JUDGED, count, verdict=name)
        if late := sum(len(revision.hours) for revision in revisions):
            names = (stream.model_name, stream.model_version, late)
            form = "%s %s: %d hours were judged anew, since events arrived late"
            _logger.info(form, *names, extra=stream._asdict())
        self.metrics.count(REVISED, late)
        return len(verdicts)

    def _source(self, span: StreamSpan) -> StreamSource:
        """Gather what a stream is judged by, and see whether reference rows landed since the last poll."""
        monitor = self._monitors.of(span.stream.model_name)
        spans = self._streams.of_model(span.stream.model_name)
        source = StreamSource(
            self._connection, span, spans, self._ledger, monitor, self._unsettled, planned=self._planned
        )
        known = self._reference_states.get(span.stream)
        self._reference_states[span.stream] = source.reference_state
        return replace(source, is_settled=known == source.reference_state)

    def _settled(self, source: StreamSource, end_hour: int) -> StreamSource:
        """Return a source of which the newest hour is known to be derived in whole, if it is to be judged."""
        stream = source.span.stream
        if end_hour <= self._streams.newest[stream.model_name]:
            return source
        own = {each for each in source.unsettled if each.stream == stream}
        return replace(
            source, unsettled=frozenset(source.unsettled) - settled_after_all(self._connection, own)
        )

    def _must_wait(self, model_name: str) -> bool:
        """Return whether the model's reference or its grids are on their way, and worth waiting for."""
        complete = is_reference_complete(self._connection, model_name)
        if complete is None or (complete and not is_grid_due(self._connection, model_name)):
            self._waiting_since_s.pop(model_name, None)
            return False
        since_s = self._waiting_since_s.setdefault(model_name, self._monotonic())
        return self._monotonic() - since_s < self._patience_s

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()


def poll_gap_s(look_s: float) -> float:
    """Return for how long to wait after a look that found nothing to judge, and took so long."""
    return min(max(look_s / _LOOK_SHARE, _POLL_S), _LONGEST_POLL_S)
