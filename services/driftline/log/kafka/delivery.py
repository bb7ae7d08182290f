"""Records on their way to a cluster, and how far each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.log.base import Run, runs_of
from driftline.wire import SESSIONS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.log.base import Record

_WAITING, _SENT, _DELIVERED, _GIVEN_UP = range(4)


class Delivery:
    """Records on their way, and how far each of them is. Made by a Sender, for one thread at a time.

    Args:
        records: in the order in which they are to stand in their partitions.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records: Sequence[Record] = records if isinstance(records, Run) else list(records)
        self.error = ""
        self.in_flight = 0
        self.unsure: set[int] = set()
        """Places of records that may be in the log already."""
        self._states = bytearray(len(self.records))
        self._next = 0

    @property
    def is_done(self) -> bool:
        """Whether each record was delivered, or can never be."""
        return self._first_waiting() == len(self.records) and not self.in_flight

    @property
    def is_stalled(self) -> bool:
        """Whether records are left of which none is on its way: ``error`` says why. See ``Sender.retry``."""
        return bool(self.error) and not self.in_flight and not self.is_done

    def remaining(self) -> list[Record]:
        """Return what is not known to be delivered, in order; with ``may_repeat`` where it may have been."""
        return [
            record._replace(may_repeat=True) if state == _SENT or place in self.unsure else record
            for place, (record, state) in enumerate(zip(self.records, self._states, strict=True))
            if state in {_WAITING, _SENT}
        ]

    def stage(self, max_bytes: int) -> Sequence[int]:
        """Return the places of what may be sent now. A heartbeat waits until all before it is delivered.

        Args:
            max_bytes: bound of their size; there is one record at least.
        """
        if self._is_one_stage(max_bytes):
            return range(len(self.records))
        stage: list[int] = []
        has_events = False
        for place in range(self._first_waiting(), len(self.records)):
            if self._states[place] != _WAITING:
                continue
            record = self.records[place]
            is_heartbeat = record.topic == SESSIONS_TOPIC
            max_bytes -= len(record.value)
            if stage and ((is_heartbeat and has_events) or max_bytes < 0):
                break
            stage.append(place)
            has_events = has_events or not is_heartbeat
        return stage

    def _is_one_stage(self, max_bytes: int) -> bool:
        """Return whether everything may be sent at once, as it nearly always may."""
        runs = [(topic, values) for topic, _, values in runs_of(self.records)]
        has_heartbeats = any(topic == SESSIONS_TOPIC for topic, _ in runs)
        size = sum(sum(map(len, values)) for _, values in runs)
        return not any(self._states) and not has_heartbeats and size <= max_bytes

    def sent(self, places: Sequence[int]) -> None:
        """Note that librdkafka has taken records."""
        if places and places[-1] - places[0] + 1 == len(places):  # As they nearly always are.
            self._states[places[0] : places[-1] + 1] = bytes((_SENT,)) * len(places)
        else:
            for place in places:
                self._states[place] = _SENT
        self.in_flight += len(places)

    def delivered(self) -> None:
        """Note that the broker has every record that is on its way."""
        self._states = self._states.replace(bytes((_SENT,)), bytes((_DELIVERED,)))
        self.in_flight = 0

    def is_on_its_way(self, place: int) -> bool:
        """Return whether librdkafka has a record."""
        return self._states[place] == _SENT

    def failed(self, place: int, error: str, *, may_be_there: bool) -> None:
        """Note that a record has to be sent again."""
        self._leave(place, _WAITING)
        self.error = error
        if may_be_there:
            self.unsure.add(place)

    def refused(self, place: int) -> None:
        """Note that a record has to be sent again, in smaller company."""
        self._leave(place, _WAITING)

    def give_up(self, place: int) -> None:
        """Note that a record can never be delivered."""
        self._leave(place, _GIVEN_UP)

    def _leave(self, place: int, state: int) -> None:
        self.in_flight -= self._states[place] == _SENT
        self._states[place] = state
        self._next = min(self._next, place)

    def _first_waiting(self) -> int:
        """Return the first place that is not settled, nor on its way; the number of records if none is."""
        place = self._states.find(_WAITING, self._next)
        self._next = len(self.records) if place < 0 else place
        return self._next
