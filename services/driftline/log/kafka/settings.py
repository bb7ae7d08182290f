"""What ``kafka://host:9092,host2:9092?name=value`` and the environment say about a Kafka cluster.

A name with dots is an option of librdkafka and goes to it as it is; the others are driftline's own. Each
may stand in the URL or in a variable: ``sasl.mechanism`` is ``DRIFTLINE_KAFKA_SASL_MECHANISM``, or, as the
content of a file, ``DRIFTLINE_KAFKA_SASL_MECHANISM_FILE``. What the URL says goes before the variables. A
secret never stands in the URL, which process lists and messages show.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from driftline.errors import SettingError
from driftline.log.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KAFKA_VARIABLES: Final = "DRIFTLINE_KAFKA_"
REGISTRY_VARIABLE: Final = "DRIFTLINE_REGISTRY"
REGISTRY_OPTIONS: Final = (
    "auto.register.schemas",
    "basic.auth.user.info",
    "bearer.auth.token",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
)

_FORM = "kafka://host:9092,host2:9092?name=value"
_FILE_SUFFIX = "_FILE"
_DAY_S = 86_400
_MIN_SPILL_BYTES = 4 << 20
_OPTION_NAME = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)*")
_TOPIC_PREFIX = re.compile(r"([a-z][a-z0-9._-]{0,99})?")
_IS_SECRET = re.compile(r"password|passphrase|secret|token$|user\.info|key\.pem|oauthbearer\.config")
_BROKERS = re.compile(r"\A([^/?#]*)(.*)\Z", re.DOTALL)
"""The brokers, and what comes behind them."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")

# Options of librdkafka that end like our variables for files.
_FILE_OPTIONS = frozenset(
    {
        "sasl.oauthbearer.assertion.file",
        "sasl.oauthbearer.assertion.jwt.template.file",
        "sasl.oauthbearer.assertion.private.key.file",
    }
)
_IN_THE_URL = f"the brokers stand in the URL: {_FORM}"
_POSITIONS = "a position moves when its records have landed, and only then"
_NEVER_GIVES_UP = "what was taken is sent until the brokers have it, and waits on disk meanwhile"
_DURABLE = "an append that succeeded is on all replicas in sync, once and in order"
_REFUSED = {
    "bootstrap.servers": _IN_THE_URL,
    "metadata.broker.list": _IN_THE_URL,
    "group.id": "each service has a group of its own; group_prefix= changes how their names begin",
    "group.instance.id": "use group_instance_id=",
    "enable.auto.commit": _POSITIONS,
    "enable.auto.offset.store": _POSITIONS,
    "auto.commit.enable": _POSITIONS,
    "auto.offset.reset": "a group begins with the oldest record, and what was deleted is counted as missing",
    "isolation.level": "records of an aborted transaction are not there",
    "enable.partition.eof": "the reader needs it to know that it is at the end",
    "partition.assignment.strategy": "the reader hands partitions over one by one: cooperative-sticky",
    "allow.auto.create.topics": "topics are created with partitions= and replication=, not by chance",
    "enable.idempotence": _DURABLE,
    "acks": _DURABLE,
    "request.required.acks": _DURABLE,
    "message.timeout.ms": _NEVER_GIVES_UP,
    "delivery.timeout.ms": _NEVER_GIVES_UP,
    "retries": _NEVER_GIVES_UP,
    "message.send.max.retries": _NEVER_GIVES_UP,
    "transactional.id": "appends are idempotent, and in no transactions",
    "default.topic.config": "name its options one by one",
    "opaque": "it can't be set by text",
    "logger": "it can't be set by text; configure Python's logger driftline.log.kafka",
}
_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Which cluster, how to speak with it, and driftline's own options. No secret in its ``repr``.

    Args:
        url: the URL as it was given; without secrets, since it may hold none.
        bootstrap: brokers to ask first, ``host:port,host:port``.
        options: librdkafka's options, by name, but for the secret ones.
        secrets: librdkafka's options that nobody may see.
        registry: URL of a schema registry; empty: none.
        registry_options: how to speak with it: some of REGISTRY_OPTIONS.
        partitions: how many a topic gets that is created; -1: as the broker is configured.
        replication: copies of each partition of a topic that is created; -1: as the broker is configured.
        spill: folder for records that the cluster does not take now; None: they are not kept.
        spill_bytes: bound of that folder, all processes' spills together.
        spill_age_s: while the oldest record there waits longer, it takes no more, seconds.
        topic_prefix: how the topics' names begin on the broker, and nowhere else.
        group_prefix: how the groups' names begin on the broker.
        group_instance_id: static membership: this member's name, which it keeps over restarts; empty: none.
    """

    url: str
    bootstrap: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    registry: str = ""
    registry_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    partitions: int = -1
    replication: int = -1
    spill: Path | None = None
    spill_bytes: int = 1 << 30
    spill_age_s: int = 7 * _DAY_S
    topic_prefix: str = ""
    group_prefix: str = "driftline-"
    group_instance_id: str = ""

    def broker_topic(self, topic: str) -> str:
        """Return the topic's name on the broker."""
        return self.topic_prefix + topic

    def topic(self, broker_topic: str) -> str | None:
        """Return a topic by its name on the broker; None when it is none of this log's."""
        return broker_topic[len(self.topic_prefix) :] if broker_topic.startswith(self.topic_prefix) else None

    def broker_group(self, group: str) -> str:
        """Return the group's name on the broker."""
        return self.group_prefix + group


