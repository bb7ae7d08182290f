"""What a stream is judged by: its stored hours, the reference, the ledger, and what is monitored of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import hour_time
from driftline.domain.streams import REFERENCE
from driftline.drift.hours import WHOLE, Arrival, StreamHour
from driftline.drift.service.beginning import PAUSE_HOURS, begins
from driftline.errors import StoreError
from driftline.profiles import HourProfile
from driftline.store.profiles import read_counted_hours, read_segment_hours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.domain.calendars import Calendar, PlannedEvent
    from driftline.domain.streams import HourKey, Stream
    from driftline.drift.settings import DriftSettings
    from driftline.monitors import ModelMonitor
    from driftline.store.connection import Connection
    from driftline.store.ledger import Ledger
    from driftline.store.profiles import StreamSpan


class BeingWrittenError(StoreError):
    """Hours are being derived at this moment; in a later one they are whole."""


@dataclass(frozen=True, slots=True)
class StreamSource:
    """What there is to judge a stream by, at one moment.

    Args:
        connection: to the store.
        span: the stream, and its hours.
        spans: all streams.
        ledger: what is missing.
        monitor: what is monitored, and how it is judged.
        unsettled: hours, of any stream, that are not derived in whole at this moment.
        planned: events, of any model.
        is_settled: whether no reference rows are landing at this moment.
    """

    connection: Connection
    span: StreamSpan
    spans: Sequence[StreamSpan]
    ledger: Ledger
    monitor: ModelMonitor[DriftSettings]
    unsettled: Collection[HourKey] = frozenset()
    is_settled: bool = True
    planned: Sequence[PlannedEvent] = ()

    @property
    def calendar(self) -> Calendar:
        """Which hours are unlike ordinary ones: holidays, and events that are planned for the model."""
        own = (each for each in self.planned if each.model_name in ("", self.span.stream.model_name))
        return self.settings.calendar((*self.monitor.planned, *own))

    @property
    def settings(self) -> DriftSettings:
        """How to judge."""
        return self.monitor.settings

    @property
    def reference(self) -> StreamSpan | None:
        """The reference rows of the stream's model version."""
        wanted = self.span.stream._replace(environment=REFERENCE)
        return next((span for span in self.spans if span.stream == wanted), None)

    @property
    def reference_state(self) -> tuple[int, int]:
        """What changes with the reference rows: how many there are, and when they were derived."""
        return (self.reference.rows, self.reference.derivation) if self.reference else (0, 0)


@dataclass(frozen=True, slots=True)
class StreamHours:
    """Hours, ascending, as far as they could be read in one piece: those before `end_hour`.

    Args:
        hours: ascending.
        end_hour: hours since the Unix epoch, UTC.
        wanted_hour: as far as they were asked for.
    """

    hours: Sequence[StreamHour]
    end_hour: int
    wanted_hour: int

    def whole(self, stream: Stream) -> Sequence[StreamHour]:
        """Return all hours that were asked for.

        Raises:
            BeingWrittenError: some are missing.
        """
        if self.end_hour < self.wanted_hour:
            raise BeingWrittenError(f"{hour_time(self.end_hour):%Y-%m-%d %H:%M} of {stream} is being derived")
        return self.hours


def read_stream_hours(
    source: StreamSource,
    stream: Stream,
    *,
    first_hour: int,
    end_hour: int,
    segments: Sequence[str] = (),
    also: Iterable[int] = (),
) -> StreamHours:
    """Return a stream's hours in [first_hour, end_hour), up to the first that is not derived in whole.

    An hour without rows is there where the ledger misses an event of it: somebody should know.

    Args:
        source: where to read.
        stream: which.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the same.
        segments: that are read beside the whole traffic.
        also: hours that are there in any case.
    """
    missing = source.ledger.missing(stream, since_hour=first_hour)
    profiles: dict[int, dict[str, HourProfile]] = {}
    unsettled = (each.hour for each in source.unsettled if each.stream == stream and each.hour >= first_hour)
    read = read_segment_hours(
        source.connection,
        stream,
        first_hour=first_hour,
        end_hour=min([end_hour, *unsettled]),
        segments=(WHOLE, *segments),
    )
    whole_hour = min(hours.end_hour for hours in read.values())
    for segment, hours in read.items():
        for profile in hours.profiles:
            if segment == WHOLE or profile.hour in profiles:
                parts = profiles.setdefault(profile.hour, {})
                parts[segment] = without_ignored(profile, source.monitor)
    for hour in (*also, *(hour for hour, count in missing.items() if count >= 1)):
        if first_hour <= hour:
            profiles.setdefault(hour, {WHOLE: HourProfile(hour, 0, {}, {})})
    elsewhere = _elsewhere(source, stream, min(profiles, default=end_hour), whole_hour)
    known = [
        StreamHour(hour, Arrival(parts[WHOLE].rows, missing.get(hour, 0.0)), parts, elsewhere.get(hour, 0.0))
        for hour, parts in sorted(profiles.items())
        if hour < whole_hour
    ]
    return StreamHours(known, whole_hour, end_hour)


