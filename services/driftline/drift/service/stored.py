"""What the drift worker exports of the store: read no more often than it can change, or anybody needs it."""

from __future__ import annotations

from collections import Counter
from operator import add
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import HOUR_S
from driftline.domain.names import is_answer
from driftline.domain.streams import REFERENCE
from driftline.drift.hours import WHOLE
from driftline.drift.service.declared import DeclaredExport
from driftline.drift.service.export import by_version, serving
from driftline.drift.service.metrics import (
    CHANGED,
    COMPLETENESS,
    DISK_FREE,
    DISK_SIZE,
    DROPPED,
    INCIDENT,
    INCIDENTS,
    INVALID,
    NEWEST,
    SET_ASIDE,
    UNREGISTERED,
)
from driftline.printable import printable
from driftline.store.disk import read_fullest_disk
from driftline.store.drops import read_drops
from driftline.store.incidents import read_incidents
from driftline.store.invalid import recent_invalid
from driftline.store.recent import count_unregistered, read_arrived
from driftline.store.set_aside import read_late
from driftline.store.verdicts import last_judged_hour, read_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.domain.verdicts import Verdict
    from driftline.failing import Failing
    from driftline.metrics import Metrics
    from driftline.registry.policy import Policy
    from driftline.store.connection import Connection
    from driftline.store.drops import Drops
    from driftline.store.profiles import StreamSpan

RECENT_HOURS = 24
"""What is exported of the last hours is of so many, by the model's own time."""

_INCIDENTS_GAP_S = 10.0
_ARRIVED_GAP_S = 30.0
_CURRENT = ("open", "dismissed", "accepted")
_RUNS_GAP_S = 60.0
_LONGEST_FINDING = 240
_DISK_GAP_S = 300.0
_DECLARED_GAP_S = 15.0


