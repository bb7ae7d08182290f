"""The drift worker: judges each hour of each stream once it has closed, and anew when events arrive late.

An hour has closed when the model has an event of a later hour. The worker keeps judges in memory; after a
restart they are built again from the stored profiles and page verdicts. While nothing lands it only asks
whether something did.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.drift.pages.store import read_words
from driftline.drift.service.export import (
    export_evaluated,
    export_teams,
    export_verdicts,
    served_streams,
)
from driftline.drift.service.ground import REFERENCE, BeingWrittenError, Ground
from driftline.drift.service.metrics import FAILURES, JUDGED, REVISED
from driftline.drift.service.stored import StoredExport
from driftline.drift.service.watch import StreamWatch
from driftline.drift.settings import DriftSettings
from driftline.errors import StoreError
from driftline.health import Pulse
from driftline.monitors import Monitors
from driftline.store import ready_client
from driftline.store.grids import is_grid_due, is_reference_complete
from driftline.store.hours import read_unsettled, settled_after_all
from driftline.store.ledger import Ledger, read_landing_sign
from driftline.store.monitored import follow_monitors
from driftline.store.profiles import read_streams

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping, Sequence

    from driftline.domain.streams import HourKey, Stream
    from driftline.drift.pages.page import Acknowledgement, Answer, Page
    from driftline.drift.service.export import Told
    from driftline.metrics import Metrics
    from driftline.store.connect import Store
    from driftline.store.profiles import StreamSpan

_logger = logging.getLogger(__name__)

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
        reference_patience_s: how long a stream waits for reference rows that its run announced.
        late_quiet_s: how long nothing may have arrived late before what did is judged: a trickle of late
            events is one revision.
        pulse: beats as judging goes on.
        answer: says something of a page, or None, as soon as it is found; left out: somebody on call does.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float],
        monitors: Monitors[DriftSettings] | None = None,
        reference_patience_s: float = 600.0,
        late_quiet_s: float = 60.0,
        pulse: Pulse | None = None,
        answer: Callable[[Page], Answer | None] | None = None,
    ) -> None:
        self._store = store
        self._answer = answer
        self._metrics = metrics
        self._monotonic = monotonic
        self._pulse = pulse or Pulse("drift worker", monotonic)
        self._stop: threading.Event | None = None
        self._monitors = monitors or Monitors.default(DriftSettings())
        self._patience_s = reference_patience_s
        self._late_quiet_s = late_quiet_s
        self._waiting_since_s: dict[str, float] = {}
        self._client = ready_client(store)
        self._ledger = Ledger(self._client)
        self._watches: dict[Stream, StreamWatch] = {}
        self._spans: Sequence[StreamSpan] = ()
        self._unsettled: frozenset[HourKey] = frozenset()
        self._words: Mapping[Stream, Sequence[Acknowledgement]] = {}
        self._reference_rows: dict[Stream, int] = {}
        self._sign: int | None = None
        self._look_is_due = False
        self._looked_s = self._followed_s = float("-inf")
        self._stored = StoredExport(metrics)
        self._warned: frozenset[str] = frozenset()

    def run(self, stop: threading.Event) -> None:
        """Judge until ``stop`` is set. While the store is away, waits and tries again."""
        self._stop = stop
        has_failed = False
        while self._goes_on():
            began_s = self._monotonic()
            try:
                if has_failed:  # An embedded store may have another owner now.
                    self._client.close()
                    self._client = ready_client(self._store)
                    self._ledger = Ledger(self._client)
                    self._watches.clear()
                    self._sign = None
                judged = self.watch_once()
                has_failed = False
                self._pulse.succeed()
            except (StoreError, ClickHouseError) as error:
                has_failed = True
                self._pulse.fail(error)
                self._metrics.count(FAILURES)
                context = {"error": type(error).__name__}
                _logger.warning("judging failed, trying again: %s", error, extra=context)
                judged = 0
            if not judged:
                stop.wait(poll_gap_s(self._monotonic() - began_s))

    def _goes_on(self) -> bool:
        """Say, between two steps, whether there is to be another one."""
        self._pulse.beat()
        return self._stop is None or not self._stop.is_set()

    def watch_once(self) -> int:
        """Judge what has closed, and anew what arrived late; return how many verdicts that gave.

        Raises:
            StoreError: the store is away.
        """
        now_s = self._monotonic()
        self._take_news(now_s)
        looks = self._look_is_due and now_s - self._looked_s >= self._late_quiet_s / _LOOKS_PER_QUIET
        judged = [span for span in self._spans if self._is_judged(span.stream)]
        newest_hour: dict[str, int] = {}
        for span in judged:
            name = span.stream.model_name
            newest_hour[name] = max(newest_hour.get(name, 0), span.last_hour)
        given = 0
        for span in judged:
            if not self._goes_on():
                return given
            end_hour = min(span.last_hour + 1, newest_hour[span.stream.model_name])
            given += self._watch(span, end_hour, looks_at_s=now_s if looks else None)
        if looks:
            self._look_is_due, self._looked_s = False, now_s
        served = served_streams(judged, newest_hour)
        self._stored.refresh(self._client, served, newest_hour, now_s=now_s, has_judged=given > 0)
        watches = {stream: self._watches[stream] for stream in served if stream in self._watches}
        export_evaluated(self._metrics, watches)
        export_verdicts(
            self._metrics,
            {stream: self._latest(stream, watch) for stream, watch in watches.items()},
            self._stored.pages,
        )
        export_teams(self._metrics, [*served, *self._stored.dropping], self._monitors)
        return given

    def _latest(self, stream: Stream, watch: StreamWatch) -> Sequence[Told]:
        return watch.latest or self._stored.latest(self._client, stream, next_hour=watch.next_hour)

    def _is_judged(self, stream: Stream) -> bool:
        return stream.environment != REFERENCE and self._monitors.of(stream.model_name).enabled

    def _take_news(self, now_s: float) -> None:
        """If anything has landed, read what streams there are, and let the ledger be read anew."""
        sign = read_landing_sign(self._client)
        if sign != self._sign:
            self._ledger.refresh()
            self._unsettled = read_unsettled(self._client)
            self._spans = read_streams(self._client, self._unsettled)
            self._unsettled = self._unsettled - settled_after_all(self._client, self._closed())
            words = read_words(self._client)
            if words != self._words:
                self._stored.has_heard()
            self._words = words
            self._look_is_due = True
            self._stored.has_landed()
            self._sign = sign
            if now_s - self._followed_s >= _FOLLOW_GAP_S:
                self._follow_monitors()
                self._followed_s = now_s

    @property
    def waiting(self) -> int:
        """How many hours have closed, and are not judged since they are not derived in whole."""
        return len(self._closed())

    def _closed(self) -> Collection[HourKey]:
        """Return the hours that may not be derived in whole, and would be judged if they were."""
        newest = {span.stream: span.last_hour for span in self._spans}
        models: dict[str, int] = {}
        for stream, hour in newest.items():
            if stream.environment != REFERENCE:
                models[stream.model_name] = max(models.get(stream.model_name, 0), hour)
        return {
            each
            for each in self._unsettled
            if each.stream.environment == REFERENCE or each.hour < models[each.stream.model_name]
        }

    def _follow_monitors(self) -> None:
        """Have the store count by the segments and rules that are monitored, where any are."""
        if self._monitors == Monitors.default(self._monitors.others.settings):
            return  # Whoever has no file may have set them otherwise.
        warnings = frozenset(follow_monitors(self._client, self._monitors))
        for warning in sorted(warnings - self._warned):
            _logger.warning("%s", warning)
        self._warned = warnings

    def _watch(self, span: StreamSpan, end_hour: int, *, looks_at_s: float | None) -> int:
        """Do what there is to do for a stream; while there is nothing, asks the store nothing."""
        stream = span.stream
        ground = self._ground(span)
        try:
            watch = self._watches.get(stream)
            if watch is None:
                watch = StreamWatch(ground, late_quiet_s=self._late_quiet_s, answer=self._answer)
                self._watches[stream] = watch
            watch.hear(ground, self._words.get(stream, ()))
            if looks_at_s is not None:
                watch.look_for_late(ground, looks_at_s)
            is_late = watch.is_late_due(self._monotonic())
            if not (is_late or watch.next_hour < end_hour) or self._must_wait(stream.model_name):
                return 0
            revisions = watch.revise(ground) if is_late else ()
            given = [verdict for revision in revisions for verdict in revision.verdicts]
            given += watch.judge_closed(ground, end_hour, goes_on=self._goes_on)
        except BeingWrittenError as error:
            _logger.info("%s", error, extra=stream._asdict())  # In a moment it is whole.
            return 0
        except (StoreError, ClickHouseError):
            # The judges may have seen hours that the store has not: they are built again from the store.
            self._watches.pop(stream, None)
            raise
        for name, count in Counter(verdict.verdict for verdict in given).items():
            self._metrics.count(JUDGED, count, verdict=name)
        if late := sum(len(revision.hours) for revision in revisions):
            told = (stream.model_name, stream.model_version, late)
            form = "%s %s: %d hours were judged anew, since events arrived late"
            _logger.info(form, *told, extra=stream._asdict())
        self._metrics.count(REVISED, late)
        return len(given)

    def _ground(self, span: StreamSpan) -> Ground:
        """Gather what a stream is judged by, and see whether reference rows landed since the last poll."""
        monitor = self._monitors.of(span.stream.model_name)
        ground = Ground(self._client, span, self._spans, self._ledger, monitor, self._unsettled)
        known = self._reference_rows.get(span.stream)
        self._reference_rows[span.stream] = ground.reference_rows
        return replace(ground, is_settled=known == ground.reference_rows)

    def _must_wait(self, model_name: str) -> bool:
        """Say whether the model's reference or its grids are on their way, and worth waiting for."""
        complete = is_reference_complete(self._client, model_name)
        if complete is None or (complete and not is_grid_due(self._client, model_name)):
            self._waiting_since_s.pop(model_name, None)
            return False
        since_s = self._waiting_since_s.setdefault(model_name, self._monotonic())
        return self._monotonic() - since_s < self._patience_s

    def close(self) -> None:
        """Let go of the store."""
        self._client.close()


def poll_gap_s(look_s: float) -> float:
    """Return for how long to wait after a look that found nothing to judge, and took so long."""
    return min(max(look_s / _LOOK_SHARE, _POLL_S), _LONGEST_POLL_S)
