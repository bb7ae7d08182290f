"""What applies, told again: row by row for a person, and as plain values for programs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.monitors.keys import FEATURE, MODEL
from driftline.monitors.kinds import OFF

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.monitors.model import FeatureMonitor, ModelMonitor, S


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that applies.

    Args:
        key: such as `minimum_effect` or `features.dep_delay`.
        shown: its value, as the file would tell it.
        line: of the file that tells it; None where it is a default.
    """

    key: str
    shown: str
    line: int | None


def explain(monitor: ModelMonitor[S]) -> Iterator[Row]:
    """Yield all that applies to a model, in the order of the documentation."""
    values = _values(monitor)
    for key in MODEL.keys:
        value = values[key.name]
        if key.name == "features":
            for name, feature in monitor.features.items():
                told = FEATURE.show(_told(feature))
                yield Row(f"features.{name}", told, _first_line(monitor, name))
        elif key.name == "labels":
            yield from (
                Row(f"labels.{name}", text, monitor.lines.get(f"labels.{name}"))
                for name, text in value.items()
            )
        else:
            shown = "none" if value == () else key.kind.show(value)
            yield Row(key.name, shown, monitor.lines.get(key.name))


def as_plain(monitor: ModelMonitor[S]) -> Mapping[str, Any]:
    """Return all that applies to a model, by key, as JSON can hold it."""
    values = _values(monitor)
    values["features"] = {name: _told(feature) for name, feature in monitor.features.items()}
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
        "labels": dict(monitor.labels),
    }
    return {key.name: settings[key.setting] if key.setting else own[key.name] for key in MODEL.keys}


def _told(feature: FeatureMonitor) -> Mapping[str, Any]:
    rules = {"rules": OFF} if feature.rules is None else feature.rules
    return {**rules, **({"warn_only": True} if feature.warn_only else {})}


def _first_line(monitor: ModelMonitor[S], feature: str) -> int | None:
    lines = (monitor.lines.get(f"features.{feature}.{key.name}") for key in FEATURE.keys)
    return min((line for line in lines if line is not None), default=None)
