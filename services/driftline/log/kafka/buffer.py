"""One partition that is this reader's: the group's position in it, and the records fetched beyond."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from driftline.log.base import Batch
from driftline.log.kafka.sender import MAY_REPEAT_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from driftline.log.kafka.cluster import Place

_RECORD_BYTES = 300  # What Python adds to a record that waits here.


class PartitionBuffer:
    """A partition as far as it is known here. Until ``begin`` nothing is known, and nothing is taken in.

    Attributes:
        place: topic and partition.
        source: identity of the topic.
        position: the group's committed offset; None when there is none.
        intent: first and last offset of the range that is being processed.
        reached: every record below that is not read yet waits here, or is lost.
        is_known: whether all this is so.
        is_to_seek: whether librdkafka still has to be positioned there.
        is_astray: whether librdkafka has given up, since the log does not have what was to be fetched.
        is_paused: whether librdkafka fetches nothing of it.
        is_asleep: whether it was resumed, and nothing has come yet.
        held_bytes: about how much memory the waiting records take.
    """

    __slots__ = (
        "_lost",
        "_messages",
        "_offsets",
        "held_bytes",
        "intent",
        "is_asleep",
        "is_astray",
        "is_known",
        "is_paused",
        "is_to_seek",
        "place",
        "position",
        "reached",
        "source",
    )

    def __init__(self, place: Place) -> None:
        self.place = place
        self.is_paused = False
        self.is_asleep = False
        self.forget()

    def forget(self) -> None:
        """Know nothing any more, since somebody else may have gone on here."""
        self.source = ""
        self.position: int | None = None
        self.intent: tuple[int, int] | None = None
        self.reached = 0
        self.is_known = False
        self.is_to_seek = False
        self.is_astray = False
        self.held_bytes = 0
        self._messages: list[Message] = []
        self._offsets: list[int] = []
        self._lost: list[range] = []

    def begin(self, source: str, position: int | None, intent: tuple[int, int] | None, start: int) -> None:
        """Know where the group is; ``start`` is the first offset that is still kept."""
        self.forget()
        self.source, self.position, self.intent = source, position, intent
        self.reached = start if position is None else intent[0] if intent else position
        if self.reached < start:
            self._lost.append(range(self.reached, start))
            self.reached = start
        self.is_known = self.is_to_seek = True

    def take(self, messages: Iterable[Message]) -> None:
        """Take in what was fetched, in order. What is here already is left out."""
        for message in messages:
            offset = message.offset()
            if offset is not None and offset >= self.reached:
                self._messages.append(message)
                self._offsets.append(offset)
                self.held_bytes += len(message) + _RECORD_BYTES
                self.reached = offset + 1
                self.is_asleep = False

    def reach(self, offset: int) -> None:
        """Note that there is no further record below an offset."""
        self.reached = max(self.reached, offset)
        self.is_asleep = False

    def fills(self, max_records: int, max_bytes: int) -> bool:
        """Return whether the records that wait here fill a batch."""
        return len(self._messages) >= max_records or (
            self.held_bytes >= max_bytes and sum(map(len, self._messages)) >= max_bytes
        )

    def next_batch(self, max_records: int, max_bytes: int) -> Batch | None:
        """Return the next records; None when none waits."""
        count, room = 0, max_bytes
        for message in self._messages[: max(1, max_records)]:
            room -= len(message)
            if room < 0 and count:
                break
            count += 1
        if not count:
            return None
        first, last = self._offsets[0], self._offsets[count - 1]
        return self._batch(count, (first, last), first if self.position is None else self.position)

    def intended_batch(self, first: int, last: int) -> Batch:
        """Return what is left of an intended range; all of it has been reached."""
        return self._batch(bisect_right(self._offsets, last), (first, last), first, repeated=True)

    def _batch(self, count: int, bounds: tuple[int, int], start: int, *, repeated: bool = False) -> Batch:
        topic, partition = self.place
        messages = self._messages[:count]
        return Batch(
            source=self.source,
            topic=topic,
            partition=partition,
            first_offset=bounds[0],
            last_offset=bounds[1],
            values=[message.value() or b"" for message in messages],
            keys=[message.key() or b"" for message in messages],
            offsets=self._offsets[:count],
            timestamps_ms=[message.timestamp()[1] for message in messages],
            may_repeat=frozenset(at for at, message in enumerate(messages) if _may_repeat(message)),
            missing_count=sum(
                max(0, min(lost.stop, bounds[1] + 1) - max(lost.start, start)) for lost in self._lost
            ),
            repeated=repeated,
        )

    def move(self, position: int) -> None:
        """Note that the group has committed, and let go of what lies before."""
        self.position, self.intent = position, None
        count = bisect_left(self._offsets, position)
        self.held_bytes -= sum(len(message) + _RECORD_BYTES for message in self._messages[:count])
        del self._messages[:count], self._offsets[:count]
        self._lost = [
            range(max(lost.start, position), lost.stop) for lost in self._lost if lost.stop > position
        ]
        if self.reached < position:
            self.reached = position
            self.is_to_seek = True


def _may_repeat(message: Message) -> bool:
    headers = message.headers()
    return bool(headers) and any(header[0] == MAY_REPEAT_HEADER for header in headers or ())
