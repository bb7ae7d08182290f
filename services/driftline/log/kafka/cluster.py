"""What is asked of a cluster besides appending and fetching: topics, ends, positions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import NewTopic, OffsetSpec  # type: ignore[attr-defined]  # it re-exports them

from driftline.errors import LogError
from driftline.log.kafka.clients import admin_config, log_error, make_admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka.admin import AdminClient

    from driftline.log.kafka.settings import KafkaSettings

TIMEOUT_S: Final = 10.0
"""How long to wait for an answer of the cluster."""

_POLL_S = 0.05
_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID})
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})

Place = tuple[str, int]
"""A topic, as this log calls it, and a partition."""


class Cluster:
    """One cluster, asked through one client, made when it is needed. Safe to use from several threads.

    Each method may block for TIMEOUT_S, and raises LogError when the cluster does not answer or refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._admin: AdminClient | None = None

    def topics(self) -> dict[str, int]:
        """Return this log's topics, and how many partitions each has."""
        try:
            listed = self._client().list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self._error(error, "can't list topics") from error
        ours = {self.settings.topic(name): topic for name, topic in listed.items()}
        return {
            name: len(topic.partitions)
            for name, topic in sorted(ours.items(), key=lambda item: item[0] or "")
            if name and topic.error is None and not name.startswith("__")
        }

    def create_topics(self, topics: Sequence[str]) -> None:
        """Create those of the topics that are not there, and wait until they can be used."""
        missing = [topic for topic in dict.fromkeys(topics) if topic not in self.topics()]
        if not missing:
            return
        settings = self.settings
        wanted = [
            NewTopic(settings.broker_topic(topic), settings.partitions, settings.replication)
            for topic in missing
        ]
        for name, answer in self._client().create_topics(wanted, request_timeout=TIMEOUT_S).items():
            try:
                answer.result()
            except KafkaException as error:
                self._check_creation(name, error)
        end = time.monotonic() + TIMEOUT_S
        while not set(missing) <= set(self.topics()):
            if time.monotonic() > end:
                raise LogError(f"{settings.bootstrap}: topics {missing} were created, but are not there yet")
            time.sleep(_POLL_S)

    def _check_creation(self, name: str, error: KafkaException) -> None:
        code = error.args[0].code()
        if code in _FORBIDDEN:
            raise LogError(
                f"{self.settings.bootstrap}: topic {name} is not there, and this user may not create it: "
                "create it, or allow CREATE on it"
            ) from error
        if code != KafkaError.TOPIC_ALREADY_EXISTS:  # Another process was faster.
            raise self._error(error, f"can't create topic {name}") from error

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return each topic's id, which no other topic ever has; those that are not there are left out."""
        names = {self.settings.broker_topic(topic): topic for topic in topics}
        ids = {}
        answers = self._client().describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
        for name, answer in answers.items():
            try:
                # As Kafka's own tools write it, and fit for a URL.
                ids[names[name]] = str(answer.result().topic_id).replace("+", "-").replace("/", "_")
            except KafkaException as error:
                if error.args[0].code() not in _ABSENT:
                    raise self._error(error, f"can't describe topic {name}") from error
        return ids

    def cluster_id(self) -> str:
        """Return the cluster's id."""
        try:
            return str(self._client().list_topics(timeout=TIMEOUT_S).cluster_id)
        except KafkaException as error:
            raise self._error(error, "can't ask for the cluster's id") from error

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the first offset that is still kept, by topic and partition."""
        spec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # its package types most, not this
        return self._offsets(places, spec, IsolationLevel.READ_UNCOMMITTED)

    def ends(self, places: Iterable[Place], *, readable: bool = True) -> dict[Place, int]:
        """Return the offset behind the last record, or behind the last one that can be read by now."""
        level = IsolationLevel.READ_COMMITTED if readable else IsolationLevel.READ_UNCOMMITTED
        spec = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # as above
        return self._offsets(places, spec, level)

    def _offsets(self, places: Iterable[Place], spec: OffsetSpec, level: IsolationLevel) -> dict[Place, int]:
        asked = {self.partition(place): spec for place in places}
        if not asked:
            return {}
        answers = self._client().list_offsets(asked, isolation_level=level, request_timeout=TIMEOUT_S)
        offsets = {}
        for partition, answer in answers.items():
            try:
                offsets[self.place(partition)] = int(answer.result().offset)
            except KafkaException as error:
                raise self._error(error, f"can't ask for the offsets of {partition.topic}") from error
        return offsets

    def positions(self, group: str) -> dict[Place, int]:
        """Return the committed offsets of a group, in this log's topics."""
        asked = [ConsumerGroupTopicPartitions(self.settings.broker_group(group))]
        (answer,) = self._client().list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S).values()
        try:
            partitions = answer.result().topic_partitions
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise self._error(error, f"can't ask for the positions of group {group}") from error
        return {
            self.place(partition): partition.offset
            for partition in partitions
            if partition.offset >= 0 and self.settings.topic(partition.topic)
        }

    def set_position(self, group: str, place: Place, offset: int, note: str) -> None:
        """Set a committed offset of a group that has no members now."""
        name = self.settings.broker_group(group)
        wanted = [ConsumerGroupTopicPartitions(name, [self.partition(place, offset, note)])]
        (answer,) = self._client().alter_consumer_group_offsets(wanted, request_timeout=TIMEOUT_S).values()
        try:
            errors = [partition.error for partition in answer.result().topic_partitions if partition.error]
        except KafkaException as error:
            raise self._error(
                error, f"can't set the position of group {name}: it may have readers"
            ) from error
        if errors:
            raise log_error(errors[0], f"can't set the position of group {name}: it may have readers")

    def partition(self, place: Place, offset: int | None = None, note: str | None = None) -> TopicPartition:
        """Return a partition as librdkafka names it."""
        arguments: dict[str, Any] = {} if offset is None else {"offset": offset}
        if note is not None:
            arguments["metadata"] = note
        return TopicPartition(self.settings.broker_topic(place[0]), place[1], **arguments)

    def place(self, partition: TopicPartition) -> Place:
        """Return a partition as this log names it."""
        return self.settings.topic(partition.topic) or "", partition.partition

    def close(self) -> None:
        """Let go of the client; it comes back when it is needed again."""
        self._admin = None

    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = make_admin(admin_config(self.settings))
        return self._admin

    def _error(self, error: KafkaException, doing: str) -> LogError:
        return log_error(error, f"{self.settings.bootstrap}: {doing}")


def lag(
    positions: Mapping[Place, int], starts: Mapping[Place, int], ends: Mapping[Place, int]
) -> dict[str, int]:
    """Return how many offsets lie between positions, or starts where there is none, and ends, by topic."""
    lags: dict[str, int] = {}
    for place, end in ends.items():
        behind = max(0, end - max(positions.get(place, 0), starts[place]))
        lags[place[0]] = lags.get(place[0], 0) + behind
    return lags
