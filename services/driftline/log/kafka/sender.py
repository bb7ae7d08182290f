"""Sending to Kafka: an idempotent producer that never gives up what it has taken.

Within one process nothing can stand twice in the log whatever the broker does: librdkafka tries again until
it knows, and the broker drops what it has already. What may stand twice after all, since a process or a
producer ended before it knew, is sent with the header ``driftline-may-repeat``.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import LogError
from driftline.wire import SESSIONS_TOPIC, event_header, schema_of_fingerprint, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import KafkaError, Message, Producer

    from driftline.log.base import Record
    from driftline.log.kafka.settings import KafkaSettings
    from driftline.wire.registry import Registry

MAY_REPEAT_HEADER: Final = "driftline-may-repeat"
SETTLE_S: Final = 1.0

_WAITING, _SENT, _DELIVERED, _GIVEN_UP = range(4)
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
# The broker, or librdkafka before it asked one, said no: the record is certainly not in the log.
_NOT_THERE = frozenset(
    {
        "UNKNOWN_TOPIC_OR_PART",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
    }
)
_FIXED = {"message.timeout.ms": 0}  # Never: the relay keeps waiting, on disk.

_logger = logging.getLogger("driftline.log.kafka")


class Delivery:
    """Records on their way, and how far each of them is. Made by a Sender, for one thread at a time.

    Args:
        records: in the order in which they are to stand in their partitions.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.error = ""
        self.in_flight = 0
        self._states = bytearray(len(self.records))
        self._unsure: set[int] = set()
        self._next = 0

    @property
    def is_done(self) -> bool:
        """Whether each record was delivered, or can never be."""
        return self._first_waiting() == len(self.records) and not self.in_flight

    @property
    def is_stalled(self) -> bool:
        """Whether records are left of which none is on its way: ``error`` says why. See ``Sender.retry``."""
        return bool(self.error) and not self.in_flight and not self.is_done

    def remaining(self) -> list[Record]:
        """Return what is not known to be delivered, in order; with ``may_repeat`` where it may have been."""
        return [
            record._replace(may_repeat=True) if state == _SENT or place in self._unsure else record
            for place, (record, state) in enumerate(zip(self.records, self._states, strict=True))
            if state in {_WAITING, _SENT}
        ]

    def stage(self, max_bytes: int) -> list[tuple[int, Record]]:
        """Return what may be sent now, by place. A beat waits until everything before it is delivered.

        Args:
            max_bytes: bound of their size; there is one record at least.
        """
        stage: list[tuple[int, Record]] = []
        has_events = False
        for place in range(self._first_waiting(), len(self.records)):
            if self._states[place] != _WAITING:
                continue
            record = self.records[place]
            is_beat = record.topic == SESSIONS_TOPIC
            max_bytes -= len(record.value)
            if stage and ((is_beat and has_events) or max_bytes < 0):
                break
            if place in self._unsure and not record.may_repeat:
                record = record._replace(may_repeat=True)
            stage.append((place, record))
            has_events = has_events or not is_beat
        return stage

    def sent(self, place: int) -> None:
        """Note that librdkafka has taken a record."""
        self._states[place] = _SENT
        self.in_flight += 1

    def delivered(self, place: int) -> None:
        """Note that the broker has a record."""
        self._leave(place, _DELIVERED)

    def failed(self, place: int, error: str, *, may_be_there: bool) -> None:
        """Note that a record has to be sent again."""
        self._leave(place, _WAITING)
        self.error = error
        if may_be_there:
            self._unsure.add(place)

    def refused(self, place: int) -> None:
        """Note that a record has to be sent again, in smaller company."""
        self._leave(place, _WAITING)

    def give_up(self, place: int) -> None:
        """Note that a record can never be delivered."""
        self._leave(place, _GIVEN_UP)

    def _leave(self, place: int, state: int) -> None:
        self.in_flight -= self._states[place] == _SENT
        self._states[place] = state
        self._next = min(self._next, place)

    def _first_waiting(self) -> int:
        """Return the first place that is not settled, nor on its way; the number of records if none is."""
        place = self._states.find(_WAITING, self._next)
        self._next = len(self.records) if place < 0 else place
        return self._next


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
        self._stage: list[tuple[int, Record]] = []
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
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - see ``_connected``.

        self._stage = delivery.stage(self._max_stage_bytes)
        self._max_stage_bytes = min(_STAGE_BYTES, self._max_stage_bytes * 2)
        try:
            for place, record in self._stage:
                try:
                    self._produce(delivery, place, record)
                except BufferError:  # The user's options leave little room: the rest waits its turn.
                    if not delivery.in_flight:
                        delivery.error = "librdkafka's queue has no room for a single record"
                    return
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                        raise
                    self._give_up(delivery, place)
        except KafkaException as error:
            self._is_broken = True
            delivery.error = str(error)
        except LogError as error:
            delivery.error = str(error)

    def _produce(self, delivery: Delivery, place: int, record: Record) -> None:
        options: dict[str, Any] = {"headers": [(MAY_REPEAT_HEADER, b"1")]} if record.may_repeat else {}
        value = self._framed(record.value)
        self._connected().produce(
            self._settings.broker_topic(record.topic),
            value,
            record.key or None,
            on_delivery=partial(self._report, delivery, place),
            **options,
        )
        delivery.sent(place)

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

    def _report(self, delivery: Delivery, place: int, error: KafkaError | None, _: Message | None) -> None:
        """Take librdkafka's last word on a record."""
        if error is None:
            self._is_reached = True
            delivery.delivered(place)
            return
        if error.code() == error.MSG_SIZE_TOO_LARGE:
            self._refuse(delivery, place)
            return
        self._is_broken = self._is_broken or error.fatal()
        topic = self._settings.broker_topic(delivery.records[place].topic)
        told = f"topic {topic}: {' '.join(error.str().split())} ({error.name()})"
        delivery.failed(place, told, may_be_there=error.name() not in _NOT_THERE)

    def _refuse(self, delivery: Delivery, place: int) -> None:
        """Give up what is too large alone; send others again, fewer at once: a broker refuses batches."""
        if len(self._stage) == 1:
            self._give_up(delivery, place)
            return
        delivery.refused(place)
        size = sum(len(record.value) for _, record in self._stage)
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
os.register_at_fork(
    before=_fork_guard.hold, after_in_parent=_fork_guard.release, after_in_child=_fork_guard.forget
)
