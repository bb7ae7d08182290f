"""A log of several partitions in memory, whose partitions go from reader to reader at any moment.

Harsher than Kafka: a reader is not notified that a partition is another's now, and learns it when it
intends or commits. Until then it goes on inserting what the other one repeats.
"""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left
from dataclasses import dataclass, field

from driftline.errors import LogMovedError
from driftline.log import Batch
from driftline.wire import PREDICTION, encode_record, schema_of_fingerprint

JANUARY, FEBRUARY = 1_769_860_800_000_000, 1_770_000_000_000_000


def known_schema(ref):
    """Return the schema that a record names by its fingerprint."""
    return schema_of_fingerprint(ref.fingerprint) if ref.fingerprint else None


def record(session, sequence, **fields):
    """Return a prediction's record; every third is of another month than the others."""
    event = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{session}/{sequence}")),
        "event_time": JANUARY if sequence % 3 else FEBRUARY,
        "model_name": session,
        "model_version": "1",
        "training_run_id": "r",
        "session_id": session,
        "sequence": sequence,
        "environment": "production",
        "numeric_features": {"x": float(sequence % 7)},
    }
    return encode_record(PREDICTION, {**event, **fields})


@dataclass
class Partition:
    """Records with their offsets, and where the group is."""

    offsets: list[int] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    may_repeat: set[int] = field(default_factory=set)
    position: int = 0
    intent: tuple[int, int] | None = None
    owner: object = None


class PartitionedLog:
    """Topics with any number of partitions. Safe for threads."""

    url = "memory://"

    def __init__(self, source="memory"):
        self.source = source
        self.lock = threading.RLock()
        self.partitions: dict[tuple[str, int], Partition] = {}
        self.readers: list[PartitionedReader] = []

    def at(self, topic, partition=0) -> Partition:
        return self.partitions.setdefault((topic, partition), Partition())

    def append(self, topic, partition, values, *, gap=0, may_repeat=False, now_s=0.0):
        """Append records, ``gap`` offsets behind the last one."""
        with self.lock:
            held = self.at(topic, partition)
            for value in values:
                offset = (held.offsets[-1] + 1 if held.offsets else 0) + gap
                gap = 0
                if may_repeat:
                    held.may_repeat.add(offset)
                held.offsets.append(offset)
                held.values.append(value)
                held.times_ms.append(int(now_s * 1000))

    def give(self, topic, partition, reader):
        """Make a partition a reader's, whatever others are doing with it."""
        with self.lock:
            self.at(topic, partition).owner = reader

    def lag(self):
        with self.lock:
            return sum(
                len(held.offsets) - bisect_left(held.offsets, held.position)
                for held in self.partitions.values()
            )

    def reader(self, group="lander", topics=()):
        del group, topics
        self.readers.append(PartitionedReader(self))
        return self.readers[-1]

    def writer(self):
        return PartitionedWriter(self)

    def ensure_topics(self, topics):
        del topics


class PartitionedWriter:
    """Appends to the first partition."""

    def __init__(self, log):
        self.append = lambda records: [log.append(each.topic, 0, [each.value]) for each in records]

    def close(self):
        """Nothing is held."""


class PartitionedReader:
    """See ``LogReader``."""

    def __init__(self, log):
        self.log = log

    def partitions(self, topic):
        with self.log.lock:
            return sorted(
                number
                for (name, number), held in self.log.partitions.items()
                if name == topic and held.owner is self
            )

    def fetch(self, topic, partition=0, *, max_records=10_000, max_bytes=1 << 30):
        del max_bytes
        with self.log.lock:
            held = self.log.at(topic, partition)
            if held.owner is not self:
                return None
            start = bisect_left(held.offsets, held.intent[0] if held.intent else held.position)
            end = bisect_left(held.offsets, held.intent[1] + 1) if held.intent else start + max_records
            offsets = held.offsets[start:end]
            if not offsets:
                return None
            first, last = held.intent or (offsets[0], offsets[-1])
            return Batch(
                source=self.log.source,
                topic=topic,
                partition=partition,
                first_offset=first,
                last_offset=last,
                values=held.values[start:end],
                keys=[b""] * len(offsets),
                offsets=offsets,
                timestamps_ms=held.times_ms[start:end],
                may_repeat=frozenset(place for place, at in enumerate(offsets) if at in held.may_repeat),
                repeated=held.intent is not None,
            )

    def _owned(self, batch):
        held = self.log.at(batch.topic, batch.partition)
        bounds = (batch.first_offset, batch.last_offset)
        if held.owner is not self or held.position > bounds[0] or held.intent not in {None, bounds}:
            raise LogMovedError(f"{batch.topic}/{batch.partition}: another reader went on")
        return held

    def intend(self, batch):
        with self.log.lock:
            self._owned(batch).intent = (batch.first_offset, batch.last_offset)

    def commit(self, batch):
        with self.log.lock:
            held = self._owned(batch)
            held.position, held.intent = batch.last_offset + 1, None

    def rewind(self, topic, offset, partition=0):
        with self.log.lock:
            held = self.log.at(topic, partition)
            held.position, held.intent = offset, None

    def stay(self):
        """A partition is taken whether its reader stays or not."""

    def lag(self):
        return {"all": self.log.lag()}

    def close(self):
        """Partitions are given by hand."""