class Pace:
    """Says when to read something again: once it may have changed, and not too soon.

    Args:
        gap_s: the least time between two readings.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._may_have_changed = True
        self._read_s = float("-inf")

    def change(self) -> None:
        """Note that it may have changed."""
        self._may_have_changed = True

    def hurry(self) -> None:
        """Note that it has changed, and has to be read at once."""
        self._may_have_changed, self._read_s = True, float("-inf")

    def is_due(self, now_s: float) -> bool:
        """Return whether to read it, at a time by a clock that never goes back."""
        return self._may_have_changed and now_s - self._read_s >= self._gap_s

    def done(self, now_s: float) -> None:
        """Note that it was read."""
        self._may_have_changed, self._read_s = False, now_s


class StoredExport:
    """Exports what the store holds of what is served. For one thread.

    What is read of a stream is read again once the stream has moved. One that cannot be read holds up none.

    Args:
        metrics: a process's metrics, with the worker's table.
        failing: takes what fails of one stream.
        policy: what becomes of versions that nobody registered.
    """

    def __init__(
        self, metrics: Metrics, failing: Failing[tuple[str, Stream]], policy: Policy | None = None
    ) -> None:
        self._metrics = metrics
        self._failing = failing
        self._incidents, self._arrived = Pace(_INCIDENTS_GAP_S), Pace(_ARRIVED_GAP_S)
        self._runs, self._disk = Pace(_RUNS_GAP_S), Pace(_DISK_GAP_S)
        self._declared = Pace(_DECLARED_GAP_S)
        self._declared_export = DeclaredExport(metrics, policy)
        self._moved_models: set[str] = set()
        self._latest: dict[Stream, tuple[int, Sequence[Verdict]]] = {}
        self._known = {what: _Known() for what in ("arrived", "runs")}
        self._late: dict[Stream, int] | None = None
        self.incidents: Sequence[Incident] = ()
        """The incidents that go on, or did and were called noise or accepted, as they were read last."""
        self.dropping: Sequence[Stream] = ()
        """Streams that are not served, as far as is known, but drop what they are given."""

    def has_received(self) -> None:
        """Note that an incident was acknowledged: that is exported at once."""
        self._incidents.hurry()

    def has_landed(self, moved: Iterable[Stream] = ()) -> None:
        """Note that something has landed, or was acknowledged, and which streams it moved."""
        moved = list(moved)
        self._moved_models |= {stream.model_name for stream in moved}
        for pace in (self._incidents, self._arrived, self._runs, self._declared):
            pace.change()
        for known in self._known.values():
            known.drop(moved)

    def is_due(self, now_s: float) -> bool:
        """Return whether there is anything to be read by now."""
        paces = (self._incidents, self._arrived, self._runs, self._declared, self._disk)
        return any(pace.is_due(now_s) for pace in paces)

    def latest(self, connection: Connection, stream: Stream, *, next_hour: int) -> Sequence[Verdict]:
        """Return the verdicts on a stream's windows that ended last, for a process that has given none yet.

        Args:
            connection: to the store.
            stream: which.
            next_hour: that is judged next, hours since the Unix epoch; while it stays, they are read once.
        """
        known = self._latest.get(stream)
        if known is None or known[0] != next_hour:
            end = last_judged_hour(connection, stream)
            found = () if end is None else read_windows(connection, stream, first_end=end, last_end=end)
            known = self._latest[stream] = next_hour, [one for one in found if one.segment == WHOLE]
        return known[1]

    @property
    def projects(self) -> Mapping[str, str]:
        """The project of each registered model, as it was read last; empty: it is in none."""
        return self._declared_export.projects

    def refresh(
        self,
        connection: Connection,
        served: Sequence[Stream],
        newest_hour: Mapping[str, int],
        *,
        now_s: float,
        has_judged: bool,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read and export what is due.

        Args:
            connection: to the store.
            served: streams to be exported.
            newest_hour: of each model, hours since the Unix epoch.
            now_s: the time, by a clock that never goes back.
            has_judged: whether verdicts were just given: what they page is exported at once.
            goes_on: is asked between two streams; once it says no, the rest is left.
        """
        since = {stream: newest_hour[stream.model_name] - RECENT_HOURS + 1 for stream in served}
        if has_judged or self._incidents.is_due(now_s):
            self.incidents = read_incidents(connection, states=_CURRENT)
            export_incidents(self._metrics, self.incidents, served)
            self._incidents.done(now_s)
        if self._arrived.is_due(now_s):
            self._export_drops(connection, since, goes_on)
            newest = {stream: newest_hour[stream.model_name] for stream in served}
            self._metrics.replace(INVALID, recent_invalid(connection, newest))
            self._arrived.done(now_s)
            self._try_again("arrived", since, self._arrived)
        if self._runs.is_due(now_s):
            counts = self._read(
                "runs",
                since,
                goes_on,
                lambda stream, hour: count_unregistered(connection, stream, since_hour=hour),
            )
            self._metrics.replace(UNREGISTERED, by_version(counts.items(), add))
            self._runs.done(now_s)
            self._try_again("runs", since, self._runs)
        if self._declared.is_due(now_s):
            moved, self._moved_models = self._moved_models, set()
            ends_by_itself = self._declared_export.refresh(connection, served, since, moved)
            self._declared.done(now_s)
            if ends_by_itself:
                self._declared.change()
        if self._disk.is_due(now_s):
            _export_disk(self._metrics, connection)
            self._disk.done(now_s)
            self._disk.change()  # Others write to it, too, while nothing lands.

    def _read(
        self,
        what: str,
        since: Mapping[Stream, int],
        goes_on: Callable[[], bool],
        read: Callable[[Stream, int], Any],
    ) -> Mapping[Stream, Any]:
        """Return what is known of streams since an hour each, read again of those that moved."""
        known = self._known[what]
        for stream, hour in since.items():
            is_wanted = known.hours.get(stream) != hour and self._failing.is_due((what, stream))
            if is_wanted and goes_on():
                with self._failing.apart((what, stream), **stream._asdict(), step=what):
                    known.take(stream, hour, read(stream, hour))
        return {stream: known.found[stream] for stream in since if stream in known.found}

    def _try_again(self, what: str, since: Mapping[Stream, int], pace: Pace) -> None:
        """Have what could not be read of a stream read again, though nothing lands."""
        if any(self._known[what].hours.get(stream) != hour for stream, hour in since.items()):
            pace.change()

    def _export_drops(
        self,
        connection: Connection,
        since: Mapping[Stream, int],
        goes_on: Callable[[], bool],
    ) -> None:
        """Export what arrived and what was dropped, also of streams of which nothing else is known."""
        drops = [each for each in read_drops(connection) if each.stream.environment != REFERENCE]
        productive = serving([*since, *(each.stream for each in drops)])
        exported = [
            each for each in drops if each.stream in productive and (each.is_recent or each.stream in since)
        ]
        self.dropping = [each.stream for each in exported if each.stream not in since]
        recent = {
            each.stream: int(each.newest.timestamp()) // 3600 - RECENT_HOURS + 1
            for each in exported
            if each.is_recent
        }
        arrived = self._read(
            "arrived",
            {**recent, **since},
            goes_on,
            lambda stream, hour: read_arrived(connection, stream, since_hour=hour, hours=RECENT_HOURS),
        )
        ratios = ((stream, found.ratio) for stream, found in arrived.items())
        newest = ((stream, float(found.newest_s)) for stream, found in arrived.items() if found.newest_s)
        self._metrics.replace(COMPLETENESS, by_version(ratios, min))
        self._metrics.replace(NEWEST, by_version(newest, max))
        export_drops(self._metrics, exported)

    def export_set_aside(
        self, connection: Connection, spans: Collection[StreamSpan], late: Collection[Stream]
    ) -> None:
        """Export how many events of production were set aside, of the streams given.

        Args:
            connection: to the store.
            spans: to be reported.
            late: those of which more events may have come too late.
        """
        if self._late is None:
            self._late = dict(read_late(connection))
        elif late:
            self._late |= read_late(connection, late)
        series: dict[tuple[str, ...], float] = {}
        for span in spans:
            counts = {"future": span.future, "old": span.old, "late": self._late.get(span.stream, 0)}
            for reason, count in counts.items():
                names = (*span.stream[:2], reason)
                series[names] = series.get(names, 0.0) + count
        self._metrics.replace(SET_ASIDE, series)


