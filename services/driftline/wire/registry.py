"""A schema registry: which id a schema has there, and which schema an id."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from driftline.errors import LogError
from driftline.wire.schemas import event_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from confluent_kafka.schema_registry import SchemaRegistryClient

AUTO_REGISTER: Final = "auto.register.schemas"
_NOT_FOUND = 404
_CONFLICT = 409
_TIMEOUT_S = 5.0
Answer = TypeVar("Answer")


class _UnknownError(LogError):
    """The registry answers that it does not know what it was asked for."""


class Registry:
    """A schema registry that speaks Confluent's protocol. Safe to use from several threads.

    Args:
        url: where it is.
        options: options of confluent-kafka's client, and ``auto.register.schemas``: with ``false`` schemas
            are only looked up, and someone else has registered them.
        topic_prefix: how the topics' names begin on the broker, and with them the subjects'.
    """

    def __init__(self, url: str, options: Mapping[str, str], *, topic_prefix: str = "") -> None:
        self._url = url
        self._options = dict(options)
        self._may_register = self._options.pop(AUTO_REGISTER, "true").lower() != "false"
        self._topic_prefix = topic_prefix
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        # On this thread, not on one that asks: a fork amid an import would leave half a module to the child.
        with suppress(LogError):
            _client_module(url)

    def schema_id(self, event_name: str) -> int:
        """Return the id of an event's schema, under ``<topic>-value``; register it if it is not there.

        Known after the first call; until then it blocks for some seconds at most.

        Raises:
            LogError: the registry is away, or refuses the schema.
        """
        known = self._ids.get(event_name)
        return self._ask_id(event_name) if known is None else known

    def schema_text(self, schema_id: int) -> str | None:
        """Return the schema with that id, as JSON; None: there is none. Blocks as ``schema_id`` does.

        Raises:
            LogError: the registry is away.
        """
        known = self._texts.get(schema_id)
        if known is not None:
            return known
        try:
            text = self._ask(
                f"schema id {schema_id} can't be looked up",
                lambda client: str(client.get_schema(schema_id).schema_str),
            )
        except _UnknownError:
            return None
        self._texts[schema_id] = text
        return text

    def _ask_id(self, event_name: str) -> int:
        schema = event_schema(event_name)
        subject = f"{self._topic_prefix}{schema.topic}-value"
        # In one line: registries keep the text as it comes.
        text = json.dumps(json.loads(schema.text), separators=(",", ":"))

        def answer(client: SchemaRegistryClient) -> int:
            from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - see ``_ask``.

            if self._may_register:
                return client.register_schema(subject, Schema(text, "AVRO"))
            return int(client.lookup_schema(subject, Schema(text, "AVRO")).schema_id or 0)

        doing = "registered" if self._may_register else "found"
        found = self._ids[event_name] = self._ask(f"subject {subject}: its schema can't be {doing}", answer)
        return found

    def _ask(self, failed: str, answer: Callable[[SchemaRegistryClient], Answer]) -> Answer:
        """Return the registry's answer.

        Raises:
            LogError: there is none.
        """
        schema_registry = _client_module(self._url)
        try:
            # A client for each question: there are few, and no connection is left for a fork to share.
            with schema_registry.SchemaRegistryClient(self._client_options()) as client:
                return answer(client)
        except schema_registry.SchemaRegistryError as error:
            reason = " ".join(str(error.error_message).split())
            if error.http_status_code == _NOT_FOUND:
                raise _UnknownError(f"schema registry {self._url}: {failed}: {reason}") from error
            if error.http_status_code == _CONFLICT:
                reason = f"it is not compatible with the versions that are there: {reason}"
            raise LogError(f"schema registry {self._url}: {failed}: {reason}") from error
        except Exception as error:  # The client passes on what its HTTP library raises.
            raise LogError(f"schema registry {self._url}: {failed}: {error!r}") from error

    def _client_options(self) -> dict[str, Any]:
        chosen: dict[str, Any] = {"url": self._url, "timeout": _TIMEOUT_S, "max.retries": 1}
        if "bearer.auth.token" in self._options:  # A logical cluster is asked for, and may be empty.
            chosen["bearer.auth.credentials.source"] = "STATIC_TOKEN"
            chosen["bearer.auth.logical.cluster"] = ""
        return {**chosen, **self._options}


def _client_module(url: str) -> ModuleType:
    """Return confluent-kafka's registry client, imported late: without a registry nobody needs its packages.

    Raises:
        LogError: it is not installed.
    """
    try:
        from confluent_kafka import schema_registry  # noqa: PLC0415 - see above.
    except ImportError as error:
        raise LogError(
            f"schema registry {url}: its client is not installed ({error}): pip install 'driftline[registry]'"
        ) from error
    return schema_registry
