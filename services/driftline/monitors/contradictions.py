"""Settings that are fine each by itself, and make no sense together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.monitors.keys import MODEL, show_hours
from driftline.monitors.kinds import OFF, Told, matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.monitors.kinds import Tree
    from driftline.monitors.problems import Place

_HOURS_PER_WEEK = 168


def contradictions(tree: Tree, settings: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield what contradicts what, at the place where it can be mended.

    Args:
        tree: what the file tells of one model, its defaults included.
        settings: the settings that this comes to, by field.
    """
    yield from _ages(tree, settings)
    features = tree.get("features")
    if isinstance(features, dict):
        for name, told in features.items():
            if isinstance(told, dict):
                yield from _feature(told)
                yield from _ignored(name, told, tree)


def _ages(tree: Tree, settings: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    pairs = (
        (
            "hour_of_day_after_hours",
            "hour_of_week_after_hours",
            "hours of the week would be known before those of the day",
        ),
        ("hour_of_week_after_hours", "reference_weeks", "the reference would never be old enough"),
        ("quiet_hours", "accept_after_hours", "a page would be accepted before it can end"),
        ("stuck_hours", "windows_hours", "no window would be long enough to show it"),
    )
    for lower, upper, why in pairs:
        small, large = _hours_of(lower, settings), _hours_of(upper, settings)
        at, by_default = _place(tree, lower, upper)
        if small is not None and large is not None and small > large and at is not None:
            shown = {lower: show_hours(small), upper: show_hours(large)}
            told = [
                f"{name} ({shown[name]}{', the default' if name in by_default else ''})" for name in shown
            ]
            yield at, f"{told[0]} is longer than {told[1]}: {why}"


def _hours_of(key: str, settings: Mapping[str, Any]) -> float | None:
    fields = {entry.name: entry.setting for entry in MODEL.keys}
    value = settings.get(fields[key])
    if value is None:
        return None
    if key == "reference_weeks":
        return float(value * _HOURS_PER_WEEK)
    return float(max(value)) if isinstance(value, tuple) else float(value)


def _place(tree: Tree, *names: str) -> tuple[Place | None, frozenset[str]]:
    """Return the later place of those that the file tells, and which it leaves at their defaults."""
    places = {name: told.place for name in names if isinstance(told := tree.get(name), Told)}
    return max(places.values(), default=None), frozenset(names) - places.keys()


def _feature(told: Tree) -> Iterator[tuple[Place, str]]:
    minimum, maximum, allowed = (_told(told, name) for name in ("minimum", "maximum", "allowed"))
    if minimum and maximum and minimum.value > maximum.value:
        yield (
            max(minimum.place, maximum.place),
            f"minimum ({minimum.value:g}) is above maximum ({maximum.value:g}): every value would be invalid",
        )
    if allowed and (number := minimum or maximum):
        yield (
            max(allowed.place, number.place),
            "minimum and maximum are for numbers, allowed is for categories; a feature is one of these",
        )
    rules = _told(told, "rules")
    others = [name for name in told if name not in {"rules", "warn_only"}]
    if rules and rules.value == OFF and others:
        yield rules.place, f"rules are off, and {others[0]} is one; take out one of the two"


def _told(tree: Tree, name: str) -> Told | None:
    """Return what the file tells, if that is a value: what is off contradicts nothing."""
    told = tree.get(name)
    return told if isinstance(told, Told) and told.value is not None else None


def _ignored(name: str, told: Tree, tree: Tree) -> Iterator[tuple[Place, str]]:
    """Yield what is said about the drift of a feature that is not judged; its rules for values still hold."""
    ignored, warns = _told(tree, "ignore_features"), _told(told, "warn_only")
    if "*" in name or ignored is None or warns is None:
        return
    for pattern in ignored.value:
        if matches(pattern, name):
            yield (
                warns.place,
                f"the feature is in ignore_features ({pattern}): it is not judged, so it can't warn",
            )
