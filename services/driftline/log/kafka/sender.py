"""Sending to Kafka: an idempotent producer that never gives up what it has taken.

Within one process nothing can stand twice in the log whatever the broker does: librdkafka tries again until
it knows, and the broker drops what it has already. What may stand twice after all, since a process or a
producer ended before it knew, is sent with the header ``driftline-may-repeat``.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import LogError
from driftline.forks import when_forked
from driftline.log.base import Run
from driftline.log.kafka.delivery import Delivery
from driftline.wire import event_header, schema_of_fingerprint, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import KafkaError, Message, Producer

    from driftline.log.base import Record
    from driftline.log.kafka.settings import KafkaSettings
    from driftline.wire.registry import Registry

MAY_REPEAT_HEADER: Final = "driftline-may-repeat"
SETTLE_S: Final = 1.0

_LOOKING_UP_S = 0.1
_FORK_TIMEOUT_S = 2.0
_ASK_TIMEOUT_S = 1.0
_BROKERS_DEFAULT_MAX_BYTES = 1_048_588
_STAGE_BYTES = 2 << 20  # More than a run has: bounded only after a broker has refused one.

# An event of the largest size fits; librdkafka's own bound would be smaller than the broker's.
_CHOSEN = {
    "linger.ms": 5,
    "log_level": 2,  # Not each failed connection, twenty a second: the error callback tells now and then.
    "message.max.bytes": _BROKERS_DEFAULT_MAX_BYTES,
    "queue.buffering.max.kbytes": 32 << 10,
    "reconnect.backoff.max.ms": 1_000,
}
# The broker, or librdkafka before it asked one, refused it: the record is certainly not in the log.
_NOT_THERE = frozenset(
    {
        "UNKNOWN_TOPIC_OR_PART",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
    }
)
_FIXED = {
    "message.timeout.ms": 0,  # Never: the relay keeps waiting, on disk.
    "delivery.report.only.error": True,  # A call for each record would cost as much as sending it.
}
_ANY_PARTITION = -1  # As its key says.

_logger = logging.getLogger("driftline.log.kafka")


class Sender:
    """Sends records to a cluster. For one thread at a time; at most a few thousand records at once.

    Args:
        settings: which cluster.
        registry: gives events the schema ids of a schema registry; None: they go as they are.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        registry: Registry | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._monotonic = monotonic
        self._producer: Producer | None = None
        self._is_broken = False
        self._answered_at_s: float | None = None
        self._is_reached = False
        self.made_at_s = float("-inf")
        self._headers: dict[bytes, bytes] = {}
        self._max_stage_bytes = _STAGE_BYTES
        self._stage: Sequence[int] = ()
        self._topics: dict[str, str] = {}
        self.given_up = 0
        """How many records were given up, since no broker takes records of that size."""
        _fork_guard.senders.add(self)

    def send(self, records: Sequence[Record]) -> Delivery:
        """Begin to send. Waits for no broker; for a schema registry only when it is asked first."""
        delivery = Delivery(records)
        self._advance(delivery)
        return delivery

    def retry(self, delivery: Delivery) -> None:
        """Send what has failed again."""
        delivery.error = ""
        self._advance(delivery)

    def wait(self, delivery: Delivery, timeout_s: float) -> bool:
        """Wait until everything is delivered; return whether it is. Comes back early when it is stalled."""
        end = self._monotonic() + timeout_s
        while True:
            self._advance(delivery)
            if delivery.is_done:
                return True
            remaining_s = end - self._monotonic()
            if delivery.is_stalled or remaining_s <= 0:
                return False
            if self._producer is not None:
                self._producer.poll(remaining_s)
                self._look(delivery)

    def _look(self, delivery: Delivery) -> None:
        """Take in that all is delivered: librdkafka has nothing left, and tells only of what has failed."""
        if delivery.in_flight and not len(self._producer or ()):
            delivery.delivered()
            self._is_reached = True

    def has_settled(self, topic: str) -> bool:
        """Return whether the cluster has been answering for a moment. Blocks for a second at most.

        A broker that was away may still hold the last request of a process that is gone; what that process
        may have sent is not sent again before such a request was worked off.
        """
        from confluent_kafka import KafkaException  # noqa: PLC0415 - see ``_connected``.

        if self._answered_at_s is None:
            try:
                self._connected().list_topics(self._settings.broker_topic(topic), timeout=_ASK_TIMEOUT_S)
            except KafkaException:
                return False
            self._answered_at_s = self._monotonic()
            self._is_reached = True
        return self._monotonic() - self._answered_at_s >= SETTLE_S

    def close(self) -> None:
        """Let go of the producer and what it has not delivered, without waiting. Closing twice is allowed."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if _fork_guard.is_child and not self._is_reached:
            # Forked amid a look-up of addresses, glibc's lock for these stays taken in the child:
            # librdkafka's thread waits for it for ever, and a purge would wait for that thread.
            _keep_for_ever(producer)
        else:
            # Its own close() would wait for brokers without a bound.
            producer.purge(blocking=False)

    def begin_anew(self) -> Producer | None:
        """Be as new, in a forked child; return the parent's producer, if there is one."""
        producer, self._producer = self._producer, None
        self._answered_at_s, self._is_reached = None, False
        return producer

    def _advance(self, delivery: Delivery) -> None:
        """Hand over what may be sent now, unless something is on its way or has failed."""
        if delivery.in_flight or delivery.error:
            return
        from confluent_kafka import KafkaException  # noqa: PLC0415 - see ``_connected``.

        self._stage = delivery.stage(self._max_stage_bytes)
        self._max_stage_bytes = min(_STAGE_BYTES, self._max_stage_bytes * 2)
        taken: list[int] = []
        try:
            self._produce(delivery, taken)
        except BufferError:  # The user's options leave little room: the rest waits its turn.
            if not taken:
                delivery.error = "librdkafka's queue has no room for a single record"
        except KafkaException as error:
            self._is_broken = True
            delivery.error = str(error)
        except LogError as error:
            delivery.error = str(error)
        finally:
            delivery.sent(taken)

    def _produce(self, delivery: Delivery, taken: list[int]) -> None:
        """Hand the stage over, and note the places of what librdkafka has taken.

        Raises:
            BufferError: librdkafka's queue is full.
            KafkaException: this producer can't go on.
            LogError: the schema registry does not say.
        """
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - see ``_connected``.

        unsure = delivery.unsure
        produce, report = self._connected().produce, partial(self._report, delivery)
        for place, (topic, key, value, may_repeat) in zip(self._stage, self._fields(delivery), strict=True):
            framed = value if self._registry is None else self._framed(value)
            try:
                if may_repeat or place in unsure:
                    headers: Any = [(MAY_REPEAT_HEADER, b"1")]
                    produce(topic, framed, key or None, on_delivery=report, headers=headers)
                else:  # By position: names would take a fifth longer.
                    produce(topic, framed, key or None, _ANY_PARTITION, report)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                self._give_up(delivery, place)
            else:
                taken.append(place)

    def _fields(self, delivery: Delivery) -> Iterable[tuple[str, bytes, bytes, bool]]:
        """Return the fields of the stage's records, with the topics' names on the cluster."""
        records = delivery.records
        if isinstance(records, Run) and len(self._stage) == len(records):
            return zip(repeat(self._name(records.topic)), repeat(records.key), records.values, repeat(False))
        found = map(records.__getitem__, self._stage)
        return ((self._name(topic), key, value, may_repeat) for topic, key, value, may_repeat in found)

    def _name(self, topic: str) -> str:
        """Return a topic's name on the cluster."""
        name = self._topics.get(topic)
        if name is None:
            name = self._topics[topic] = self._settings.broker_topic(topic)
        return name

    def _framed(self, value: bytes) -> bytes:
        """Return an event with its schema's id in the registry; anything else as it is.

        Raises:
            LogError: the registry does not say.
        """
        if self._registry is None:
            return value
        header = value[:10]
        known = self._headers.get(header)
        if known is None:
            ref, _ = split_frame(value)
            schema = None if ref.fingerprint is None else schema_of_fingerprint(ref.fingerprint)
            if schema is None:
                return value
            known = event_header(schema.name, self._registry.schema_id(schema.name))
            self._headers[header] = known
        return known + value[10:]

    def _report(self, delivery: Delivery, error: KafkaError | None, message: Message) -> None:
        """Take librdkafka's final report of a record that it could not deliver."""
        place = None if error is None else self._place(delivery, message)
        if error is None or place is None:
            return
        if error.code() == error.MSG_SIZE_TOO_LARGE:
            self._refuse(delivery, place)
            return
        self._is_broken = self._is_broken or error.fatal()
        topic = self._name(delivery.records[place].topic)
        reason = f"topic {topic}: {' '.join(error.str().split())} ({error.name()})"
        delivery.failed(place, reason, may_be_there=error.name() not in _NOT_THERE)

    def _place(self, delivery: Delivery, message: Message) -> int | None:
        """Return the place of a record that librdkafka has. Of several that are the same, any of them."""
        reported = message.topic(), message.key() or b"", message.value()
        for place in self._stage:
            record = delivery.records[place]
            if delivery.is_on_its_way(place) and reported == (
                self._name(record.topic),
                record.key,
                self._framed(record.value),
            ):
                return place
        return None

    def _refuse(self, delivery: Delivery, place: int) -> None:
        """Give up what is too large alone; send others again, fewer at once: a broker refuses batches."""
        if len(self._stage) == 1:
            self._give_up(delivery, place)
            return
        delivery.refused(place)
        size = sum(len(delivery.records[place].value) for place in self._stage)
        self._max_stage_bytes = min(self._max_stage_bytes, size // 2)

    def _give_up(self, delivery: Delivery, place: int) -> None:
        delivery.give_up(place)
        self.given_up += 1
        record = delivery.records[place]
        topic = self._settings.broker_topic(record.topic)
        _logger.error(
            "a record of %d bytes is lost, since topic %s takes none of that size; raise max.message.bytes "
            "there, or log less per event (key %r; %d lost so far)",
            *(len(record.value), topic, record.key, self.given_up),
            extra={"topic": topic},
        )

    def _connected(self) -> Producer:
        """Return the producer; make it at first use, and again after a failure that is not to be mended."""
        if self._is_broken:
            self.close()
            self._is_broken, self._answered_at_s = False, None
        if self._producer is None:
            # Not at import: who logs to files never needs it, and who logs to Kafka not on this thread.
            from driftline.log.kafka import clients  # noqa: PLC0415 - see above.

            config = {**_CHOSEN, **clients.producer_config(self._settings), **_FIXED}
            with _fork_guard.making:
                self._producer = clients.make_producer(config)
            self.made_at_s, self._is_reached = time.monotonic(), False
        return self._producer


class _ForkGuard:
    """What a fork needs to know of the producers of this process."""

    def __init__(self) -> None:
        self.senders: weakref.WeakSet[Sender] = weakref.WeakSet()
        self.making = threading.Lock()
        self.is_child = False
        self._is_held = False

    def hold(self) -> None:
        """Let no thread be inside librdkafka's constructor, or looking up the addresses of a new producer."""
        youngest_s = max((sender.made_at_s for sender in list(self.senders)), default=float("-inf"))
        time.sleep(max(0.0, youngest_s + _LOOKING_UP_S - time.monotonic()))
        self._is_held = self.making.acquire(timeout=_FORK_TIMEOUT_S)

    def release(self) -> None:
        """Go on, in the parent."""
        if self._is_held:
            self.making.release()

    def forget(self) -> None:
        """Never let go, in the child, of producers that belong to the parent.

        Their threads are not here. Destroying one would wait for those, and end connections that the parent
        still uses. A reference that is counted but not held anywhere outlives even the interpreter's end.
        """
        self.making = threading.Lock()
        self.is_child = True
        for sender in list(self.senders):
            producer = sender.begin_anew()
            if producer is not None:
                _keep_for_ever(producer)


def _keep_for_ever(producer: Producer) -> None:
    """Never destroy a producer, not even at the interpreter's end: see above."""
    import ctypes  # noqa: PLC0415 - rarely needed.

    with suppress(AttributeError):  # Of another Python: its objects may live elsewhere.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))


_fork_guard = _ForkGuard()
when_forked(_fork_guard.forget, before=_fork_guard.hold, in_parent=_fork_guard.release)
