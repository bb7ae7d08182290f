"""Reading a topic of a cluster from its beginning on, as a member of no group.

A partition is assigned to the scan by itself, so that thousands of processes may read the same one without a
coordinator; the user needs READ on the topic, and no right to a group.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from driftline.errors import LogError
from driftline.log.base import Batch
from driftline.log.kafka.clients import Troubles, asking_config, described, make_consumer
from driftline.log.kafka.cluster import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, Message

    from driftline.log.kafka.cluster import Cluster

READ_S: Final = 20.0
"""How long one call may take."""

_WAIT_S = 0.1
_LOOK_S = 60.0
_END = -1  # Kafka's own name for the end of a log, where it is asked for the offset of a time.
_STEP_RECORDS = 5_000
_SCAN = "scan"


class KafkaScan:
    """Goes through a topic's partitions. See ``LogScan``. For one thread at a time.

    Args:
        cluster: where the topic is.
        topic: which.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._consumer: Consumer | None = None
        self._troubles = Troubles()
        self._source = ""
        self._next: dict[int, int] = {}
        self._there = 0
        self._next_look_s = 0.0

    def read(self) -> Sequence[Batch]:
        """Return what came since the last call. Blocks for the cluster, for some seconds at most.

        Raises:
            LogError: the cluster does not answer, or this user may not read the topic.
        """
        try:
            return self._read()
        except KafkaException as error:
            before = self._troubles.before
            raise self._failed(f"{described(error)}{before}") from error

    def _read(self) -> Sequence[Batch]:
        there = self._partitions()
        if not there:
            return []
        self._source = self._source or self._cluster.sources([self._topic]).get(self._topic, "")
        consumer = self._open()
        places = [self._cluster.partition((self._topic, number)) for number in range(there)]
        new = [place for place in places if place.partition not in self._next]
        for place in new:
            place.offset = OFFSET_BEGINNING
        if new:
            consumer.incremental_assign(new)
        found = self._fetch(consumer, self._ends(consumer, there))
        return [self._batch(partition, messages) for partition, messages in sorted(found.items())]

    def _partitions(self) -> int:
        """Return how many there are; asked now and then, since each question has a client of its own."""
        now_s = time.monotonic()
        if not self._there or now_s >= self._next_look_s:
            self._there = self._cluster.topics().get(self._topic, 0)
            self._next_look_s = now_s + _LOOK_S
        return self._there

    def _ends(self, consumer: Consumer, there: int) -> dict[int, int]:
        asked = [self._cluster.partition((self._topic, number), _END) for number in range(there)]
        answers = consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        for answer in answers:
            if answer.error:
                raise KafkaException(answer.error)
        return {answer.partition: answer.offset for answer in answers}

    def _open(self) -> Consumer:
        if self._consumer is None:
            config = asking_config(self._cluster.settings, _SCAN)
            self._troubles = config["error_cb"]
            self._consumer = make_consumer(
                {**config, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
            )
            self._next = {}
        return self._consumer

    def _fetch(self, consumer: Consumer, ends: dict[int, int]) -> dict[int, list[Message]]:
        """Return the records below these ends, by partition."""
        reached = {partition: self._next.get(partition, 0) for partition in ends}
        found: dict[int, list[Message]] = defaultdict(list)
        give_up_s = time.monotonic() + READ_S
        while any(reached[partition] < end for partition, end in ends.items()):
            if time.monotonic() > give_up_s:
                raise self._failed(f"it did not give all within {READ_S:.0f} s{self._troubles.before}")
            for message in consumer.consume(_STEP_RECORDS, _WAIT_S):
                partition, offset = message.partition() or 0, message.offset() or 0
                if (error := message.error()) is None:
                    found[partition].append(message)
                    reached[partition] = offset + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's own are named so
                    reached[partition] = max(offset, reached.get(partition, 0))
                elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED or error.fatal():
                    raise self._failed(described(error))
                else:
                    self._troubles(error)
        self._next.update(reached)
        return found

    def _batch(self, partition: int, messages: list[Message]) -> Batch:
        offsets = [message.offset() or 0 for message in messages]
        return Batch(
            source=self._source,
            topic=self._topic,
            partition=partition,
            first_offset=offsets[0],
            last_offset=offsets[-1],
            values=[message.value() or b"" for message in messages],
            keys=[message.key() or b"" for message in messages],
            offsets=offsets,
            timestamps_ms=[message.timestamp()[1] for message in messages],
        )

    def _failed(self, reason: str) -> LogError:
        """Let go of the client, so that the next call begins anew; return what to raise."""
        self.close()
        return LogError(f"{self._cluster.settings.bootstrap}: can't read {self._topic}: {reason}")

    def close(self) -> None:
        """Close the client."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()
