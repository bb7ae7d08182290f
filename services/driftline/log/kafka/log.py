"""An event log in topics of an Apache Kafka cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from driftline.log.kafka.clients import check_options
from driftline.log.kafka.cluster import Cluster
from driftline.log.kafka.forward import open_registry
from driftline.log.kafka.reader import KafkaReader
from driftline.log.kafka.relay import Relay
from driftline.log.kafka.scan import KafkaScan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.log.kafka.settings import KafkaSettings


class KafkaLog:
    """A log on a cluster. Clients are made when they are needed; making this touches no network.

    Args:
        settings: which cluster, and how to speak with it.

    Raises:
        SettingError: librdkafka does not know an option, or not its value.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        check_options(settings)
        self.settings = settings
        self._cluster = Cluster(settings)
        self._registry = open_registry(settings)
        self._opened: list[KafkaReader | KafkaScan | Relay] = []

    @property
    def url(self) -> str:
        """Where the log is, as it was given; it holds no secrets."""
        return self.settings.url

    def ensure_topics(self, topics: Sequence[str]) -> None:
        """Create those of the topics that are not there, and wait until they can be used.

        Partitions and copies are those of the settings; how long records are kept is up to the brokers.

        Raises:
            SettingError: a topic is compacted, or keeps records for less than an hour.
            LogError: the cluster does not answer, or this user may not create topics.
        """
        self._cluster.create_topics(topics)

    def writer(self) -> Relay:
        """Return a writer."""
        writer = Relay(self.settings)
        self._opened.append(writer)
        return writer

    def without_spill(self) -> KafkaLog:
        """Return the same log, whose writers fail where the cluster takes nothing."""
        return KafkaLog(replace(self.settings, spill=None))

    def reader(self, group: str, topics: Sequence[str]) -> KafkaReader:
        """Return a reader of that group, which joins it when it is first used."""
        reader = KafkaReader(self._cluster, group, topics)
        self._opened.append(reader)
        return reader

    def scan(self, topic: str) -> KafkaScan:
        """Return what reads a topic from its beginning on."""
        scan = KafkaScan(self._cluster, topic)
        self._opened.append(scan)
        return scan

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that there are, of those with this log's prefix.

        Raises:
            LogError: the cluster does not answer.
        """
        return list(self._cluster.topics())

    def writer_schema(self, schema_id: int) -> str | None:
        """Return, as JSON, the schema that has an id in the registry; None: there is none.

        Raises:
            LogError: the registry is away.
        """
        return None if self._registry is None else self._registry.schema_text(schema_id)

    def close(self) -> None:
        """Close everything that came from this log."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
