"""What is asked of a cluster about topics.

Each question has a client of its own, which is gone when it is answered. One that nobody uses would pile up
what it has to tell while a broker is away. And nothing is asked about groups here: when a broker goes away
meanwhile, that ends the process (an assertion of librdkafka up to 2.16 at least, ``eonce->refcnt > 0``).
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it re-exports some of it
    ConfigResource,
    NewTopic,
    ResourceType,
)

from driftline.errors import LogError, SettingError
from driftline.log.kafka.clients import admin_config, described, make_admin
from driftline.wire import KEPT_TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from confluent_kafka.admin import AdminClient

    from driftline.log.kafka.settings import KafkaSettings

TIMEOUT_S: Final = 5.0
"""How long to wait for an answer of the cluster."""

CREATION_TIMEOUT_S: Final = 20.0
"""How long to wait for topics that are being created."""

LEAST_KEPT_MS: Final = 3_600_000
"""A topic keeps its records for an hour at least: what is deleted before it was landed is lost."""

_POLL_S = 0.05
_FOR_GOOD: Final = MappingProxyType({"retention.ms": "-1", "retention.bytes": "-1"})
_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID})
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})

_logger = logging.getLogger("driftline.log.kafka")

Place = tuple[str, int]
"""A topic, as this log calls it, and a partition."""


class Cluster:
    """One cluster. Safe to use from several threads.

    Each method may block for TIMEOUT_S, or CREATION_TIMEOUT_S where topics are created. It raises LogError
    when the cluster does not answer, or refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._warned: set[str] = set()

    def topics(self) -> dict[str, int]:
        """Return this log's topics, and how many partitions each has."""
        with self._admin("can't list topics") as admin:
            return self._topics(admin)

    def create_topics(self, topics: Sequence[str]) -> None:
        """Create those of the topics that are not there, and wait until they can be used.

        Raises:
            SettingError: one that is there loses records before they can be landed.
        """
        settings = self.settings
        with self._admin("can't create topics") as admin:
            there = self._topics(admin)
            self._check_kept(admin, [topic for topic in dict.fromkeys(topics) if topic in there])
            missing = [topic for topic in dict.fromkeys(topics) if topic not in there]
            if not missing:
                return
            wanted = [
                NewTopic(
                    settings.broker_topic(topic),
                    settings.partitions,
                    settings.replication,
                    config=dict(_FOR_GOOD) if topic in KEPT_TOPICS else {},
                )
                for topic in missing
            ]
            for name, answer in admin.create_topics(wanted, request_timeout=CREATION_TIMEOUT_S).items():
                try:
                    answer.result()
                except KafkaException as error:
                    self._check_creation(name, error)
            end = time.monotonic() + CREATION_TIMEOUT_S
            while not set(missing) <= set(self._topics(admin)):
                if time.monotonic() > end:
                    raise LogError(f"{settings.bootstrap}: {missing} were created, but are not there yet")
                time.sleep(_POLL_S)

    def sources(self, topics: Iterable[str]) -> dict[str, str]:
        """Return what no other topic of any cluster ever is called; those that are not there are left out."""
        names = {self.settings.broker_topic(topic): topic for topic in topics}
        sources = {}
        with self._admin("can't ask which topics these are") as admin:
            cluster_id = admin.list_topics(timeout=TIMEOUT_S).cluster_id
            answers = admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
            for name, answer in answers.items():
                try:
                    topic_id = str(answer.result().topic_id)
                except KafkaException as error:
                    if error.args[0].code() not in _ABSENT:
                        raise
                else:
                    # As Kafka's own tools write it, and fit for a URL.
                    sources[names[name]] = f"{cluster_id}:{topic_id}".replace("+", "-").replace("/", "_")
        return sources

    def partition(self, place: Place, offset: int | None = None, note: str | None = None) -> TopicPartition:
        """Return a partition as librdkafka names it."""
        arguments: dict[str, Any] = {} if offset is None else {"offset": offset}
        if note is not None:
            arguments["metadata"] = note
        return TopicPartition(self.settings.broker_topic(place[0]), place[1], **arguments)

    def place(self, partition: TopicPartition) -> Place:
        """Return a partition as this log names it."""
        return self.settings.topic(partition.topic) or "", partition.partition

    @contextmanager
    def _admin(self, failing: str) -> Iterator[AdminClient]:
        config = admin_config(self.settings)
        admin = make_admin(config)
        try:
            yield admin
        except KafkaException as error:
            admin.poll(0)  # It tells there what it met on its way.
            before = config["error_cb"].before
            raise LogError(f"{self.settings.bootstrap}: {failing}: {described(error)}{before}") from error

    def _topics(self, admin: AdminClient) -> dict[str, int]:
        listed = admin.list_topics(timeout=TIMEOUT_S).topics
        ours = {self.settings.topic(name): topic for name, topic in sorted(listed.items())}
        return {
            name: len(topic.partitions)
            for name, topic in ours.items()
            if name and topic.error is None and not name.startswith("__")
        }

    def _check_kept(self, admin: AdminClient, topics: Sequence[str]) -> None:
        """Refuse topics that lose records by their settings. What this user may not see is not looked at."""
        names = [ConfigResource(ResourceType.TOPIC, self.settings.broker_topic(topic)) for topic in topics]
        for name, answer in (
            admin.describe_configs(names, request_timeout=TIMEOUT_S) if names else {}
        ).items():
            try:
                settings = {entry.name: str(entry.value) for entry in answer.result().values()}
            except KafkaException as error:
                if error.args[0].code() in {*_FORBIDDEN, *_ABSENT}:
                    continue
                raise
            if "compact" in settings.get("cleanup.policy", ""):
                raise SettingError(
                    f"{self.settings.bootstrap}: topic {name.name} is compacted (cleanup.policy="
                    f"{settings['cleanup.policy']}), which drops all but the last record of a session: set "
                    "cleanup.policy=delete"
                )
            self._look_for_good(name.name, settings)
            kept_ms = int(settings.get("retention.ms", "-1"))
            if 0 <= kept_ms < LEAST_KEPT_MS:
                raise SettingError(
                    f"{self.settings.bootstrap}: topic {name.name} keeps records for {kept_ms / 1000:,.0f} s "
                    f"(retention.ms={kept_ms}); landers may be away for longer: set an hour at least"
                )

    def _look_for_good(self, name: str, settings: Mapping[str, str]) -> None:
        """Warn, once, of a topic that is read from its beginning and deletes that: what lands goes on."""
        finite = [f"{key}={settings[key]}" for key in _FOR_GOOD if settings.get(key, "-1") != "-1"]
        if self.settings.topic(name) in KEPT_TOPICS and finite and name not in self._warned:
            self._warned.add(name)
            _logger.warning(
                "%s: topic %s deletes old records (%s), and is read from its beginning: set %s",
                *(self.settings.bootstrap, name, ", ".join(finite)),
                " and ".join(f"{key}=-1" for key in _FOR_GOOD),
                extra={"topic": name},
            )

    def _check_creation(self, name: str, error: KafkaException) -> None:
        code = error.args[0].code()
        if code in _FORBIDDEN:
            raise LogError(
                f"{self.settings.bootstrap}: topic {name} is not there, and this user may not create it: "
                "create it, or allow CREATE on it"
            ) from error
        if code != KafkaError.TOPIC_ALREADY_EXISTS:  # Another process was faster.
            raise error
