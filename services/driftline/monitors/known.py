"""What a file of monitors names, and no model has: a slip of the pen, or something that is to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.names import is_answer
from driftline.monitors.keys import Feature, keys_of
from driftline.monitors.values import matches, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.monitors.model import FeatureMonitor, ModelMonitor, Monitors, S


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What is known of a model that has been served or trained.

    Args:
        numeric: names of its numeric features.
        categorical: names of its categorical features.
        tags: names of the tags that its predictions carry.
    """

    numeric: frozenset[str] = frozenset()
    categorical: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    @property
    def features(self) -> frozenset[str]:
        """The names of all features."""
        return self.numeric | self.categorical


def unmatched(monitors: Monitors[S], known: Mapping[str, KnownModel]) -> Iterator[str]:
    """Yield what the file names and no known model has, one warning a sentence.

    Args:
        monitors: what the file says.
        known: the models that there are, by name.
    """
    applied = {name: monitors.of(name) for name in known}
    for entry, monitor in monitors.entries.items():
        if not any(used is monitor for used in applied.values()):
            near = nearest(entry, known)
            hint = f"did you mean {near}?" if near else f"there are: {', '.join(sorted(known)) or 'none yet'}"
            yield f"models.{entry}: applies to no model that has landed; {hint}"
    # One line may apply to several models, by a pattern or as a default: it is fine if one of them has it.
    wrong: dict[tuple[int, str], str] = {}
    fine: set[tuple[int, str]] = set()
    for name, monitor in applied.items():
        for line, what, problem in _checks(monitor, known[name]):
            if problem:
                wrong.setdefault((line, what), f"line {line}: {what}: {name} {problem}")
            else:
                fine.add((line, what))
    yield from (warning for place, warning in sorted(wrong.items()) if place not in fine)


def _checks(monitor: ModelMonitor[S], model: KnownModel) -> Iterator[tuple[int, str, str]]:
    """Yield the line, what stands there, and what is wrong with it for this model, '' where nothing is."""
    for name, feature in monitor.features.items():
        for key in keys_of(Feature):
            if (line := monitor.lines.get(f"features.{name}.{key.name}")) is not None:
                yield line, f"features.{name}.{key.name}", _wrong_rule(name, key.name, feature, model)
    for pattern in monitor.ignored_features:
        missing = not any(matches(pattern, name) for name in model.features)
        yield monitor.lines["ignore_features"], pattern, _no_feature(pattern, model) if missing else ""
    for segment in (*monitor.segment_keys, *monitor.segments):
        yield monitor.lines["segments"], segment, _wrong_segment(segment.partition("=")[0], model)


def _wrong_rule(name: str, rule: str, feature: FeatureMonitor, model: KnownModel) -> str:
    if is_answer(name):
        return ""  # Every model has answers; not every part of them is profiled.
    if not any(matches(name, known) for known in model.features):
        return _no_feature(name, model)
    if "*" in name or feature.rules is None or feature.rules.get(rule) is None:
        return ""
    if rule in {"minimum", "maximum"} and name not in model.numeric:
        return "has it as a category, to which no bound applies"
    if rule == "allowed" and name not in model.categorical:
        return "has it as a number: set minimum and maximum"
    return ""


def _no_feature(name: str, model: KnownModel) -> str:
    near = nearest(name, model.features)
    return "has no such feature" + (f"; did you mean {near}?" if near else "")


def _wrong_segment(key: str, model: KnownModel) -> str:
    if key in model.tags | model.categorical:
        return ""
    if key in model.numeric:
        return "has it as a number; segments are of tags and categorical features"
    near = nearest(key, model.tags | model.categorical)
    return "has no such tag or categorical feature" + (f"; did you mean {near}?" if near else "")