def parse_kafka_url(url: str, environ: Mapping[str, str]) -> KafkaSettings:
    """Return the settings. Reads the files that variables name; touches no network.

    Whether librdkafka knows its options is not looked at here, see ``clients.check_options``.

    Raises:
        SettingError: the URL or a variable is wrong, or a file can't be read. No secret is in its message.
    """
    bootstrap, in_url = _take_apart(url)
    own, options = _split(in_url, _in_url)
    own_variables, option_variables = _split(_variables(KAFKA_VARIABLES, environ), _in_variable)
    own = own_variables | own
    options = option_variables | options
    own.setdefault("registry", environ.get(REGISTRY_VARIABLE, ""))
    own.setdefault("spill", str(_spill_folder(environ, bootstrap, own.get("topic_prefix", ""))))
    if (given := [name for name in _CLASSIC_ONLY if name in options]) and _protocol(options) != "classic":
        raise SettingError(
            f"Kafka option {given[0]} exists only in the classic group protocol; leave it out (then the "
            "broker's group.consumer.* settings hold), or add group.protocol=classic"
        )
    return KafkaSettings(
        url=url,
        bootstrap=bootstrap,
        options={name: value for name, value in options.items() if not is_secret(name)},
        secrets={name: value for name, value in options.items() if is_secret(name)},
        registry_options=_registry_options(environ),
        **{name: _OWN[name](name, value) for name, value in own.items()},
    )


def is_secret(name: str) -> bool:
    """Return whether nobody may see the value of an option."""
    return bool(_IS_SECRET.search(name))


def _take_apart(url: str) -> tuple[str, dict[str, str]]:
    """Return the brokers of a URL and what its query says; never a part that might hold a password."""
    brokers, rest = _BROKERS.findall(url.partition("://")[2])[0]
    try:
        # Several brokers are no host: newer Pythons take a bracket amid them for a mistake.
        parts = urlsplit(f"kafka://brokers{rest}")
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # Its message may show what was meant to be a password.
        raise SettingError(f"kafka:// URL: it does not have the form {_FORM}") from None
    if "@" in brokers:
        raise SettingError(
            "kafka:// URL: no user and no password before @, since process lists show them; use "
            "sasl.username= and the variable DRIFTLINE_KAFKA_SASL_PASSWORD, or ..._PASSWORD_FILE"
        )
    if parts.path not in {"", "/"} or parts.fragment:
        raise SettingError(
            f"kafka:// URL: {parts.path + parts.fragment!r} means nothing; it has the form {_FORM}"
        )
    for host in brokers.split(","):
        if not _HOST.fullmatch(host):
            raise SettingError(f"kafka:// URL: {host!r} is no host:port; it has the form {_FORM}")
    options: dict[str, str] = {}
    for name, value in query:
        if name in options:
            raise SettingError(f"kafka:// URL: {name} stands in it twice")
        options[name] = value
    return brokers, options


