"""Reading a file of monitors: all that is wrong with it is reported at once."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from driftline.monitors.contradictions import Given, contradictions
from driftline.monitors.keys import File, Model, Section, keys_of
from driftline.monitors.model import FeatureMonitor, ModelMonitor, Monitors
from driftline.monitors.problems import Place, Problems
from driftline.monitors.syntax import Mapped, read_yaml
from driftline.monitors.values import KEY, LOGGED, OFF, errors_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from driftline.monitors.contradictions import Tree
    from driftline.monitors.model import S


def read_monitors(path: Path, settings: S) -> Monitors[S]:
    """Return what a file of monitors sets.

    Args:
        path: the file, YAML in UTF-8; ``docs/monitors.md`` has every key.
        settings: what holds where the file sets nothing, such as ``DriftSettings()``.

    Raises:
        MonitorsError: the file is missing, or something in it is wrong.
    """
    problems = Problems(str(path))
    root = read_yaml(path, problems)
    if isinstance(root, Mapped) and "version" not in root:
        problems.add(Place(root.line, root.column), "the version is missing; write `version: 1` at the top")
    tree = _tree(*_validated(root, problems), Place(1, 1))
    defaults, models = _section(tree, "defaults"), _section(tree, "models")
    others = _monitor(defaults, settings, problems)
    entries = {
        name: _monitor(_merged(defaults, _section(models, name)), settings, problems) for name in models
    }
    problems.report()
    return Monitors(others, MappingProxyType(entries))


def _validated(root: Any, problems: Problems) -> tuple[File, Any]:
    """Return what is right of a file, as read and as written; what is wrong is added to the problems."""
    try:
        return File.model_validate(root), root
    except ValidationError as error:
        wrong = []
        for location, message in errors_of(error):
            problems.add(_place(root, location), message)
            wrong.append(tuple(part for part in location if isinstance(part, str)))
    rest = Mapped() if () in wrong else _without(root, wrong)
    return File.model_validate(rest), rest


def _place(node: Any, location: Iterable[int | str]) -> Place:
    """Return where an error stands: at a key, at an item of a list, else at a value."""
    place = Place(node.line, node.column)
    for part in location:
        if isinstance(part, str):
            key = node.key(part)
            node = node[key]
            place = place.under(part, node.line, node.column)
        elif part != KEY:
            place = place._replace(line=node[part].line, column=node[part].column)
        else:
            place = place._replace(line=key.line, column=key.column)
    return place


def _without(node: Mapped, wrong: Iterable[tuple[str, ...]]) -> Mapped:
    """Return a copy of a mapping without these paths: an anchor's node stands in several places."""
    kept = Mapped()
    for key, value in node.items():
        below = [path[1:] for path in wrong if path[0] == key]
        if () not in below:
            kept[key] = _without(value, below) if below else value
    return kept


def _tree(read: Any, written: Any, at: Place) -> Tree:
    """Return what a mapping sets, with the place of each value."""
    if not isinstance(written, Mapped):
        return {}
    if isinstance(read, Section):
        values = {key.name: getattr(read, key.field) for key in keys_of(type(read))}
    else:
        values = read
    tree: Tree = {}
    for key, node in written.items():
        name, place = str(key), at.under(key, node.line, node.column)
        is_nested = isinstance(values[name], (Section, dict))
        tree[name] = _tree(values[name], node, place) if is_nested else Given(values[name], place)
    return tree


def _section(tree: Tree, name: str) -> Tree:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}


def _merged(general: Tree, own: Tree) -> Tree:
    """Return both; where they set the same, `own` counts. Its patterns stand before the general ones."""
    merged: Tree = dict(own)
    for name, given in general.items():
        if name not in merged:
            merged[name] = given
        elif isinstance(given, dict) and isinstance(mine := merged[name], dict):
            merged[name] = _merged(given, mine)
    return merged


def _monitor(tree: Tree, settings: S, problems: Problems) -> ModelMonitor[S]:
    values = _plain(tree)
    changes = {key.field: values[key.name] for key in keys_of(Model) if key.is_setting and key.name in values}
    found = list(contradictions(tree, dataclasses.asdict(settings) | changes))
    for place, message in found:
        problems.add(place, message)
    if not found:
        try:
            settings = dataclasses.replace(settings, **changes)
        except ValueError as error:  # What the settings know and no rule here describes more exactly.
            problems.add(next(_places(tree), Place(1, 1)), str(error))
    segments = values.get("segments", ())
    features = {name: _feature(given) for name, given in values.get("features", {}).items()}
    return ModelMonitor(
        settings=settings,
        enabled=values.get("enabled", True),
        warn_only=values.get("warn_only", False),
        joint=values.get("joint", "warn"),
        segment_keys=tuple(segment for segment in segments if "=" not in segment),
        segments=tuple(segment for segment in segments if "=" in segment),
        ignored_features=values.get("ignore_features", ()),
        features=MappingProxyType(features),
        events=MappingProxyType(values.get("events", {})),
        retrain=MappingProxyType(values.get("retrain", {})),
        business_value=MappingProxyType(values.get("business_value", {})),
        labels=MappingProxyType(values.get("labels", {})),
        lines=MappingProxyType(dict(_lines(tree))),
    )


def _feature(values: Mapping[str, Any]) -> FeatureMonitor:
    rules = {name: value for name, value in values.items() if name not in {"warn_only", "rules", "kind"}}
    is_off = values.get("rules") == OFF
    kind = values.get("kind", LOGGED)
    return FeatureMonitor(
        values.get("warn_only"),
        None if is_off else MappingProxyType(rules),
        "" if kind == LOGGED else kind,
    )


def _plain(tree: Tree) -> dict[str, Any]:
    return {name: given.value if isinstance(given, Given) else _plain(given) for name, given in tree.items()}


def _places(tree: Tree) -> Iterator[Place]:
    for given in tree.values():
        yield from (given.place,) if isinstance(given, Given) else _places(given)


def _lines(tree: Tree, above: str = "") -> Iterator[tuple[str, int]]:
    for name, given in tree.items():
        if isinstance(given, Given):
            yield above + name, given.place.line
        else:
            yield from _lines(given, f"{above}{name}.")
