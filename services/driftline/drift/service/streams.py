"""The streams of a store, kept in memory: what is read anew is what moved."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from driftline.domain.hours import HOUR_S
from driftline.domain.streams import REFERENCE
from driftline.drift.service.beginning import PAUSE_HOURS, newest_hour
from driftline.drift.service.closing import QuietHours
from driftline.store.answered import read_delay_s
from driftline.store.hours import LONGEST_INSERT_S, read_store_time
from driftline.store.incidents import SERVED_HOURS
from driftline.store.landed import read_landed_until
from driftline.store.profiles import read_moved_streams, read_streams
from driftline.store.signs import Heartbeats, read_heartbeats
from driftline.store.verdicts import read_judged_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.ledger import Ledger
    from driftline.store.profiles import StreamSpan

_LIVE_S = 3600
"""Events that land within an hour of their time are of now, so that none means silence."""

_TO_LAND_S = 600
"""What was logged in an hour has so long to reach the log, and from there the store."""

_LANDED_CHECK_S = 60.0

_MARGIN = timedelta(seconds=LONGEST_INSERT_S)


class Streams:
    """All streams of which something is derived. For one thread; begun anew with every connection.

    Args:
        connection: to the store.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spans: dict[Stream, StreamSpan] = {}
        self._by_model: dict[str, dict[Stream, StreamSpan]] = defaultdict(dict)
        self._read_at: datetime | None = None
        self._heartbeats: Mapping[Stream, Heartbeats] = {}
        self._live: dict[Stream, tuple[int, bool]] = {}
        self._judged: Mapping[Stream, int] | None = None
        self._quiet = QuietHours()
        self._landed_hour = 0
        self._landed_check_s = float("-inf")
        self.newest: dict[str, int] = {}

    @property
    def all(self) -> Collection[StreamSpan]:
        """Every stream."""
        return self._spans.values()

    @property
    def known(self) -> AbstractSet[Stream]:
        """The streams that there are."""
        return self._spans.keys()

    def of(self, streams: Iterable[Stream]) -> Sequence[StreamSpan]:
        """Return some of them, the oldest first; none of which nothing counts."""
        found = (self._spans[stream] for stream in streams if stream in self._spans)
        return sorted((span for span in found if span.rows), key=lambda span: (span.first_hour, span.stream))

    def of_model(self, model_name: str) -> Sequence[StreamSpan]:
        """Return a model's, the oldest first."""
        return self.of(self._by_model[model_name])

    def mates(self, streams: Iterable[Stream]) -> AbstractSet[Stream]:
        """Return the streams of the same models: an event of one closes hours of the others."""
        return {mate for name in {stream.model_name for stream in streams} for mate in self._by_model[name]}

    def judged_until(self, stream: Stream) -> int:
        """Return up to where a stream was judged when this process began; of a new one, where it begins."""
        if self._judged is None:
            self._judged = read_judged_until(self._connection)
        span = self._spans.get(stream)
        return self._judged.get(stream, span.first_hour if span else 0)

    def refresh(self, now_s: float) -> Mapping[Stream, int]:
        """Read what moved since this was asked last; return which streams did, and their oldest such hour.

        Args:
            now_s: the time, by a clock that never goes back.
        """
        read_at = read_store_time(self._connection)
        if self._read_at is None:
            found = read_streams(self._connection)
            touched = {span.stream: span.first_hour for span in found}
        else:
            touched = dict(read_moved_streams(self._connection, self._read_at - _MARGIN))
            found = read_streams(self._connection, touched.keys())
        spans = {span.stream: span for span in found}
        moved = {
            stream: hour for stream, hour in touched.items() if spans.get(stream) != self._spans.get(stream)
        }
        for stream in moved:
            self._put(stream, spans.get(stream))
        for name in {stream.model_name for stream in moved}:
            served = [
                s for s in self._by_model[name].values() if s.rows and s.stream.environment != REFERENCE
            ]
            self.newest.pop(name, None)
            self._quiet.forget(name)
            if served:
                self.newest[name] = newest_hour(served)
                self._quiet.moved(name, self.newest[name], now_s=now_s, store_s=read_at.timestamp())
        self._read_at = read_at
        return moved

    def _put(self, stream: Stream, span: StreamSpan | None) -> None:
        if span is None:  # All that was counted of it was replaced, or is gone.
            self._spans.pop(stream, None)
            self._by_model[stream.model_name].pop(stream, None)
        else:
            self._spans[stream] = self._by_model[stream.model_name][stream] = span

    def beaten(self) -> set[Stream]:
        """Return the streams whose sessions reported something else since this was asked last."""
        known, self._heartbeats = self._heartbeats, read_heartbeats(self._connection)
        return {stream for stream, newest in self._heartbeats.items() if known.get(stream) != newest}

    def due(self, now_s: float) -> AbstractSet[Stream]:
        """Return the streams whose newest hour may have closed by the clock since this was asked last.

        And those that may be silent: of which an hour has passed since, and all that was logged has landed.
        """
        names = self._quiet.due(now_s)
        if now_s - self._landed_check_s >= _LANDED_CHECK_S:
            self._landed_check_s = now_s
            known = self._landed_hour
            self._landed_hour = int(read_landed_until(self._connection) - _TO_LAND_S) // HOUR_S
            if self._landed_hour > known:
                names |= {name for name, newest in self.newest.items() if self._silent_until(newest) > newest}
        return {mate for name in names for mate in self._by_model[name]}

    def _silent_until(self, newest: int) -> int:
        """Return up to which hour a model is silent whose newest one is given: of a week at most."""
        return min(self._landed_hour, newest + PAUSE_HOURS + 1)

    def closed_until(self, span: StreamSpan, ledger: Ledger, now_s: float) -> int:
        """Return up to which hour a stream is to be judged: hours close with an event of a later one.

        The newest hour of its model closes by the clock: once it is over and nothing has come for an hour, or
        all who logged in it have ended in order and nothing of them is missing, as a nightly batch does.

        Where its model has none any more, the hours of a week close with the reports of sessions that go on
        and made no prediction: none that the ledger misses. They tell nothing where events landed long after
        their time, as in a replay or a nightly batch. Where no session reports any more, since the service is
        gone, they close as far as the landers know that all that was logged has landed.

        Args:
            span: of the stream.
            ledger: what is missing.
            now_s: the time, by the clock of `refresh`.
        """
        newest = self.newest[span.stream.model_name]
        reported = self._heartbeats.get(span.stream)
        is_served = span.last_hour > newest - SERVED_HOURS
        until = 0
        if reported is not None and is_served and reported.until_hour <= newest + PAUSE_HOURS:
            until = reported.until_hour
        if span.last_hour == newest:
            until = max(until, self._silent_until(newest))
        if until > newest + 1 or (until > newest and reported is not None):
            missing = ledger.missing(span.stream, since_hour=span.last_hour)
            if sum(missing.values()) < 1 and self._is_live(span):
                return until
        if span.last_hour == newest and self._has_closed(span, ledger, now_s):
            return newest + 1
        return min(span.last_hour + 1, newest)

    def _has_closed(self, span: StreamSpan, ledger: Ledger, now_s: float) -> bool:
        """Return whether the newest hour of a stream, which is its model's, has closed by the clock."""
        name, hour = span.stream.model_name, span.last_hour
        if self._quiet.is_quiet(name, hour, now_s):
            return True
        reported = self._heartbeats.get(span.stream)
        if reported is None or not reported.has_ended(hour) or not self._quiet.is_over(name, hour, now_s):
            return False
        return sum(ledger.missing(span.stream, since_hour=hour).values()) < 1 and self._is_live(span)

    def _is_live(self, span: StreamSpan) -> bool:
        """Return whether a stream's newest events landed soon after their time; once an hour it is asked."""
        hour, is_live = self._live.get(span.stream, (-1, False))
        if hour != span.last_hour:
            delay_s = read_delay_s(self._connection, span.stream, span.last_hour)
            is_live = delay_s is not None and delay_s < _LIVE_S
            self._live[span.stream] = span.last_hour, is_live
        return is_live