def _split(given: Mapping[str, str], place: Callable[[str], str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return driftline's own options and librdkafka's."""
    own = {name: value for name, value in given.items() if name in _OWN}
    options = {name: value for name, value in given.items() if name not in _OWN}
    for name in options:
        if name.endswith("_cb") or name.startswith("on_"):
            raise SettingError(f"{place(name)}: a callback can't be set by text")
        if not _OPTION_NAME.fullmatch(name):
            raise SettingError(
                f"{place(name)} is not known; driftline's own options are {', '.join(_OWN)}, and those of "
                "librdkafka are written with dots"
            )
        if reason := _REFUSED.get(name):
            raise SettingError(f"{place(name)} can't be changed: {reason}")
        if place is _in_url and is_secret(name):
            variable = KAFKA_VARIABLES + name.upper().replace(".", "_")
            raise SettingError(
                f"{place(name)}: a secret does not belong into a URL, which process lists show; put it into "
                f"the variable {variable}, or the path of a file that holds it into {variable}{_FILE_SUFFIX}"
            )
    return own, options


def _in_url(name: str) -> str:
    return f"kafka:// URL: option {name!r}"


def _in_variable(name: str) -> str:
    return f"{KAFKA_VARIABLES}{name.upper().replace('.', '_')}: option {name!r}"


def _variables(prefix: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the variables of a prefix say, by the name of the option."""
    options: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(prefix):
            continue
        rest = variable.removeprefix(prefix)
        in_file = rest.endswith(_FILE_SUFFIX) and rest.lower().replace("_", ".") not in _FILE_OPTIONS
        rest = rest.removesuffix(_FILE_SUFFIX).lower() if in_file else rest.lower()
        name = rest if rest in _OWN and prefix == KAFKA_VARIABLES else rest.replace("_", ".")
        if name in options:
            raise SettingError(f"{variable}: it is set with and without {_FILE_SUFFIX}; which one is meant?")
        options[name] = _content(variable, value) if in_file else value
    return options


def _content(variable: str, path: str) -> str:
    """Return what a file holds, without one line feed at its end."""
    try:
        return Path(path).read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(f"{variable}={path}: it can't be read: {reason}") from None


def _registry_options(environ: Mapping[str, str]) -> dict[str, str]:
    options = _variables(f"{REGISTRY_VARIABLE}_", environ)
    for name in options:
        if name not in REGISTRY_OPTIONS:
            raise SettingError(
                f"{REGISTRY_VARIABLE}_{name.upper().replace('.', '_')}: {name!r} is not known; a registry's "
                f"options are {', '.join(REGISTRY_OPTIONS)}"
            )
    return options


def _spill_folder(environ: Mapping[str, str], bootstrap: str, topic_prefix: str) -> Path:
    """Return the folder of this cluster and prefix: what is meant for one must not get into another."""
    hosts = sorted(bootstrap.lower().split(","))
    digest = hashlib.sha256("\n".join([*hosts, topic_prefix]).encode()).hexdigest()[:8]
    return data_folder(environ) / "spill" / f"{re.sub('[^a-z0-9.-]', '-', hosts[0])}-{digest}"


def _protocol(options: Mapping[str, str]) -> str:
    return options.get("group.protocol", "").lower()


def _positive(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingError(f"Kafka option {name}={text}: it must be an integer above 0")
    return int(text)


def _spill(name: str, text: str) -> Path | None:
    if text == "off":
        return None
    if not text.startswith("/"):
        raise SettingError(f"Kafka option {name}={text}: it must be the absolute path of a folder, or off")
    return Path(text)


def _spill_bytes(name: str, text: str) -> int:
    if _positive(name, text) < _MIN_SPILL_BYTES:
        raise SettingError(f"Kafka option {name}={text}: it must be {_MIN_SPILL_BYTES} (4 MiB) or more")
    return int(text)


def _registry(name: str, text: str) -> str:
    variable = f"{REGISTRY_VARIABLE}_BASIC_AUTH_USER_INFO"
    if "@" in urlsplit(text).netloc:
        raise SettingError(
            f"Kafka option {name}: no user and no password in its URL, since process lists show them; use "
            f"the variable {variable}, or {variable}{_FILE_SUFFIX}"
        )
    if text and not text.startswith(("http://", "https://")):
        raise SettingError(
            f"Kafka option {name}={text}: it must be the http:// or https:// URL of a registry"
        )
    return text.rstrip("/")


def _prefix(name: str, text: str) -> str:
    if not _TOPIC_PREFIX.fullmatch(text):
        raise SettingError(
            f"Kafka option {name}={text}: it must be a letter, then at most 99 letters, digits "
            "and ._-, in lower case"
        )
    return text


def _text(name: str, text: str) -> str:
    del name
    return text


_OWN: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "registry": _registry,
    "partitions": _positive,
    "replication": _positive,
    "spill": _spill,
    "spill_bytes": _spill_bytes,
    "spill_age_s": _positive,
    "topic_prefix": _prefix,
    "group_prefix": _text,
    "group_instance_id": _text,
}
