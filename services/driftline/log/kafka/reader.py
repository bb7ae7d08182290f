"""Reads topics of a cluster on behalf of a group, each intended range exactly again.

A position is a committed offset. An intent stands beside it, in the commit's metadata: the offset is
committed unchanged, with the range that is about to be processed. Whoever gets the partition next reads both.

Brokers forget the positions of a group that has had no member for ``offsets.retention.minutes``, seven days
unless configured; then it begins with the oldest record again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from driftline.errors import LogError, LogMovedError
from driftline.log.kafka.member import Member
from driftline.log.kafka.note import Note, parse_note
from driftline.log.kafka.offsets import Offsets, lag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.log.base import Batch
    from driftline.log.kafka.buffer import PartitionBuffer
    from driftline.log.kafka.cluster import Cluster, Place

BUFFER_BYTES: Final = 64 << 20
"""How much of all partitions together may wait in Python, besides the batch that is being fetched."""

_TRIES = 3
_FETCH_S = 10.0
_WAIT_S = 0.1
_LAG_EVERY_S = 1.0

_logger = logging.getLogger(__name__)


class KafkaReader:
    """A member of a consumer group. See ``LogReader``. Joins the group when it is first used.

    Args:
        cluster: where the topics are.
        group: name of the group, without the prefix that it has on the broker.
        topics: what it reads.
        clock: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._topics = list(topics)
        self._clock = clock
        self._member = Member(cluster, group, topics, clock)
        self._offsets = Offsets(cluster, group)
        self._bounds: tuple[float, dict[Place, int], dict[Place, int]] | None = None

    @property
    def protocol(self) -> str:
        """The group protocol that it speaks: ``consumer`` or ``classic``; known once it has joined."""
        return self._member.protocol

    @property
    def held_bytes(self) -> int:
        """How much of all partitions together waits in Python."""
        return sum(buffer.held_bytes for buffer in self._member.buffers.values())

    def partitions(self, topic: str) -> Sequence[int]:
        """Return the partitions of a topic that are this reader's now, rising.

        The first call joins the group and waits for a few seconds at most.

        Raises:
            LogError: the log can't be used now.
        """
        self._member.join()
        self._take(None, 0)
        return sorted(partition for name, partition in self._member.buffers if name == topic)

    def fetch(
        self, topic: str, partition: int = 0, *, max_records: int = 10_000, max_bytes: int = 16 << 20
    ) -> Batch | None:
        """Return the next records, or the intended range again, or None when there are none now.

        Blocks until what is in the log by now is here, or fills the batch: for 10 s at most.

        Raises:
            LogError: the log can't be used now, or was cut behind the group's position.
        """
        for _ in range(_TRIES):
            try:
                return self._fetch((topic, partition), max_records, max_bytes)
            except _AstrayError as error:
                _logger.warning("%s", error, extra={"topic": topic, "partition": partition})
                self._member.leave()
        raise LogError(f"{topic}, partition {partition}: records are deleted faster than they are read")

    def _fetch(self, place: Place, max_records: int, max_bytes: int) -> Batch | None:
        self._member.join()
        self._take(None, 0)
        buffer = self._member.buffers.get(place)
        if buffer is None:
            return None
        self._know(buffer)
        if buffer.intent is None:
            filled = self._fill(buffer, lambda: buffer.fills(max_records, max_bytes))
            return buffer.next_batch(max_records, max_bytes) if filled else None
        first, last = buffer.intent
        if not self._fill(buffer, lambda: buffer.reached > last):
            return None
        if buffer.reached <= last:
            raise LogError(
                f"{buffer.place}: the log ends at {buffer.reached}, within the range {first}-{last}"
            )
        return buffer.intended_batch(first, last)

    def _fill(self, buffer: PartitionBuffer, enough: Callable[[], bool]) -> bool:
        """Take in records until there are enough, or all that are in the log by now.

        Returns whether the partition is still this reader's.
        """
        deadline = self._clock() + _FETCH_S
        end: int | None = None
        while not enough() and (end is None or buffer.reached < end):
            reached = buffer.reached
            if buffer.is_to_seek:
                self._member.seek(buffer)
            self._take(buffer, 0 if end is None else _WAIT_S)
            if self._member.buffers.get(buffer.place) is not buffer:
                return False
            if buffer.is_astray:
                raise _AstrayError(
                    f"{buffer.place}: offset {buffer.reached} was deleted before it was read, or the log "
                    "was cut there; joining anew, to see where the group is"
                )
            if end is None and buffer.reached == reached:
                end = self._offsets.ends([buffer.place])[buffer.place]
                if buffer.is_asleep and buffer.reached < end:
                    self._member.wake(buffer)
            if self._clock() > deadline:
                if buffer.intent is None and buffer.held_bytes:
                    break
                raise LogError(f"{buffer.place}: records from {buffer.reached} on do not come; they should")
        return True

    def _take(self, wanted: PartitionBuffer | None, timeout_s: float) -> None:
        """Take in what came; no more of partitions of which enough waits already, but for the wanted one."""
        buffers = list(self._member.buffers.values())
        share = BUFFER_BYTES // max(1, len(buffers))
        flowing = [
            buffer
            for buffer in buffers
            if buffer.is_known and not buffer.is_to_seek and (buffer is wanted or buffer.held_bytes < share)
        ]
        self._member.pause([buffer for buffer in buffers if buffer not in flowing], paused=True)
        self._member.pause(flowing, paused=False)
        self._member.take(timeout_s)

    def _know(self, wanted: PartitionBuffer) -> None:
        """Ask where the group is in the partitions of which that is not known.

        Raises:
            LogError: it can't be known of the wanted one.
        """
        if wanted.is_known:
            return
        places = [place for place, buffer in self._member.buffers.items() if not buffer.is_known]
        committed = self._member.committed(places)
        sources = self._cluster.sources({topic for topic, _ in places})
        places = [place for place in places if place[0] in sources]
        starts, ends = self._offsets.starts(places), self._offsets.ends(places)
        for place in places:
            try:
                self._begin(place, sources[place[0]], committed[place], (starts[place], ends[place]))
            except LogError:
                if place == wanted.place:
                    raise
        if not wanted.is_known:
            raise LogError(f"topic {wanted.place[0]} is not there any more")

    def _begin(
        self, place: Place, source: str, committed: tuple[int | None, str], bounds: tuple[int, int]
    ) -> None:
        position, note = committed[0], parse_note(committed[1])
        start, end = bounds
        if note is not None and note.topic_id != _topic_id(source):
            _logger.warning(
                "%s was created anew since group %s read it: reading from the beginning",
                *(place, self._group),
                extra={"topic": place[0], "partition": place[1], "group": self._group},
            )
            position = note = None
        if position is not None and position > end:
            raise LogError(
                f"{place[0]}, partition {place[1]}: group {self._group} is at {position}, but the log ends "
                f"at {end}: the cluster has lost records that it had acknowledged. Set the position to where "
                "the group is to go on, by rewinding"
            )
        self._member.buffers[place].begin(source, position, note.intent if note else None, start)

    def intend(self, batch: Batch) -> None:
        """Record durably that the batch is about to be processed, without moving the position.

        Blocks for 5 s while the cluster does not answer; for 45 s if it stops answering just now.

        Raises:
            LogMovedError: another reader of the group was faster, or the partition is not this reader's now.
            LogError: the log can't be used now.
        """
        buffer = self._owned(batch)
        bounds = batch.first_offset, batch.last_offset
        position = batch.first_offset if buffer.position is None else buffer.position
        self._member.commit(buffer, position, Note(_topic_id(batch.source), bounds))
        buffer.position, buffer.intent = position, bounds

    def commit(self, batch: Batch) -> None:
        """Move the position past the batch and clear the intent, in one step. Blocks as ``intend``.

        Raises:
            LogMovedError: as ``intend``.
            LogError: as ``intend``.
        """
        buffer = self._owned(batch)
        self._member.commit(buffer, batch.last_offset + 1, Note(_topic_id(batch.source)))
        buffer.move(batch.last_offset + 1)

    def _owned(self, batch: Batch) -> PartitionBuffer:
        """Return the buffer of a batch, after a look at what the group has committed.

        Any member may commit any partition, as far as a broker is concerned. So this reader looks whether the
        partition is its own. It stays so until it polls, or until its session is over: then the broker
        refuses what it commits.
        """
        buffer = self._member.buffers.get((batch.topic, batch.partition))
        if buffer is None:
            raise LogMovedError(f"{batch.topic}: partition {batch.partition} is not this reader's now")
        self._know(buffer)
        if batch.source != buffer.source:
            raise LogMovedError(f"{batch.topic}: the topic was created anew since the batch was fetched")
        position, text = self._member.committed([buffer.place])[buffer.place]
        note = parse_note(text)
        intent = note.intent if note and note.topic_id == _topic_id(batch.source) else None
        if (position, intent) != (buffer.position, buffer.intent):
            buffer.forget()
        bounds = batch.first_offset, batch.last_offset
        if (position is not None and position > batch.first_offset) or intent not in {None, bounds}:
            raise LogMovedError(
                f"{batch.topic}, partition {batch.partition}: another reader of group {self._group!r} is at "
                f"{position} with intent {intent}, not at {bounds}"
            )
        self._know(buffer)
        return buffer

    def stay(self) -> None:
        """Say that this reader still lives, and take in no further records. Raises nothing."""
        try:
            self._member.pause(list(self._member.buffers.values()), paused=True)
            self._member.take(0)
        except LogError as error:
            _logger.warning("%s: %s", self._group, error, extra={"group": self._group})

    def positions(self) -> Mapping[tuple[str, int], int]:
        """Return the offset to be read next, by topic and partition, for each that the group has read.

        Raises:
            LogError: the log can't be used now.
        """
        return self._offsets.positions(self._all_places())

    def lag(self) -> Mapping[str, int]:
        """Return how many offsets lie between the group's position and the end, by topic.

        Over this reader's partitions, with ends that were asked for within the last second; over all
        partitions as long as it has not joined.

        Raises:
            LogError: the log can't be used now.
        """
        if not self._member.has_joined:
            places = self._all_places()
            positions = self._offsets.positions(places)
            return lag(positions, self._offsets.starts(places), self._offsets.ends(places))
        for buffer in self._member.buffers.values():
            self._know(buffer)
        places = list(self._member.buffers)
        starts, ends = self._bounds_of(places)
        known = {place: buffer.position for place, buffer in self._member.buffers.items()}
        here = {place: position for place, position in known.items() if position is not None}
        return dict.fromkeys(self._topics, 0) | lag(here, starts, ends)

    def _bounds_of(self, places: list[Place]) -> tuple[dict[Place, int], dict[Place, int]]:
        now_s = self._clock()
        asked = self._bounds
        if asked is None or now_s > asked[0] + _LAG_EVERY_S or set(asked[2]) != set(places):
            asked = now_s, self._offsets.starts(places), self._offsets.ends(places)
            self._bounds = asked
        return asked[1], asked[2]

    def _all_places(self) -> list[Place]:
        counts = self._cluster.topics()
        return [(topic, at) for topic in self._topics for at in range(counts.get(topic, 0))]

    def rewind(self, topic: str, offset: int, partition: int = 0) -> None:
        """Set the position, forwards or backwards, and forget an intent.

        A reader that has not joined can do so only while the group has no readers.

        Raises:
            LogError: the log can't be used now, or the group has readers, and this one not that partition.
        """
        place = topic, partition
        sources = self._cluster.sources([topic])
        if topic not in sources:
            raise LogError(f"topic {topic} is not there")
        note = Note(_topic_id(sources[topic]))
        buffer = self._member.buffers.get(place)
        if buffer is None:
            self._offsets.set_position(place, max(0, offset), str(note))
        else:
            self._member.commit(buffer, max(0, offset), note)
            buffer.forget()

    def close(self) -> None:
        """Leave the group."""
        self._member.leave()
        self._offsets.close()


class _AstrayError(LogError):
    """The log does not have what was to be fetched next."""


def _topic_id(source: str) -> str:
    return source.rpartition(":")[2]
