"""What applies, shown: row by row for a person, and as plain values for programs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.monitors.keys import Feature, Model, Retrain, keys_of
from driftline.monitors.scalars import INTERVAL, list_of, show_interval
from driftline.monitors.values import OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.monitors.model import FeatureMonitor, ModelMonitor, S


_NAMED: Mapping[str, Callable[[Any], str]] = {"events": list_of(INTERVAL).show, "labels": str}
"""The keys under which names stand that a team chose, and how what they hold is shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that applies.

    Args:
        key: such as `minimum_effect` or `features.dep_delay`.
        shown: its value, as the file would write it.
        line: of the file that sets it; None where it is a default.
    """

    key: str
    shown: str
    line: int | None


def explain(monitor: ModelMonitor[S]) -> Iterator[Row]:
    """Yield all that applies to a model, in the order of the documentation."""
    values = _values(monitor)
    for key in keys_of(Model):
        value = values[key.name]
        if key.name == "features":
            for name, feature in monitor.features.items():
                yield Row(f"features.{name}", _shown(feature), _first_line(monitor, name))
        elif key.name in _NAMED:
            for name, held in value.items():
                place = f"{key.name}.{name}"
                yield Row(place, _NAMED[key.name](held), monitor.lines.get(place))
        elif key.kind is None:
            yield from _section(monitor, key.name)
        else:
            shown = "none" if value == () else key.kind.show(value)
            yield Row(key.name, shown, monitor.lines.get(key.name))


def _section(monitor: ModelMonitor[S], section: str) -> Iterator[Row]:
    """Yield what a section of a model sets; of `retrain` what it leaves at its defaults, too."""
    if section == "retrain":
        values = {**Retrain().model_dump(), **monitor.retrain}
        shown = {
            own.name: own.kind.show(values[own.name]) if own.kind and values[own.name] != "" else "none"
            for own in keys_of(Retrain)
        }
    else:
        shown = dict(_flat(monitor.business_value))
    if not shown:
        yield Row(section, "none", None)
    for name, text in shown.items():
        yield Row(f"{section}.{name}", text, monitor.lines.get(f"{section}.{name}"))


def as_plain(monitor: ModelMonitor[S]) -> Mapping[str, Any]:
    """Return all that applies to a model, by key, as JSON can hold it."""
    values = _values(monitor)
    values["events"] = {
        name: [show_interval(times) for times in several] for name, several in monitor.events.items()
    }
    values["features"] = {name: _set(feature) for name, feature in monitor.features.items()}
    return values


def _values(monitor: ModelMonitor[S]) -> dict[str, Any]:
    settings = dataclasses.asdict(monitor.settings)
    own = {
        "enabled": monitor.enabled,
        "warn_only": monitor.warn_only,
        "joint": monitor.joint,
        "segments": (*monitor.segment_keys, *monitor.segments),
        "ignore_features": monitor.ignored_features,
        "features": monitor.features,
        "events": monitor.events,
        "retrain": {**Retrain().model_dump(), **monitor.retrain},
        "business_value": dict(monitor.business_value),
        "labels": dict(monitor.labels),
    }
    return {key.name: settings[key.field] if key.is_setting else own[key.name] for key in keys_of(Model)}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, f"{value:g}" if isinstance(value, float) else str(value)


def _set(feature: FeatureMonitor) -> Mapping[str, Any]:
    rules = {"rules": OFF} if feature.rules is None else feature.rules
    kind = {"kind": feature.kind} if feature.kind else {}
    return {**kind, **rules, **({} if feature.warn_only is None else {"warn_only": feature.warn_only})}


def _shown(feature: FeatureMonitor) -> str:
    kinds = {key.name: key.kind for key in keys_of(Feature)}
    values = ((name, kinds[name], value) for name, value in _set(feature).items())
    return "{" + ", ".join(f"{name}: {kind.show(value)}" for name, kind, value in values if kind) + "}"


def _first_line(monitor: ModelMonitor[S], feature: str) -> int | None:
    lines = (monitor.lines.get(f"features.{feature}.{key.name}") for key in keys_of(Feature))
    return min((line for line in lines if line is not None), default=None)
