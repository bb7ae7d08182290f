"""One member of a consumer group: joined when it is needed, and anew after it was put out."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from driftline.errors import LogMovedError
from driftline.log.kafka.buffer import PartitionBuffer
from driftline.log.kafka.clients import Troubles, consumer_config, described, log_error, make_consumer
from driftline.log.kafka.unanswered import STATISTICS_EVERY_MS, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Consumer, Message

    from driftline.log.kafka.cluster import Cluster, Place
    from driftline.log.kafka.note import Note

ANSWER_TIMEOUT_S: Final = 5.0
"""How long to wait for the group's coordinator."""

_JOIN_S: Final[Mapping[str, float]] = {
    "consumer": 2.0,  # The answer to the first heartbeat tells what is free.
    "classic": 6.0,  # The broker may hold the first member back for 3 s, to see whether others come.
}
_STEP_RECORDS = 5_000
_LEAVE_S = 3.0
_QUIET_POLLS = 2
_POLL_S = 0.05
_WAKE_S = 0.5
_MOVED = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.GROUP_ID_NOT_FOUND,
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001  librdkafka's own errors are named so
    }
)
# Others join or leave, and this member does not know yet; what it has not given back is still its own.
_SETTLING = frozenset({KafkaError.STALE_MEMBER_EPOCH, KafkaError.REBALANCE_IN_PROGRESS})
_UNSETTLED = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""A broker that has just started refuses with these what it will do a moment later."""

_ASTRAY = frozenset(
    {
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001  as above
        KafkaError._LOG_TRUNCATION,  # noqa: SLF001  as above
    }
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
_NO_CONSUMER_PROTOCOL = ("API version not supported", "feature not supported")

_logger = logging.getLogger(__name__)


class Member:
    """A member of a group. For one thread at a time.

    Partitions come and go while ``take`` and ``join`` run, and at no other moment.

    Attributes:
        buffers: the partitions that are this member's now.

    Args:
        cluster: where the group is.
        group: its name.
        topics: what it reads.
        clock: seconds of a clock that never goes back.
    """

    def __init__(
        self, cluster: Cluster, group: str, topics: Sequence[str], clock: Callable[[], float]
    ) -> None:
        self.buffers: dict[Place, PartitionBuffer] = {}
        self._cluster = cluster
        self._group = group
        self._topics = list(topics)
        self._clock = clock
        self._consumer: Consumer | None = None
        self._forced = cluster.settings.options.get("group.protocol", "")
        self.protocol = self._forced.lower() or "consumer"
        self._settled = False
        self._reported_absent = False
        self._troubles = Troubles(clock)
        self._unanswered = Unanswered()

    @property
    def has_joined(self) -> bool:
        """Whether it is in the group, as far as it knows."""
        return self._consumer is not None

    def join(self) -> None:
        """Join the group, if that is to be done, and wait a few seconds for partitions.

        Does nothing while none of the topics is there. Leaves first, if the coordinator had left something
        unanswered and is back.

        Raises:
            LogError: the cluster does not answer, or does not let this member in.
        """
        if self._unanswered.is_over:
            context = {"group": self._group}
            _logger.info("%s: the coordinator answers again; joining anew", self._group, extra=context)
            self.leave()
        if self._settled:
            return
        if self._consumer is None:
            there = self._cluster.topics()
            if not any(topic in there for topic in self._topics):
                self._tell_absent()
                return
            self._subscribe()
        begin_s = self._clock()
        while not self.buffers and self._clock() < begin_s + _JOIN_S[self.protocol]:
            self.take(_POLL_S)
        if not self.buffers:
            self._cluster.topics()  # Is it that others have them all, or does nobody answer?
        self._settled = True

    def _tell_absent(self) -> None:
        if not self._reported_absent:
            _logger.warning(
                "%s: group %s waits for topics that are not there, or that this user may not see: %s",
                *(self._cluster.settings.bootstrap, self._group, ", ".join(self._topics)),
                extra={"group": self._group, "topics": list(self._topics)},
            )
        self._reported_absent = True

    def _subscribe(self) -> None:
        settings = self._cluster.settings
        config = consumer_config(settings, self._group, self.protocol)
        self._troubles = config["error_cb"]
        if self.protocol == "consumer":
            config |= {"stats_cb": self._unanswered, "statistics.interval.ms": STATISTICS_EVERY_MS}
        self._consumer = make_consumer(config)
        self._consumer.subscribe(
            [settings.broker_topic(topic) for topic in self._topics],
            on_assign=self._gain,
            on_revoke=self._give,
            on_lost=self._give,
        )

    def _gain(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            # Where to begin is asked outside of this callback, which must not fail; until then it is paused.
            # An offset that may be gone would end librdkafka's fetching for good.
            partition.offset = OFFSET_BEGINNING
            place = self._cluster.place(partition)
            self.buffers[place] = PartitionBuffer(place)
            self.buffers[place].is_paused = True
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)
            ours = [f"{topic}/{partition}" for topic, partition in sorted(self.buffers)]
            context = {"group": self._group, "partitions": ours}
            _logger.info("%s: partitions %s are ours now", self._group, ours, extra=context)

    def _give(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        del consumer
        for partition in partitions:
            self.buffers.pop(self._cluster.place(partition), None)

    def take(self, timeout_s: float) -> None:
        """Take in what has been fetched and what the group decided; wait for some of it at most so long.

        Raises:
            LogError: this member may not read, or it has been put out for good and will join anew.
        """
        if self._consumer is None:
            return
        try:
            messages = self._consumer.consume(1, timeout_s) if timeout_s > 0 else []
            messages += self._consumer.consume(_STEP_RECORDS, 0)
        except KafkaException as error:
            self.leave()
            raise log_error(error, f"{self._cluster.settings.bootstrap}: can't read") from error
        self.sort(messages)

    def sort(self, messages: list[Message]) -> None:
        """Give each message to its partition, and look at what is none."""
        buffer, current = None, None
        run: list[Message] = []
        refused: KafkaError | None = None
        for message in messages:
            partition = message.topic(), message.partition()
            if (error := message.error()) is not None or partition != current:
                if buffer is not None:
                    buffer.take(run)
                run, current = [], partition
                buffer = self._buffer(*partition)
                if error is not None:
                    refused = self._note_error(error, buffer, message.offset()) or refused
                    current = None
                    continue
            run.append(message)
        if buffer is not None:
            buffer.take(run)
        if refused is not None:
            self._refuse(refused)

    def _buffer(self, broker_topic: str | None, partition: int | None) -> PartitionBuffer | None:
        """Return the buffer of a message; None where it is about none, or of before a seek to come."""
        topic = self._cluster.settings.topic(broker_topic or "")
        buffer = self.buffers.get((topic or "", -1 if partition is None else partition))
        return buffer if buffer is not None and buffer.is_known and not buffer.is_to_seek else None

    def _note_error(
        self, error: KafkaError, buffer: PartitionBuffer | None, offset: int | None
    ) -> KafkaError | None:
        """Note what an event says that is no record; return it if it ends the reading."""
        code = error.code()
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's own errors are named so
            if buffer is not None and offset is not None:
                buffer.reach(offset)
        elif code in _ASTRAY:
            if buffer is not None:
                buffer.is_astray = True
        elif error.fatal() or code == KafkaError._FATAL or code in _FORBIDDEN:  # noqa: SLF001  as above
            return error
        else:
            self._troubles(error)
        return None

    def _refuse(self, error: KafkaError) -> None:
        self.leave()
        if self.protocol == "consumer" and not self._forced and _names(error, _NO_CONSUMER_PROTOCOL):
            context = {"group": self._group}
            _logger.info("%s: the brokers know only the classic group protocol", self._group, extra=context)
            self.protocol = "classic"
            self._subscribe()
            return
        raise log_error(error, f"{self._cluster.settings.bootstrap}: group {self._group} can't read")

    def committed(self, places: Sequence[Place]) -> dict[Place, tuple[int | None, str]]:
        """Return committed offset, None where there is none, and what stands beside it.

        Raises:
            LogError: the group's coordinator does not answer.
        """
        doing = f"{self._cluster.settings.bootstrap}: can't ask where group {self._group} is"
        end = self._clock() + ANSWER_TIMEOUT_S
        while True:
            try:
                answers = self._joined().committed(
                    [self._cluster.partition(place) for place in places], timeout=ANSWER_TIMEOUT_S
                )
                break
            except KafkaException as error:
                if error.args[0].code() not in _UNSETTLED or self._clock() >= end:
                    raise log_error(error, doing) from error
            time.sleep(_POLL_S)
        if errors := [answer.error for answer in answers if answer.error]:
            raise log_error(errors[0], doing)
        return {
            self._cluster.place(answer): (
                answer.offset if answer.offset >= 0 else None,
                answer.metadata or "",
            )
            for answer in answers
        }

    def commit(self, buffer: PartitionBuffer, offset: int, note: Note) -> None:
        """Commit an offset as this member, and wait until that is done.

        Raises:
            LogMovedError: this member is none any more.
            LogError: it is not known whether it is done. This member has left, so that a request that is
                still on its way is refused when it arrives.
        """
        place = buffer.place
        end = self._clock() + ANSWER_TIMEOUT_S
        while error := self._try_commit(place, offset, note):
            if error.code() in _SETTLING | _UNSETTLED and self._clock() < end:
                time.sleep(_POLL_S)
                continue
            buffer.forget()
            doing = f"{place[0]}, partition {place[1]}: can't commit as a reader of group {self._group}"
            if error.code() in _MOVED | _SETTLING:
                raise LogMovedError(f"{doing}: {described(error)}")
            self.leave()
            raise log_error(error, doing)

    def _try_commit(self, place: Place, offset: int, note: Note) -> KafkaError | None:
        wanted = self._cluster.partition(place, offset, str(note))
        try:
            done = self._joined().commit(offsets=[wanted], asynchronous=False)
        except KafkaException as error:
            inner: KafkaError = error.args[0]
            return inner
        return next((partition.error for partition in done or () if partition.error), None)

    def seek(self, buffer: PartitionBuffer) -> None:
        """Go on fetching where a buffer ends.

        Raises:
            LogError: that can't be done now.
        """
        partition = self._cluster.partition(buffer.place, buffer.reached)
        end = self._clock() + ANSWER_TIMEOUT_S
        while True:
            try:
                self._joined().seek(partition)
            except KafkaException as error:
                # A partition that has just come takes a moment until it can be positioned.
                if error.args[0].code() != KafkaError._STATE or self._clock() > end:  # noqa: SLF001  as above
                    raise log_error(error, f"{buffer.place}: can't seek {buffer.reached}") from error
                time.sleep(_POLL_S / 10)
            else:
                buffer.is_to_seek = False
                return

    def pause(self, buffers: Sequence[PartitionBuffer], *, paused: bool) -> None:
        """Fetch nothing further of some partitions, or do so again.

        Raises:
            LogError: that can't be done now.
        """
        changing = [buffer for buffer in buffers if buffer.is_paused != paused]
        if not changing:
            return
        consumer = self._joined()
        try:
            (consumer.pause if paused else consumer.resume)(
                [self._cluster.partition(buffer.place) for buffer in changing]
            )
        except KafkaException as error:
            raise log_error(error, "can't pause or resume") from error
        for buffer in changing:
            buffer.is_paused = paused
            buffer.is_asleep = not paused

    def wake(self, buffer: PartitionBuffer) -> None:
        """Have a partition fetched that was resumed a moment ago.

        librdkafka does not look at a connection that had nothing to fetch for up to a second, unless there is
        something to ask.
        """
        buffer.is_asleep = False
        with suppress(KafkaException):  # Then it takes that second.
            self._joined().get_watermark_offsets(self._cluster.partition(buffer.place), timeout=_WAKE_S)

    def leave(self) -> None:
        """Leave the group; the next ``join`` joins anew. Blocks for a few seconds. Doing so twice is allowed.

        A consumer that is closed while the group hands partitions out may wait for itself for good, with the
        interpreter's lock in its hand. So first it wants none any more, and receives what was decided before.
        """
        consumer, self._consumer = self._consumer, None
        self._settled, self._unanswered = False, Unanswered()
        if consumer is None:
            return
        end = self._clock() + _LEAVE_S
        with suppress(KafkaException):  # One that was put out for good has nothing to receive.
            consumer.unsubscribe()
            quiet = 0
            while quiet < _QUIET_POLLS and self._clock() < end:
                received = consumer.consume(_STEP_RECORDS, _POLL_S)
                quiet = 0 if received or self.buffers else quiet + 1
        consumer.close()
        self.buffers.clear()

    def _joined(self) -> Consumer:
        if self._consumer is None:
            raise LogMovedError(f"group {self._group}: this reader is not in it now")
        return self._consumer


def _names(error: KafkaError, texts: Sequence[str]) -> bool:
    return any(text in error.str() for text in texts)