def _elsewhere(source: StreamSource, stream: Stream, first_hour: int, end_hour: int) -> Mapping[int, float]:
    """Return how many events the model's other versions had in the same environment, by hour."""
    found: Counter[int] = Counter()
    for span in source.spans:
        if span.stream.model_name != stream.model_name or span.stream.environment != stream.environment:
            continue
        if span.stream != stream and span.first_hour < end_hour and span.last_hour >= first_hour:
            span_hours = {"first_hour": first_hour, "end_hour": end_hour}
            found.update(read_counted_hours(source.connection, span.stream, **span_hours))
    return found


def read_history(
    source: StreamSource, *, first_hour: int, end_hour: int, segments: Sequence[str]
) -> Sequence[StreamHour]:
    """Return the stream's own past and, before it began, that of the model's other versions.

    Of an hour before that, whichever has more rows counts: a stray event of the stream's own replaces none.
    """
    span = source.span
    own = read_all_hours(source, span.stream, first_hour=first_hour, end_hour=end_hour, segments=segments)
    since = began(source, first_hour=first_hour, as_of=end_hour)
    earlier: dict[int, StreamHour] = {hour.hour: hour for hour in own if hour.hour < since}
    for other in source.spans:
        same_model = other.stream._replace(model_version=span.stream.model_version) == span.stream
        if other is span or not same_model:
            continue
        until = min(since, end_hour)
        for hour in read_all_hours(
            source, other.stream, first_hour=first_hour, end_hour=until, segments=segments
        ):
            known = earlier.get(hour.hour)
            if known is None or known.arrived.rows < hour.arrived.rows:
                earlier[hour.hour] = hour
    own = [hour for hour in own if hour.hour >= since]
    return sorted([*earlier.values(), *own], key=lambda hour: hour.hour)


def began(source: StreamSource, *, first_hour: int, as_of: int) -> int:
    """Return since when the stream has a history of its own; where it had one before, ``first_hour``."""
    rows = read_counted_hours(
        source.connection,
        source.span.stream,
        first_hour=max(first_hour - PAUSE_HOURS, 0),
        end_hour=as_of + PAUSE_HOURS,
    )
    return max(begins(rows, as_of), first_hour)


def read_all_hours(
    source: StreamSource, stream: Stream, *, first_hour: int, end_hour: int, segments: Sequence[str]
) -> Sequence[StreamHour]:
    """Return all of a stream's hours, or none of them.

    Raises:
        BeingWrittenError: some are being written.
    """
    if first_hour >= end_hour:
        return ()
    read = read_stream_hours(source, stream, first_hour=first_hour, end_hour=end_hour, segments=segments)
    return read.whole(stream)


def without_ignored(profile: HourProfile, monitor: ModelMonitor[Any]) -> HourProfile:
    """Return an hour without the features that are not judged, so that these take no share of the budget.

    A judge has to be given every hour so: what it remembers, what it judges, and its training reference.
    """
    if not monitor.ignored_features:
        return profile
    return replace(
        profile, numeric=_judged(profile.numeric, monitor), categorical=_judged(profile.categorical, monitor)
    )


def _judged(counts: Mapping[str, Any], monitor: ModelMonitor[Any]) -> dict[str, Any]:
    return {name: count for name, count in counts.items() if not monitor.ignores(name)}
