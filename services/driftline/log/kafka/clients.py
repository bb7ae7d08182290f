"""librdkafka's clients, made with driftline's choices, and its errors as driftline's."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from driftline.errors import LogError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.log.kafka.settings import KafkaSettings

CLIENT_ID: Final = "driftline"

_Client = TypeVar("_Client")
_LOG_EVERY_S = 60.0
_MANY_KINDS = 1_000
_OF_MEMBERS = frozenset(
    {
        "group.protocol",
        "group.remote.assignor",
        "group.protocol.type",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "session.timeout.ms",
    }
)
_logger = logging.getLogger("driftline.log.kafka")


def consumer_config(settings: KafkaSettings, group: str, protocol: str) -> dict[str, Any]:
    """Return what a consumer of a group is made with.

    Args:
        settings: the log's.
        group: the group's name, without the prefix.
        protocol: ``consumer``, or ``classic`` for brokers that do not know it yet.
    """
    config = {
        "queued.max.messages.kbytes": 32 << 10,
        "max.partition.fetch.bytes": 4 << 20,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 30_000,  # So long a new topic may wait for its first reader.
        "fetch.queue.backoff.ms": 20,  # Else a full queue, once emptied, stays empty for a second.
        **_common(settings),
        "group.id": settings.broker_group(group),
        "group.protocol": protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # The reader itself looks what became of a position.
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
    }
    if protocol == "classic":
        config["partition.assignment.strategy"] = "cooperative-sticky"
        config.pop("group.remote.assignor", None)
    if settings.group_instance_id:
        config["group.instance.id"] = settings.group_instance_id
    return config


def asking_config(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """Return what a consumer is made with that joins no group, and only asks on behalf of one."""
    config = {name: value for name, value in _common(settings).items() if name not in _OF_MEMBERS}
    return {
        **config,
        "group.id": settings.broker_group(group),
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
    }


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Return what a producer is made with: idempotent, acknowledged by all replicas in sync."""
    return {
        "compression.type": "lz4",
        **_common(settings),
        "enable.idempotence": True,
        "acks": "all",
    }


def admin_config(settings: KafkaSettings) -> dict[str, Any]:
    """Return what an administrating client is made with."""
    return _common(settings)


def make_consumer(config: Mapping[str, Any]) -> Consumer:
    """Return a consumer; joins nothing yet.

    Raises:
        SettingError: librdkafka does not take an option, or options do not go together.
    """
    return _made(Consumer, config)


def make_producer(config: Mapping[str, Any]) -> Producer:
    """Return a producer.

    Raises:
        SettingError: as ``make_consumer``.
    """
    return _made(Producer, config)


def make_admin(config: Mapping[str, Any]) -> AdminClient:
    """Return an administrating client.

    Raises:
        SettingError: as ``make_consumer``.
    """
    return _made(AdminClient, config)


def check_options(settings: KafkaSettings) -> None:
    """Let librdkafka look at each option. Touches no network, and does not see whether they go together.

    Raises:
        SettingError: it does not know one, or not its value.
    """
    config = {
        **_common(settings),
        "bootstrap.servers": "",
        "security.protocol": "plaintext",  # Else it would read certificates, and fetch a token.
    }
    security = settings.options.get("security.protocol", "plaintext")
    if security.lower() not in {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}:
        raise SettingError(
            f"Kafka option security.protocol={security}: allowed are PLAINTEXT, SSL, SASL_PLAINTEXT and "
            "SASL_SSL"
        )
    _made(Producer, config)


def log_error(error: KafkaError | KafkaException, doing: str) -> LogError:
    """Return what to raise for an error of librdkafka.

    Args:
        error: what librdkafka says.
        doing: what could not be done, such as ``can't commit to topic 0``.
    """
    return LogError(f"{doing}: {described(error)}")


def described(error: KafkaError | KafkaException) -> str:
    """Return an error of librdkafka in one line."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else error
    if not isinstance(inner, KafkaError):
        return str(inner)
    return f"{' '.join(inner.str().split())} ({inner.name()})"


def _common(settings: KafkaSettings) -> dict[str, Any]:
    troubles = Troubles()
    return {
        "client.id": CLIENT_ID,
        "socket.timeout.ms": 10_000,
        **settings.options,
        **settings.secrets,
        "bootstrap.servers": settings.bootstrap,
        "logger": troubles,
        "error_cb": troubles,
    }


class Troubles:
    """What a client of librdkafka says of its own accord, into Python's log: each trouble now and then.

    While a broker is away, that is twenty failed connections a second. Used from several threads.

    Attributes:
        last: the last error, for callers that only learn that something took too long.

    Args:
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.last = ""
        self._clock = clock
        self._logged_s: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take an error that librdkafka deals with itself."""
        self.last = described(error)
        if self._is_new(error.name()):
            _logger.warning("%s", self.last)

    @property
    def before(self) -> str:
        """What to add to a message that only says that something took too long."""
        return f"; before that: {self.last}" if self.last else ""

    def log(self, level: int, form: str, *args: str) -> None:
        """Take what librdkafka logs, with the name of its part first."""
        if level < logging.WARNING or self._is_new(" ".join([*args[:1], *args[-1].split()[:2]])):
            _logger.log(level, form, *args)

    def _is_new(self, kind: str) -> bool:
        """Return whether nothing of this kind was logged for a while."""
        now_s = self._clock()
        if len(self._logged_s) > _MANY_KINDS:
            self._logged_s.clear()
        if now_s < self._logged_s.get(kind, -_LOG_EVERY_S) + _LOG_EVERY_S:
            return False
        self._logged_s[kind] = now_s
        return True


def _made(make: Callable[[dict[str, Any]], _Client], config: Mapping[str, Any]) -> _Client:
    try:
        return make(dict(config))
    except (KafkaException, TypeError, ValueError) as error:
        reason = described(error) if isinstance(error, KafkaException) else str(error)
        raise SettingError(
            f"librdkafka does not take an option of the kafka:// URL or of DRIFTLINE_KAFKA_*: {reason}"
        ) from None
