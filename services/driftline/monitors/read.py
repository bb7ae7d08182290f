"""Reading a file of monitors: all that is wrong with it is told at once."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from driftline.monitors.contradictions import contradictions
from driftline.monitors.keys import FILE, MODEL
from driftline.monitors.kinds import OFF, Told
from driftline.monitors.model import FeatureMonitor, ModelMonitor, Monitors
from driftline.monitors.problems import Place, Problems
from driftline.monitors.syntax import Mapped, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from driftline.monitors.kinds import Tree
    from driftline.monitors.model import S


def read_monitors(path: Path, settings: S) -> Monitors[S]:
    """Return what a file of monitors says.

    Args:
        path: the file, YAML in UTF-8; ``docs/monitors.md`` has every key.
        settings: what holds where the file says nothing, such as ``DriftSettings()``.

    Raises:
        MonitorsError: the file is missing, or something in it is wrong.
    """
    problems = Problems(str(path))
    root = read_yaml(path, problems)
    tree = FILE.read(root, Place(root.line, root.column), problems) or {}
    if isinstance(root, Mapped) and "version" not in {key.text for key, _ in root.entries}:
        problems.add(Place(root.line, root.column), "the version is missing; write `version: 1` at the top")
    defaults, models = _section(tree, "defaults"), _section(tree, "models")
    others = _monitor(defaults, settings, problems)
    entries = {
        name: _monitor(_merged(defaults, _section(models, name)), settings, problems) for name in models
    }
    problems.tell()
    return Monitors(others, MappingProxyType(entries))


def _section(tree: Tree, name: str) -> Tree:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}


def _merged(general: Tree, own: Tree) -> Tree:
    """Return both; where they tell the same, `own` counts. Its patterns stand before the general ones."""
    merged: Tree = dict(own)
    for name, told in general.items():
        if name not in merged:
            merged[name] = told
        elif isinstance(told, dict) and isinstance(mine := merged[name], dict):
            merged[name] = _merged(told, mine)
    return merged


def _monitor(tree: Tree, settings: S, problems: Problems) -> ModelMonitor[S]:
    values = _plain(tree)
    changes = {key.setting: values[key.name] for key in MODEL.keys if key.setting and key.name in values}
    found = list(contradictions(tree, dataclasses.asdict(settings) | changes))
    for place, message in found:
        problems.add(place, message)
    if not found:
        try:
            settings = dataclasses.replace(settings, **changes)
        except ValueError as error:  # What the settings know and no rule here tells more exactly.
            problems.add(next(_places(tree), Place(1, 1)), str(error))
    segments = values.get("segments", ())
    return ModelMonitor(
        settings=settings,
        enabled=values.get("enabled", True),
        warn_only=values.get("warn_only", False),
        joint=values.get("joint", "warn"),
        segment_keys=tuple(segment for segment in segments if "=" not in segment),
        segments=tuple(segment for segment in segments if "=" in segment),
        ignored_features=values.get("ignore_features", ()),
        features=MappingProxyType(
            {name: _feature(told) for name, told in values.get("features", {}).items()}
        ),
        labels=MappingProxyType(values.get("labels", {})),
        lines=MappingProxyType(dict(_lines(tree))),
    )


def _feature(values: Mapping[str, Any]) -> FeatureMonitor:
    rules = {name: value for name, value in values.items() if name not in {"warn_only", "rules"}}
    is_off = values.get("rules") == OFF
    return FeatureMonitor(values.get("warn_only", False), None if is_off else MappingProxyType(rules))


def _plain(tree: Tree) -> dict[str, Any]:
    return {name: told.value if isinstance(told, Told) else _plain(told) for name, told in tree.items()}


def _places(tree: Tree) -> Iterator[Place]:
    for told in tree.values():
        yield from (told.place,) if isinstance(told, Told) else _places(told)


def _lines(tree: Tree, above: str = "") -> Iterator[tuple[str, int]]:
    for name, told in tree.items():
        if isinstance(told, Told):
            yield above + name, told.place.line
        else:
            yield from _lines(told, f"{above}{name}.")
