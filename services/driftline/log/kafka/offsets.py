"""Where logs begin and end, and where a group is: what can be asked without being a member of it.

It is asked through a consumer that joins no group and fetches nothing, and so has connections of its own: on
those of a member, an answer would wait behind the fetch that is on its way.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from driftline.errors import LogError
from driftline.log.kafka.clients import Troubles, asking_config, described, make_consumer
from driftline.log.kafka.cluster import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import Consumer

    from driftline.log.kafka.cluster import Cluster, Place

# Kafka's own names for the begin and the end of a log, where it is asked for the offset of a time.
_BEGIN, _END = -2, -1
_MANY_MESSAGES = 100
_HAS_READERS = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


class Offsets:
    """Asks for offsets, on behalf of a group. For one thread at a time.

    Each method may block for TIMEOUT_S, and raises LogError when the cluster does not answer or refuses.
    """

    def __init__(self, cluster: Cluster, group: str) -> None:
        self._cluster = cluster
        self._group = group
        self._consumer: Consumer | None = None
        self._troubles = Troubles()

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the first offset that is still kept, by topic and partition."""
        return self._at(places, _BEGIN)

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset behind the last record that can be read by now, by topic and partition."""
        return self._at(places, _END)

    def positions(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the group's committed offsets, of those places that have one."""
        partitions = [self._cluster.partition(place) for place in places]
        if not partitions:
            return {}
        with self._asking(f"can't ask where group {self._group} is") as consumer:
            answers = consumer.committed(partitions, timeout=TIMEOUT_S)
            for answer in answers:
                if answer.error:
                    raise KafkaException(answer.error)
            return {self._cluster.place(answer): answer.offset for answer in answers if answer.offset >= 0}

    def set_position(self, place: Place, offset: int, note: str) -> None:
        """Commit an offset of a group that has no readers now."""
        self.positions([place])  # A commit would wait much longer for a coordinator that does not answer.
        with self._asking(f"can't set the position of group {self._group}") as consumer:
            wanted = [self._cluster.partition(place, offset, note)]
            try:
                done = consumer.commit(offsets=wanted, asynchronous=False)
                errors = [partition.error for partition in done or () if partition.error]
            except KafkaException as error:
                errors = [error.args[0]]
            if errors and errors[0].code() in _HAS_READERS:
                raise LogError(
                    f"the position of group {self._group} can't be set while it has readers: stop them first"
                )
            if errors:
                raise KafkaException(errors[0])

    def close(self) -> None:
        """Let go of the client; it comes back when it is needed again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _at(self, places: Iterable[Place], time_ms: int) -> dict[Place, int]:
        partitions = [self._cluster.partition(place, time_ms) for place in places]
        if not partitions:
            return {}
        with self._asking("can't ask where its logs begin and end") as consumer:
            answers = consumer.offsets_for_times(partitions, timeout=TIMEOUT_S)
            for answer in answers:
                if answer.error:
                    raise KafkaException(answer.error)
                if answer.offset < 0:
                    raise LogError(
                        f"{answer.topic}, partition {answer.partition}: the broker tells no offset"
                    )
        return {self._cluster.place(answer): answer.offset for answer in answers}

    @contextmanager
    def _asking(self, failing: str) -> Iterator[Consumer]:
        if self._consumer is None:
            config = asking_config(self._cluster.settings, self._group)
            self._troubles = config["error_cb"]
            self._consumer = make_consumer(config)
        try:
            yield self._consumer
            self._consumer.poll(0)  # It may have something to say, which would pile up.
        except KafkaException as error:
            for message in self._consumer.consume(_MANY_MESSAGES, 0):
                if (trouble := message.error()) is not None:
                    self._troubles(trouble)
            self.close()
            where = self._cluster.settings.bootstrap
            raise LogError(f"{where}: {failing}: {described(error)}{self._troubles.before}") from error


def lag(
    positions: Mapping[Place, int], starts: Mapping[Place, int], ends: Mapping[Place, int]
) -> dict[str, int]:
    """Return how many offsets lie between positions, or starts where there is none, and ends, by topic."""
    lags: dict[str, int] = {}
    for place, end in ends.items():
        behind = max(0, end - max(positions.get(place, 0), starts[place]))
        lags[place[0]] = lags.get(place[0], 0) + behind
    return lags
