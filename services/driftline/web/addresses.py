"""Addresses of the pages: names may hold any character, also slashes, and still make one segment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

_MARK = "~"


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """What an address below ``/models/`` names.

    Args:
        model: name of the model.
        feature: name of its feature; None for the model's own page.
    """

    model: str
    feature: str | None = None


def model_path(model: str, **query: str | int | None) -> str:
    """Return the address of a model's page; query values of None are left out."""
    return f"/models/{_segment(model)}{_query(query)}"


def feature_path(model: str, feature: str, **query: str | int | None) -> str:
    """Return the address of a feature's page; query values of None are left out."""
    return f"/models/{_segment(model)}/features/{_segment(feature)}{_query(query)}"


def parse_path(raw_path: str) -> ModelAddress | None:
    """Read an address as it came over the wire, still quoted; None where it is no model's or feature's."""
    match raw_path.split("/"):
        case ["", "models", model] if model:
            return ModelAddress(_name(model))
        case ["", "models", model, "features", feature] if model:
            return ModelAddress(_name(model), _name(feature))
    return None


def _segment(name: str) -> str:
    # Browsers resolve the segments '.' and '..', quoted or not; a mark before them keeps them names.
    marked = name.startswith(_MARK) or name in {"", ".", ".."}
    return quote(_MARK + name if marked else name, safe="")


def _name(segment: str) -> str:
    return unquote(segment).removeprefix(_MARK)


def _query(query: dict[str, str | int | None]) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
