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
        explores: whether it is the page of the model's predictions.
    """

    model: str
    feature: str | None = None
    explores: bool = False


def model_path(model: str, **query: str | int | None) -> str:
    """Return the address of a model's page; query values of None are left out."""
    return f"/models/{_segment(model)}{_query(query)}"


def feature_path(model: str, feature: str, **query: str | int | None) -> str:
    """Return the address of a feature's page; query values of None are left out."""
    return f"/models/{_segment(model)}/features/{_segment(feature)}{_query(query)}"


def explorer_path(model: str, **query: str | int | None) -> str:
    """Return the address of the page of a model's predictions; query values of None are left out."""
    return f"/models/{_segment(model)}/predictions{_query(query)}"


def incident_path(incident_id: str) -> str:
    """Return the address of one incident's story."""
    return f"/incidents/{_segment(incident_id)}"


def prediction_path(event_id: str) -> str:
    """Return the address of one prediction."""
    return f"/predictions/{_segment(event_id)}"


def runbook_path(alert: str) -> str:
    """Return the address of what to do about an alert."""
    return f"/runbooks/{_segment(alert)}"


def parse_path(raw_path: str) -> ModelAddress | None:
    """Read an address as it came over the wire, still quoted; None where it is no model's or feature's."""
    match raw_path.split("/"):
        case ["", "models", model] if model:
            return ModelAddress(_name(model))
        case ["", "models", model, "predictions"] if model:
            return ModelAddress(_name(model), explores=True)
        case ["", "models", model, "features", feature] if model:
            return ModelAddress(_name(model), _name(feature))
    return None


def parse_name(raw_path: str) -> str | None:
    """Read the name in an address such as ``/incidents/NAME``, still quoted; None where it holds none."""
    match raw_path.split("/"):
        case ["", _, name] if name:
            return _name(name)
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
