"""OpenTelemetry's logs, as its exporters send them by HTTP: records that are predictions and outcomes.

An attribute of a record, or else of its resource, says each field; ``docs/intake.md`` lists them. Records of
other names are left alone, so that a service may export all of its logs to here.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import WireError
from driftline.intake.items import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.intake.items import Kind

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_SERVICE: Final = "opentelemetry.proto.collector.logs.v1.logs_service_pb2"

_KINDS: Mapping[str, Kind] = MappingProxyType(
    {"driftline.prediction": "predictions", "driftline.outcome": "outcomes"}
)
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "driftline.model.name": "model_name",
        "driftline.model.version": "model_version",
        "driftline.training_run.id": "training_run_id",
        "driftline.environment": "environment",
        "driftline.event.id": "event_id",
        "driftline.id": "id",
        "driftline.entity.id": "entity_id",
        "driftline.request.id": "request_id",
        "driftline.answer": "prediction",
        "driftline.label": "label",
        "driftline.latency_us": "latency_us",
        "driftline.compute_us": "compute_us",
        "driftline.actual": "actual",
        "driftline.revision": "revision",
        "driftline.acted_on": "acted_on",
    }
)
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "driftline.feature.": "features",
        "driftline.probability.": "probabilities",
        "driftline.tag.": "tags",
    }
)


@dataclass(frozen=True, slots=True)
class Export:
    """What an exporter sent.

    Args:
        lists: predictions and outcomes.
        others: how many records are neither.
    """

    lists: Mapping[Kind, Sequence[Mapping[str, Any]]]
    others: int


def read_export(content_type: str, body: bytes, parse: Any) -> Export:
    """Return what an exporter sent.

    Args:
        content_type: of the body, without parameters.
        body: as it was sent, unpacked.
        parse: takes JSON apart.

    Raises:
        WireError: it is none, or protobuf where ``opentelemetry-proto`` is not installed.
    """
    whole = _from_protobuf(body) if content_type == PROTOBUF else parse(body)
    lists: dict[Kind, list[Mapping[str, Any]]] = {"predictions": [], "outcomes": []}
    others = 0
    for resource, record in _records(whole):
        attributes = {**resource, **_attributes(record.get("attributes"))}
        kind = _KINDS.get(str(record.get("eventName") or attributes.get("event.name") or ""))
        if kind is None:
            others += 1
        else:
            lists[kind].append(_item(kind, record, attributes))
    return Export(lists, others)


def answered(content_type: str, rejected: int, message: str) -> bytes | Mapping[str, Any]:
    """Return what the exporter is answered: how many records were refused, and why the first of them were."""
    partial = {"rejectedLogRecords": str(rejected), "errorMessage": message} if rejected else {}
    whole = {"partialSuccess": partial} if partial else {}
    if content_type != PROTOBUF:
        return whole
    service, formats = _protobuf()
    answer: bytes = formats.ParseDict(whole, service.ExportLogsServiceResponse()).SerializeToString()
    return answer


def _protobuf() -> tuple[Any, Any]:
    try:
        return importlib.import_module(_SERVICE), importlib.import_module("google.protobuf.json_format")
    except ImportError as error:
        detail = "protobuf needs pip install 'driftline[otlp]'; or have the exporter send http/json"
        raise WireError("no_protobuf", detail) from error


def _from_protobuf(body: bytes) -> Any:
    service, formats = _protobuf()
    try:
        message = service.ExportLogsServiceRequest.FromString(body)
    except Exception as error:  # Its error has another home in each release.
        raise WireError("protobuf", f"the body is no ExportLogsServiceRequest: {error}") from error
    whole = formats.MessageToDict(message)
    for _, record in _records(whole):
        if record.get("traceId"):  # JSON has it in hexadecimal digits, protobuf's own JSON does not.
            record["traceId"] = base64.b64decode(record["traceId"]).hex()
    return whole


def _records(whole: Any) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Yield each record, with the attributes of its resource.

    Raises:
        WireError: ``otlp``: it is no export of logs.
    """
    try:
        for of_resource in whole.get("resourceLogs", ()):
            resource = _attributes((of_resource.get("resource") or {}).get("attributes"))
            for scope in of_resource.get("scopeLogs", ()):
                for record in scope.get("logRecords", ()):
                    record.keys()  # An object.
                    yield resource, record
    except (AttributeError, TypeError) as error:
        raise WireError(
            "otlp", "the body is no export of logs (resourceLogs, scopeLogs, logRecords)"
        ) from error


def _attributes(given: Any) -> dict[str, Any]:
    return {
        str(each["key"]): _value(each.get("value"))
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, Mapping) and "key" in each
    }


def _value(any_value: Any) -> Any:
    """Return a value of OpenTelemetry's; what is no scalar stays as it is, and is left out later."""
    if not isinstance(any_value, Mapping) or len(any_value) != 1:
        return None
    ((kind, value),) = any_value.items()
    try:
        return {"intValue": int, "doubleValue": float}[kind](value)
    except (KeyError, ValueError, TypeError):
        return value


def _item(kind: Kind, record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        field: attributes[name] for name, field in _FIELDS.items() if attributes.get(name) is not None
    }
    for prefix, field in _GROUPS.items():
        found = {name[len(prefix) :]: value for name, value in attributes.items() if name.startswith(prefix)}
        if found:
            item[field] = found
    time_s = _seconds(record.get("timeUnixNano")) or _seconds(record.get("observedTimeUnixNano"))
    own = {"event_time": time_s, "observed_time": time_s, "trace_id": record.get("traceId") or None}
    item |= {field: value for field, value in own.items() if value is not None}
    return {field: value for field, value in item.items() if field in FIELDS[kind]}


def _seconds(nanos: Any) -> float | None:
    """Return a time in seconds since 1970; None: it is not given."""
    is_time = isinstance(nanos, (int, str)) and str(nanos).isdecimal() and int(nanos) > 0
    return int(nanos) / 1e9 if is_time else None
