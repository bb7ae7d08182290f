"""The judges of one stream, and the stored hours that they are fed with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.drift.judge import Judge
from driftline.drift.late import Arrival
from driftline.drift.records import read_episodes
from driftline.errors import StoreError
from driftline.profiles import HourProfile
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours
from driftline.store.verdicts import hour_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.drift.settings import DriftSettings
    from driftline.drift.verdict import Verdict
    from driftline.profiles import Grid
    from driftline.store.ledger import Ledger
    from driftline.store.profiles import Stream, StreamSpan

REFERENCE = "reference"
WHOLE = ""
"""The segment that is the whole traffic."""


class BeingWrittenError(StoreError):
    """Profiles are being written at this moment; in the next one they are whole."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to judge a stream by, at one moment.

    Args:
        client: of the store.
        span: the stream, and its hours.
        spans: all streams.
        ledger: what is missing.
        settings: how to judge.
        is_settled: whether no reference rows are landing at this moment.
    """

    client: Client
    span: StreamSpan
    spans: Sequence[StreamSpan]
    ledger: Ledger
    settings: DriftSettings
    is_settled: bool = True

    @property
    def reference(self) -> StreamSpan | None:
        """The reference rows of the stream's model version."""
        wanted = replace(self.span.stream, environment=REFERENCE)
        return next((span for span in self.spans if span.stream == wanted), None)

    @property
    def reference_rows(self) -> int:
        """How many reference rows there are."""
        return self.reference.rows if self.reference else 0


@dataclass(frozen=True, slots=True)
class StreamHour:
    """One hour of a stream.

    Args:
        hour: hours since the Unix epoch, UTC.
        arrived: how much of it is there.
        profiles: by segment; that of the whole traffic is always there.
    """

    hour: int
    arrived: Arrival
    profiles: Mapping[str, HourProfile]


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
            raise BeingWrittenError(
                f"the profiles of {stream} at {hour_time(self.end_hour):%Y-%m-%d %H:%M} are being written"
            )
        return self.hours


class Panel:
    """A stream's judges. For one thread.

    Args:
        judge: of the whole traffic.
        grids: that it counts on.
        reference_rows: that it was given.
        settings: that it judges by.
    """

    def __init__(
        self, judge: Judge, *, grids: Mapping[str, Grid], reference_rows: int, settings: DriftSettings
    ) -> None:
        self._whole = judge
        self.grids = grids
        self._reference_rows = reference_rows
        self._settings = settings

    def fits(self, ground: Ground) -> bool:
        """Say whether grids, settings and settled reference rows are those that it was built with."""
        return (
            self._settings == ground.settings
            and (not ground.is_settled or self._reference_rows == ground.reference_rows)
            and read_grids(ground.client, ground.span.stream.model_name) == self.grids
        )

    def remember(self, hour: StreamHour) -> None:
        """Take an hour as history, without verdicts."""
        self._whole.remember(hour.profiles[WHOLE], completeness=hour.arrived.completeness)

    def resume(self, verdicts: Sequence[Verdict]) -> None:
        """Take up the episodes of stored verdicts, later than those before; see `read_episodes`."""
        self._whole.resume(verdict for verdict in verdicts if verdict.segment == WHOLE)

    def judge(self, hour: StreamHour) -> Sequence[Verdict]:
        """Judge all windows that end with an hour."""
        return self._whole.judge(hour.profiles[WHOLE], completeness=hour.arrived.completeness)


def build_panel(ground: Ground, *, as_of: int) -> Panel:
    """Build a stream's judges as they were before an hour, from the stored profiles and pages.

    Raises:
        BeingWrittenError: try again.
    """
    stream = ground.span.stream
    grids = read_grids(ground.client, stream.model_name)
    reference = ground.reference
    training: Sequence[HourProfile] = ()
    if reference:
        training = [
            hour.profiles[WHOLE]
            for hour in _read_all(ground, reference.stream, reference.first_hour, reference.last_hour + 1)
        ]
    judge = Judge(
        grids=grids,
        training=training,
        settings=ground.settings,
        identity=f"{stream.model_name}/{stream.model_version}/{stream.environment}",
    )
    panel = Panel(judge, grids=grids, reference_rows=ground.reference_rows, settings=ground.settings)
    for hour in _history(ground, max(as_of - judge.history_hours, 0), as_of):
        panel.remember(hour)
    after = max(as_of - judge.page_history_hours, 0)
    panel.resume(read_episodes(ground.client, stream, after_hour=after, until_hour=as_of))
    return panel


def read_stream_hours(
    ground: Ground, stream: Stream, *, first_hour: int, end_hour: int, also: Iterable[int] = ()
) -> StreamHours:
    """Return a stream's hours in [first_hour, end_hour), up to the first that is being written.

    An hour without rows is there where the ledger misses an event of it: somebody should know.

    Args:
        ground: where to read.
        stream: which.
        first_hour: hours since the Unix epoch, UTC.
        end_hour: the same.
        also: hours that are there in any case.
    """
    missing = ground.ledger.missing(stream, since_hour=first_hour)
    read = read_hours(ground.client, stream, first_hour=first_hour, end_hour=end_hour)
    profiles = {profile.hour: profile for profile in read.profiles}
    for hour in (*also, *(hour for hour, count in missing.items() if count >= 1)):
        if first_hour <= hour < read.end_hour:
            profiles.setdefault(hour, HourProfile(hour, 0, {}, {}))
    hours = [
        StreamHour(hour, Arrival(profiles[hour].rows, missing.get(hour, 0.0)), {WHOLE: profiles[hour]})
        for hour in sorted(profiles)
    ]
    return StreamHours(hours, read.end_hour, end_hour)


def _history(ground: Ground, first_hour: int, end_hour: int) -> Sequence[StreamHour]:
    """Return the stream's own past and, before its first hour, that of the model's other versions."""
    span = ground.span
    own = _read_all(ground, span.stream, first_hour, end_hour)
    earlier: dict[int, StreamHour] = {}
    for other in ground.spans:
        same_model = replace(other.stream, model_version=span.stream.model_version) == span.stream
        if other is span or not same_model:
            continue
        for hour in _read_all(ground, other.stream, first_hour, min(span.first_hour, end_hour)):
            known = earlier.get(hour.hour)
            if known is None or known.arrived.rows < hour.arrived.rows:
                earlier[hour.hour] = hour
    # Before its first row a stream has hours that it is missed in, if any.
    own = [hour for hour in own if hour.hour not in earlier]
    return sorted([*earlier.values(), *own], key=lambda hour: hour.hour)


def _read_all(ground: Ground, stream: Stream, first_hour: int, end_hour: int) -> Sequence[StreamHour]:
    """Return all of a stream's hours, or none of them."""
    if first_hour >= end_hour:
        return ()
    return read_stream_hours(ground, stream, first_hour=first_hour, end_hour=end_hour).whole(stream)
