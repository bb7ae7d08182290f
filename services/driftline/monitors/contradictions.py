"""Settings that are fine each by itself, and make no sense together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from driftline.monitors.keys import Model, keys_of
from driftline.monitors.scalars import show_hours
from driftline.monitors.values import OFF, matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.monitors.problems import Place

_HOURS_PER_WEEK = 168


@dataclass(frozen=True, slots=True)
class Given:
    """A value that the file sets, and where.

    Args:
        value: as its kind reads it.
        place: of the value.
    """

    value: Any
    place: Place


Tree: TypeAlias = "dict[str, Given | Tree]"
"""What a section of the file sets, key by key."""


def contradictions(tree: Tree, settings: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield what contradicts what, at the place where it can be mended.

    Args:
        tree: what the file sets for one model, its defaults included.
        settings: the settings that this comes to, by field.
    """
    yield from _ages(tree, settings)
    yield from _business_value(tree.get("business_value"))
    features = tree.get("features")
    if isinstance(features, dict):
        for name, given in features.items():
            if isinstance(given, dict):
                yield from _feature(given)
                yield from _ignored(name, given, tree)


def _ages(tree: Tree, settings: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    pairs = (
        (
            "hour_of_day_after_hours",
            "hour_of_week_after_hours",
            "hours of the week would be known before those of the day",
        ),
        ("hour_of_week_after_hours", "reference_weeks", "the reference would never be old enough"),
        ("quiet_hours", "accept_after_hours", "an incident would be accepted before it can end"),
        ("stuck_hours", "windows_hours", "no window would be long enough to show it"),
    )
    for lower, upper, why in pairs:
        small, large = _hours_of(lower, settings), _hours_of(upper, settings)
        at, by_default = _place(tree, lower, upper)
        if small is not None and large is not None and small > large and at is not None:
            shown = {lower: show_hours(small), upper: show_hours(large)}
            pair = [
                f"{name} ({shown[name]}{', the default' if name in by_default else ''})" for name in shown
            ]
            yield at, f"{pair[0]} is longer than {pair[1]}: {why}"


def _business_value(value: Given | Tree | None) -> Iterator[tuple[Place, str]]:
    """Yield that worths have no currency."""
    if not isinstance(value, dict) or not value or _given(value, "currency"):
        return
    first = _first_given(value)
    if first is not None:
        yield first.place, "what answers are worth has no currency; set one beside it, such as currency: EUR"


def _first_given(tree: Tree) -> Given | None:
    """Return the first value that a section sets, in whatever depth; None: it sets none."""
    for each in tree.values():
        found = each if isinstance(each, Given) else _first_given(each)
        if found is not None:
            return found
    return None


def _hours_of(key: str, settings: Mapping[str, Any]) -> float | None:
    fields = {entry.name: entry.field for entry in keys_of(Model)}
    value = settings.get(fields[key])
    if value is None:
        return None
    if key == "reference_weeks":
        return float(value * _HOURS_PER_WEEK)
    return float(max(value)) if isinstance(value, tuple) else float(value)


def _place(tree: Tree, *names: str) -> tuple[Place | None, frozenset[str]]:
    """Return the later place of those that the file sets, and which it leaves at their defaults."""
    places = {name: given.place for name in names if isinstance(given := tree.get(name), Given)}
    return max(places.values(), default=None), frozenset(names) - places.keys()


def _feature(feature: Tree) -> Iterator[tuple[Place, str]]:
    minimum, maximum, allowed = (_given(feature, name) for name in ("minimum", "maximum", "allowed"))
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
    rules = _given(feature, "rules")
    others = [name for name in feature if name not in {"rules", "warn_only", "kind"}]
    if rules and rules.value == OFF and others:
        yield rules.place, f"rules are off, and {others[0]} is one; take out one of the two"


def _given(tree: Tree, name: str) -> Given | None:
    """Return what the file sets, if that is a value: what is off contradicts nothing."""
    given = tree.get(name)
    return given if isinstance(given, Given) and given.value is not None else None


def _ignored(name: str, feature: Tree, tree: Tree) -> Iterator[tuple[Place, str]]:
    """Yield what is set about the drift of a feature that is not judged; its rules for values still hold."""
    ignored, warns = _given(tree, "ignore_features"), _given(feature, "warn_only")
    if "*" in name or ignored is None or warns is None:
        return
    for pattern in ignored.value:
        if matches(pattern, name):
            yield (
                warns.place,
                f"the feature is in ignore_features ({pattern}): it is not judged, so it can't warn",
            )