class _Known:
    """What was read of streams, and since which hour; what moved is kept as it was, and read again."""

    def __init__(self) -> None:
        self.found: dict[Stream, Any] = {}
        self.hours: dict[Stream, int] = {}

    def take(self, stream: Stream, hour: int, found: Any) -> None:
        self.found[stream], self.hours[stream] = found, hour

    def drop(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            self.hours.pop(stream, None)


def export_drops(metrics: Metrics, drops: Sequence[Drops]) -> None:
    """Export what was dropped of streams, and which values were left out or rounded."""
    dropped: Counter[tuple[str, ...]] = Counter()
    changed: Counter[tuple[str, ...]] = Counter()
    for each in drops:
        names = (each.stream.model_name, each.stream.model_version)
        dropped.update({(*names, reason): count for reason, count in each.dropped.items()})
        for outcome, counts in (("left_out", each.unencodable), ("rounded", each.rounded)):
            changed.update({(*names, name, outcome): count for name, count in counts.items()})
    metrics.replace(DROPPED, {names: float(count) for names, count in dropped.items()})
    metrics.replace(CHANGED, {names: float(count) for names, count in changed.items()})


def export_incidents(metrics: Metrics, incidents: Sequence[Incident], served: Sequence[Stream]) -> None:
    """Export since when each incident that needs somebody lasts, under its gravest finding."""
    since: dict[tuple[str, ...], float] = {}
    found: dict[tuple[str, ...], float] = {}
    streams = set(served)
    for incident in incidents:
        if incident.state == "open" and incident.stream in streams:
            first = incident.findings[0]
            kind = "prediction" if is_answer(first.feature) else "data"
            place = (*incident.stream[:2], incident.incident_id)
            since[*place, first.segment, first.feature, kind] = float(incident.since * HOUR_S)
            found[incident.incident_id, shortened(incident.headline)] = 1.0
    metrics.replace(INCIDENTS, since)
    metrics.replace(INCIDENT, found)


def shortened(text: str) -> str:
    """Return a text as a label holds it: values of any length may stand in it."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_FINDING else f"{shown[: _LONGEST_FINDING - 3]}..."


def _export_disk(metrics: Metrics, connection: Connection) -> None:
    disk = read_fullest_disk(connection)
    if disk is not None:
        metrics.set(DISK_FREE, disk.free)
        metrics.set(DISK_SIZE, disk.size)
