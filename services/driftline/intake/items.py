"""What senders say of predictions and outcomes, checked one by one: what is wrong costs no neighbour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from driftline.errors import SettingError, WireError
from driftline.sdk.arguments import check_name, environment_name
from driftline.wire.values import event_id_text, event_time_us

Kind = Literal["predictions", "outcomes"]

NAMESPACE: Final = UUID("0f7c9c54-6a3b-5c51-9d0a-5d2c7f1b8e11")
"""Of the ids that are made of a sender's own."""

NO_VERSION: Final = "-"
"""Of an outcome whose sender names its model alone: it need not know which version answered."""

_LONGEST_KEY = 512

NAMES: Final = ("model_name", "model_version", "training_run_id", "environment")
_COMMON = frozenset({*NAMES, "id", "event_id"})
FIELDS: Final[Mapping[Kind, frozenset[str]]] = MappingProxyType(
    {
        "predictions": _COMMON
        | frozenset(
            "event_time features prediction label probabilities entity_id request_id trace_id tags "
            "latency_us compute_us outputs classes".split()
        ),
        "outcomes": _COMMON | frozenset("actual observed_time logged_time revision acted_on".split()),
    }
)
"""What an item may say."""


class ItemError(WireError):
    """An item can't be an event; the reason is a short, bounded name."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Which version of which model, trained by which run, answered in which environment."""

    model_name: str
    model_version: str
    training_run_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class Item:
    """One prediction or outcome of a batch.

    Args:
        kind: which of the two.
        place: in the list that it came in, from 0.
        stream: what answered.
        event_id: of the prediction; a UUID.
        fields: the others, as they were sent.
    """

    kind: Kind
    place: int
    stream: Stream
    event_id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that is no event.

    Args:
        kind: the list that it came in.
        place: in that list, from 0.
        reason: a short, bounded name.
        detail: what is wrong, for a person.
        stream: what answered; None: not known.
    """

    kind: Kind
    place: int
    reason: str
    detail: str
    stream: Stream | None = None

    def shown(self) -> Mapping[str, Any]:
        """Return what the sender is answered."""
        return {"list": self.kind, "place": self.place, "reason": self.reason, "detail": self.detail}


def is_key(text: object) -> bool:
    """Return whether something may be what a sender calls a batch or a prediction."""
    try:
        return isinstance(text, str) and 0 < len(text) <= _LONGEST_KEY and bool(text.encode())
    except UnicodeEncodeError:  # A lone surrogate.
        return False


def own_event_id(model_name: str, own_id: str) -> str:
    """Return the event_id of a prediction that its sender calls by an id of its own; always the same."""
    return str(uuid5(NAMESPACE, f"{model_name}\0{own_id}"))


def read_item(kind: Kind, place: int, given: Any, defaults: Mapping[str, Any]) -> Item | Refusal:
    """Return an item, or why it is none.

    Args:
        kind: what it is to be.
        place: in its list.
        given: as it was sent.
        defaults: what the batch says of all items.
    """
    stream = None
    try:
        own = given if isinstance(given, Mapping) else {}
        fields = {**{name: value for name, value in defaults.items() if name in FIELDS[kind]}, **own}
        stream = _stream(kind, fields)
        if not isinstance(given, Mapping):
            raise ItemError("no_object", f"a {type(given).__name__}, where an object is wanted")
        if unknown := sorted(map(str, given.keys() - FIELDS[kind])):
            raise ItemError("unknown_field", f"{unknown[0][:100]!r} is no field of {kind}")
        event_id = _event_id(kind, stream, fields)
        if kind == "predictions":
            if not isinstance(fields.get("features") or {}, Mapping):
                raise ItemError("features", "features are an object: values by name")
            _check_time(fields.get("event_time"))
        return Item(kind, place, stream, event_id, fields)
    except WireError as error:
        return Refusal(kind, place, str(error.reason), error.detail, stream)
    except SettingError as error:
        return Refusal(kind, place, "names", str(error), stream)


def _stream(kind: Kind, fields: Mapping[str, Any]) -> Stream:
    """Return what answered; of an outcome only the model has to be named.

    Raises:
        SettingError: a name is missing or wrong.
    """
    names = {"environment": "production", **{name: fields[name] for name in NAMES if name in fields}}
    if kind == "outcomes":
        names = {"model_version": NO_VERSION, "training_run_id": NO_VERSION, **names}
    for name in NAMES:
        check_name(name, names.get(name))
    return Stream(
        str(names["model_name"]),
        str(names["model_version"]),
        str(names["training_run_id"]),
        environment_name(str(names["environment"])),
    )


def _event_id(kind: Kind, stream: Stream, fields: Mapping[str, Any]) -> str:
    if fields.get("event_id") is not None:
        return event_id_text(fields["event_id"])
    own = fields.get("id")
    if own is None and kind == "outcomes":
        raise ItemError("missing_id", "an outcome names its prediction: by event_id, or by the sender's id")
    if own is None:
        return ""
    if not isinstance(own, (str, int)) or isinstance(own, bool) or not is_key(str(own)):
        raise ItemError("invalid_id", "an id is a text of 1 to 512 characters, or a whole number")
    return own_event_id(stream.model_name, str(own))


def _check_time(time: Any) -> None:
    """Check that a prediction says when it was made: a repeated one is found again by that.

    Raises:
        ItemError: it does not.
    """
    if time is None:
        raise ItemError("missing_event_time", "event_time is needed, of the item or of the batch")
    try:
        event_time_us(time)
    except WireError as error:
        raise ItemError("invalid_event_time", error.detail) from error
