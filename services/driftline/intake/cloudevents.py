"""CloudEvents over HTTP, binary and structured, as the loggers of KServe and Seldon send them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from driftline.errors import WireError
from driftline.sdk.request import trace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Half = Literal["request", "response"]

_TYPES: Mapping[str, Half] = MappingProxyType(
    {
        "org.kubeflow.serving.inference.request": "request",
        "org.kubeflow.serving.inference.response": "response",
        "io.seldon.serving.inference.request": "request",
        "io.seldon.serving.inference.response": "response",
    }
)
_STRUCTURED: Final = "application/cloudevents+json"
_SEVERAL: Final = "application/cloudevents-batch+json"
_PREFIX = "ce-"


@dataclass(frozen=True, slots=True)
class Logged:
    """One half of an inference.

    Args:
        half: whether this is the request or the response.
        key: what both halves have in common.
        model_name: the inference service's name.
        endpoint: default or canary; empty: not given.
        time: as it was given; None: it was not.
        trace_id: W3C trace id; None: not traced.
        request_id: that the server gave.
        body: what was asked or answered, as JSON says it.
    """

    half: Half
    key: str
    model_name: str
    endpoint: str
    time: str | None
    trace_id: str | None
    request_id: str
    body: Any


def read_events(headers: Mapping[str, str], body: bytes) -> Sequence[Logged]:
    """Return what a request holds.

    Args:
        headers: of the request, by names in lower case.
        body: as it was sent.

    Raises:
        WireError: it holds no CloudEvent, or one of an unknown type, or without its id or model.
    """
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in {_STRUCTURED, _SEVERAL}:
        whole = parsed(body)
        events = whole if content_type == _SEVERAL and isinstance(whole, list) else [whole]
        return [_structured(event) for event in events]
    attributes = {
        name.removeprefix(_PREFIX): value for name, value in headers.items() if name.startswith(_PREFIX)
    }
    if "traceparent" not in attributes and "traceparent" in headers:
        attributes["traceparent"] = headers["traceparent"]
    return [_logged(attributes, lambda: parsed(body))]


def parsed(body: bytes) -> Any:
    """Return what JSON says.

    Raises:
        WireError: ``json``: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("json", f"the body is no JSON: {error}") from error


def _structured(event: Any) -> Logged:
    if not isinstance(event, Mapping):
        raise WireError("cloudevent", "an event in structured mode is an object")
    encoded = event.get("data_base64")

    def data() -> Any:
        if encoded is None:
            return event.get("data")
        try:
            return parsed(base64.b64decode(encoded, validate=True))
        except (ValueError, TypeError) as error:
            raise WireError("cloudevent", f"data_base64: {error}") from error

    return _logged({str(name).lower(): value for name, value in event.items()}, data)


def _logged(attributes: Mapping[str, Any], data: Any) -> Logged:
    kind, model_name = str(attributes.get("type", "")), attributes.get("inferenceservicename")
    half = _TYPES.get(kind)
    if half is None:
        raise WireError("type", f"a CloudEvent of the type {kind[:100]!r}; known are {', '.join(_TYPES)}")
    request_id = attributes.get("requestid") or attributes.get("id")
    if not request_id or not model_name:
        raise WireError("cloudevent", "an inference has an id and an inferenceservicename")
    parts = (
        attributes.get(name, "") for name in ("namespace", "inferenceservicename", "modelid", "endpoint")
    )
    time = attributes.get("time")
    return Logged(
        half=half,
        key="/".join(str(part) for part in (*parts, request_id)),
        model_name=str(model_name),
        endpoint=str(attributes.get("endpoint", "")),
        time=str(time) if time else None,
        trace_id=trace_of(str(attributes.get("traceparent", ""))),
        request_id=str(request_id),
        body=data(),
    )
