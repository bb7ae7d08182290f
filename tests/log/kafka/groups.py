"""A topic and a group of a test's own: records put where a test wants them, and readers of several kinds.

As a program, a reader that can be killed or stopped: ``python groups.py URL``; it answers each line that it
reads from its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from driftline.errors import LogError
from driftline.log import open_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.log import Batch
    from driftline.log.kafka.reader import KafkaReader

TOPIC = "driftline.predictions"
GROUP = "lander"


class Stage:
    """A topic and a group, distinguished from those of other tests by a prefix.

    Args:
        bootstrap: brokers.
        partitions: of the topic.
        options: of the log's URL.
    """

    def __init__(self, bootstrap: str, partitions: int = 1, **options: object) -> None:
        self.prefix = f"t{uuid4().hex[:12]}."
        given = {"topic_prefix": self.prefix, "group_prefix": self.prefix, "spill": "off", **options}
        query = "&".join(f"{name}={value}" for name, value in given.items())
        self.url = f"kafka://{bootstrap}?{query}"
        self.log = open_log(f"{self.url}&partitions={partitions}", {})
        self.log.ensure_topics([TOPIC])
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._bootstrap = bootstrap

    @property
    def broker_topic(self) -> str:
        return self.prefix + TOPIC

    def reader(self) -> KafkaReader:
        return self.log.reader(GROUP, [TOPIC])

    def put(self, values: Iterable[bytes], partition: int = 0, **options: object) -> None:
        """Append values to a partition, and wait until they are there."""
        producer = Producer({"bootstrap.servers": self._bootstrap, "log_level": 2})
        for value in values:
            producer.produce(self.broker_topic, value, b"key", partition=partition, **options)
        assert producer.flush(60) == 0

    def transaction(self, values: Iterable[bytes]) -> Producer:
        """Append values in a transaction, which is left open."""
        producer = Producer(
            {"bootstrap.servers": self._bootstrap, "transactional.id": self.prefix, "log_level": 2}
        )
        producer.init_transactions(10)
        producer.begin_transaction()
        for value in values:
            producer.produce(self.broker_topic, value, partition=0)
        producer.flush(60)
        return producer

    def delete_before(self, offset: int, partition: int = 0) -> None:
        """Delete the oldest records, as retention does."""
        wanted = [TopicPartition(self.broker_topic, partition, offset)]
        for answer in self.admin.delete_records(wanted).values():
            answer.result(60)

    def make_quick(self, *, session_ms: int = 1_000) -> None:
        """Have the group notice sooner that a member is gone, or another one there."""
        settings = {"consumer.session.timeout.ms": session_ms, "consumer.heartbeat.interval.ms": 200}
        entries = [
            ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        group = ConfigResource(ConfigResource.Type.GROUP, self.prefix + GROUP, incremental_configs=entries)
        for answer in self.admin.incremental_alter_configs([group]).values():
            answer.result(60)

    def members(self) -> int:
        """Return how many readers are in the group."""
        name = self.prefix + GROUP
        return len(self.admin.describe_consumer_groups([name])[name].result(60).members)

    def other_process(self) -> Reading:
        return Reading(self.url)


class Reading:
    """A reader in a process of its own."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, __file__, url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, request: str) -> None:
        """Tell it what to do next: fetch, intend or commit."""
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()

    def answer(self) -> list[object]:
        """Return what it answers: the batch's token and values, or the name of an error."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, request: str) -> list[object]:
        self.tell(request)
        return self.answer()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def wait_for(holds: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


def fetched(reader: KafkaReader, partition: int = 0, timeout_s: float = 60.0) -> Batch:
    """Return a batch, as soon as the log answers, the partition is the reader's and has one."""
    batch = None

    def fetch() -> bool:
        nonlocal batch
        with suppress(LogError):
            batch = reader.fetch(TOPIC, partition)
        return batch is not None

    wait_for(fetch, timeout_s)
    assert batch is not None
    return batch


def main() -> None:
    """Read as commanded."""
    reader = open_log(sys.argv[1], {}).reader(GROUP, [TOPIC])
    batch: Batch | None = None
    for line in sys.stdin:
        answer: list[object]
        try:
            match line.strip():
                case "fetch":
                    batch = reader.fetch(TOPIC, max_records=5)
                case "stay":
                    reader.stay()
                case request:
                    getattr(reader, request)(batch)
            answer = [] if batch is None else [batch.token, [value.decode() for value in batch.values]]
        except LogError as error:
            print(f"{line.strip()}: {error}", file=sys.stderr, flush=True)  # noqa: T201  where a test fails
            answer = [type(error).__name__]
        print(json.dumps(answer), flush=True)  # noqa: T201  its answer


if __name__ == "__main__":
    main()
