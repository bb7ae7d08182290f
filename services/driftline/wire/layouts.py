"""Features of one prediction, encoded by a layout that is worked out once for all events that look alike."""

from __future__ import annotations

from operator import getitem, itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any

from driftline.wire.named import Kind, name_text
from driftline.wire.primitives import NULL, encode_entries, encode_long
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.shapes import one
from driftline.wire.values import LARGEST_DENSE_INTEGER, as_category, is_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from driftline.wire.named import NamedValues

_MAX_LAYOUTS = 512
_MAX_FEATURES = 1_000
_NUMBERS = frozenset({float, int, bool})
_PLAIN_TYPES = _NUMBERS | {str, type(None)}


class Doubles:
    """Packs the doubles of several names, with what stands before and behind them, in one step.

    Args:
        names: encoded.
        before: what stands before.
        behind: what stands behind.
    """

    def __init__(self, names: Sequence[bytes], before: bytes = b"", behind: bytes = b"") -> None:
        parts = [before + names[0], *names[1:], behind] if names else [before + behind]
        self._pack = Struct("<" + "d".join(f"{len(part)}s" for part in parts)).pack
        self._arguments: list[Any] = [None] * (2 * len(parts) - 1)
        self._arguments[::2] = parts

    def __call__(self, numbers: Sequence[float]) -> bytes:
        """Return the entries; as many numbers as names, floats, bools or integers that doubles equal."""
        arguments = self._arguments.copy()
        arguments[1::2] = numbers
        return self._pack(*arguments)


class Layout:
    """How features with certain names, in a certain order and of certain plain types, are encoded.

    Args:
        names: of the features; each once, and as ``name_text`` returns them.
        types: of their values: float, bool, int, str or that of None.
        named: encodes names and texts.
    """

    def __init__(self, names: tuple[str, ...], types: tuple[type, ...], named: NamedValues) -> None:
        self.names, self.types = names, types
        numeric = [place for place, kind in enumerate(types) if kind in _NUMBERS]
        texts = [place for place, kind in enumerate(types) if kind is str]
        missing = [named.name(name) for name, kind in zip(names, types, strict=True) if kind is type(None)]
        self._numbers, self._given_texts = _several(numeric), _several(texts)
        integers = [place for place, kind in enumerate(types) if kind is int]
        self._integers = _several(integers) if integers else None
        self._texts = [named.texts(names[place]) for place in texts]
        self._doubles = Doubles(
            [named.name(names[place]) for place in numeric],
            encode_long(len(numeric)) if numeric else b"",
            NULL + (encode_long(len(texts)) if texts else b""),
        )
        self._behind = NULL + encode_entries(len(missing), b"".join(missing))

    def encode(self, values: tuple[Any, ...]) -> bytes | None:
        """Return numeric_features, categorical_features and missing_features.

        None: a value is none of the common ones, and has to be looked at.
        """
        if self._integers is not None:
            for number in self._integers(values):
                if not -LARGEST_DENSE_INTEGER <= number <= LARGEST_DENSE_INTEGER:
                    return None
        try:
            texts = map(getitem, self._texts, self._given_texts(values))
            return b"".join((self._doubles(self._numbers(values)), *texts, self._behind))
        except ValueRefusedError:
            return None


def _several(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what takes the values at these places: none, one or several."""
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0, 0))


class FeatureEncoder:
    """Encodes the features of single predictions. Safe to use from several threads.

    Args:
        named: encodes names and single values.
        argument: what they are called in remarks, ``features`` or ``outputs``.
        categorical: names of those that are categories, whatever the type of their values.
    """

    def __init__(
        self, named: NamedValues, *, argument: str = "features", categorical: Collection[str] = ()
    ) -> None:
        self._named = named
        self._argument = argument
        self._prefix = "" if argument == "features" else f"{argument}."
        self._categorical = frozenset(categorical)
        self._places: dict[tuple[Any, ...], Sequence[int]] = {}
        self._layouts: dict[tuple[Any, ...], Layout] = {}
        self._last = Layout((), (), named)

    def encode(self, features: Any) -> bytes:
        """Return numeric_features, categorical_features and missing_features.

        Args:
            features: value by name; a mapping or anything with ``items()``. None: no features.
        """
        if type(features) is dict:
            values = tuple(features.values())
            if self._categorical:
                values = self._with_categories(tuple(features), values)
            layout = self._layout(tuple(features), tuple(map(type, values)))
            encoded = None if layout is None else layout.encode(values)
            if encoded is not None:
                return encoded
        return NULL * 3 if features is None else self._one_by_one(features)

    def _with_categories(self, names: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return values, those of categories as text. A name that is no string is looked at one by one."""
        places = self._places.get(names)
        if places is None:
            known = [name if type(name) is str else "" for name in names]
            places = [place for place, name in enumerate(known) if name in self._categorical]
            if len(self._places) < _MAX_LAYOUTS:
                self._places[names] = places
        if not places:
            return values
        own = [*values]
        for place in places:
            own[place] = as_category(own[place])
        return tuple(own)

    def _layout(self, names: tuple[Any, ...], types: tuple[type, ...]) -> Layout | None:
        """Return the layout of features; None: they are out of the ordinary."""
        try:
            layout = self._last
            if layout.types == types and layout.names == names:
                return layout
            found = self._layouts.get((*names, *types)) or self._new_layout(names, types)
            if found is not None:
                self._last = found
        except Exception:  # noqa: BLE001 - a name's own methods may raise anything.
            return None
        return found

    def _new_layout(self, names: tuple[Any, ...], types: tuple[type, ...]) -> Layout | None:
        """Return a layout, kept from now on; None: there is none for such features, or no room."""
        if len(self._layouts) >= _MAX_LAYOUTS or len(names) > _MAX_FEATURES:
            return None
        if not _PLAIN_TYPES.issuperset(types) or any(type(name) is not str for name in names):
            return None
        if any(name_text(name) != name for name in names):
            return None
        layout = self._layouts[*names, *types] = Layout(names, types, self._named)
        return layout

    def _one_by_one(self, features: Any) -> bytes:
        named = self._named
        fields: tuple[list[bytes], ...] = tuple([] for _ in Kind)
        is_pandas = _is_pandas(features)
        for name, value in named.pairs(features, self._argument).items():
            if is_pandas and is_nan(value):
                value = None  # noqa: PLW2901 - pandas has no other way to say that.
            if name in self._categorical:
                value = as_category(value)  # noqa: PLW2901 - it was declared one.
            if self._prefix:
                value = one(value)  # noqa: PLW2901 - models answer so.
            found = named.feature(name, value, self._prefix + name)
            if found is not None:
                fields[found[0]].append(found[1])
        return b"".join(encode_entries(len(field), b"".join(field)) for field in fields)


def _is_pandas(features: Any) -> bool:
    """Return whether this is a row of pandas, in which NaN is a missing value."""
    return type(features).__module__.partition(".")[0] == "pandas"
