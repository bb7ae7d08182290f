"""Topics of a test's own on a broker, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from driftline.log.kafka.settings import parse_kafka_url
from driftline.wire import TOPICS
from tests.support.running import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from driftline.log.kafka.settings import KafkaSettings
    from tests.support.kafka import Kafka

PARTITIONS = 3
_QUIET = {"log_level": 2}


class Seen(NamedTuple):
    """A record as a consumer sees it."""

    partition: int
    time_ms: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


class Topics:
    """Topics of one test, distinguished by a prefix.

    Args:
        kafka: a broker that is up.
        spill: folder for what waits.
        topics: to be made at once.
        settings: of the topics.
    """

    def __init__(
        self,
        kafka: Kafka,
        spill: Path,
        topics: Sequence[str] = TOPICS,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.kafka = kafka
        self.prefix = f"t{uuid4().hex[:8]}-"
        self.spill = spill
        self.make(*topics, settings=settings)

    def make(self, *topics: str, settings: dict[str, str] | None = None) -> None:
        """Make topics. Their records' times are the broker's."""
        config = {"message.timestamp.type": "LogAppendTime", **(settings or {})}
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, **_QUIET})
        made = admin.create_topics(
            [NewTopic(self.prefix + topic, PARTITIONS, 1, config=config) for topic in topics]
        )
        for future in made.values():
            future.result(60)
        # A broker learns of a topic, and of how that is kept, a moment after it was made.
        wait_until(lambda: all(self._has(admin, topic, config) for topic in topics), what="the settings")

    def _has(self, admin: AdminClient, topic: str, config: dict[str, str]) -> bool:
        resource = ConfigResource(ConfigResource.Type.TOPIC, self.prefix + topic)
        (answer,) = admin.describe_configs([resource]).values()
        try:
            reported = answer.result(60)
        except KafkaException:
            return False
        return all(reported[name].value == value for name, value in config.items())

    def url(self, **options: object) -> str:
        """Return the log's URL."""
        given = {"topic_prefix": self.prefix, "spill": self.spill, **options}
        query = "&".join(f"{name}={value}" for name, value in given.items())
        return f"kafka://{self.kafka.bootstrap}?{query}"

    def settings(self, **options: object) -> KafkaSettings:
        """Return the log's settings."""
        return parse_kafka_url(self.url(**options), {})

    def read(self, topic: str) -> list[Seen]:
        """Return what stands in a topic, partition by partition, in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap,
                "group.id": "checker",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                **_QUIET,
            }
        )
        name = self.prefix + topic
        consumer.assign(
            [TopicPartition(name, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)]
        )
        seen: list[Seen] = []
        ended = 0
        while ended < PARTITIONS:
            message = consumer.poll(10.0)
            assert message is not None, f"{name} can't be read"
            if message.error():
                ended += 1
            else:
                time_ms = message.timestamp()[1]
                headers = message.headers() or []
                seen.append(Seen(message.partition(), time_ms, message.key(), message.value(), headers))
        consumer.close()
        return sorted(seen, key=lambda one: one.partition)  # Stable: within a partition as they stand.

    def values(self, topic: str) -> list[bytes]:
        """Return the records' values."""
        return [seen.value for seen in self.read(topic)]
