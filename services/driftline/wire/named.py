"""Single values under their names, encoded by the rules of ``driftline.wire.values``; nothing raises here.

What the wire can't carry is left out, and remarked under the name of the feature, tag or argument.
"""

from __future__ import annotations

from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from driftline.wire.bounds import MAX_NAME_LENGTH
from driftline.wire.primitives import (
    NULL,
    SOME,
    EncodedTexts,
    Room,
    encode_text,
    encode_value_text,
    pack_double,
)
from driftline.wire.reasons import Remark, ValueRefusedError, unencodable
from driftline.wire.values import Rounded, feature_value, number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.wire.reasons import Remarks

_CACHED_TEXTS = 16_384  # Of 128 characters at most: a few megabytes at worst.
_CACHED_NAMES = 4_096
_SURELY_SHORT = 128
_SAMPLE = 64

_Value = TypeVar("_Value")


class Kind(IntEnum):
    """In which of an event's fields a feature stands."""

    NUMERIC = 0
    CATEGORICAL = 1
    MISSING = 2


def name_text(name: Any) -> str:
    """Return the name of a feature, tag or class: text by the rules of labels, not empty, not too long.

    Raises:
        ValueRefusedError: ``unencodable``.
    """
    text = text_value(name)
    if not text:
        raise unencodable("a name must not be empty")
    if len(text) > MAX_NAME_LENGTH:
        raise unencodable(f"a name of {len(text):,} characters; at most {MAX_NAME_LENGTH}")
    encode_text(text)
    return text


class NamedValues:
    """Encodes values under names. Safe to use from several threads.

    Args:
        remarks: called for each value that was left out or rounded.
    """

    def __init__(self, remarks: Remarks) -> None:
        self.remarks = remarks
        self._room = Room(_CACHED_TEXTS)
        self._optional = EncodedTexts(SOME, self._room)
        self._names: dict[str, bytes] = {}
        self._texts: dict[str, EncodedTexts] = {}

    def pairs(self, given: Any, argument: str) -> dict[str, Any]:
        """Return values by their names' texts. Of a name that is there twice the first value stands.

        Args:
            given: a mapping, a row of a frame or anything of a type with ``items()``; None: nothing.
            argument: what it is called in remarks.
        """
        if given is None:
            return {}
        if not hasattr(type(given), "items"):
            self.leave_out(argument, unencodable(f"{type(given).__name__} has no names: pass a dict"))
            return {}
        try:
            return self.unique(given.items(), argument)
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            self.leave_out(argument, error)
            return {}

    def unique(self, pairs: Iterable[tuple[Any, _Value]], argument: str) -> dict[str, _Value]:
        """Return values by their names' texts, as ``pairs``."""
        named: dict[str, _Value] = {}
        for name, value in pairs:
            try:
                text = name if type(name) is str and name in self._names else name_text(name)
            except Exception as error:  # noqa: BLE001 - so may a name's.
                self.leave_out(argument, error)
                continue
            if text in named:
                self.remarks(Remark.UNENCODABLE, text, "the name is there twice: the first value stands")
            else:
                named[text] = value
        return named

    def name(self, name: str) -> bytes:
        """Return a name that ``name_text`` returned, encoded."""
        encoded = self._names.get(name)
        if encoded is None:
            encoded = encode_text(name)
            if len(self._names) < _CACHED_NAMES:
                self._names[name] = encoded
        return encoded

    def texts(self, name: str) -> EncodedTexts:
        """Return what encodes texts under a name, the name before the text."""
        texts = self._texts.get(name)
        if texts is None:
            texts = EncodedTexts(self.name(name), self._room)
            if len(self._texts) < _CACHED_NAMES:
                self._texts[name] = texts
        return texts

    def feature(self, name: str, value: Any, called: str = "") -> tuple[Kind, bytes] | None:
        """Return in which field a feature stands, and its entry there; None: it is left out.

        Args:
            name: as ``name_text`` returned it.
            value: the feature's.
            called: what it is called in remarks. Default: by its name.
        """
        try:
            plain = feature_value(value)
            if plain is None:
                return Kind.MISSING, self.name(name)
            if isinstance(plain, str):
                return Kind.CATEGORICAL, self.texts(name)[plain]
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            self.leave_out(called or name, error)
            return None
        return Kind.NUMERIC, self.name(name) + self.double(called or name, plain)

    def double(self, name: str, number: float) -> bytes:
        """Return a number."""
        if type(number) is Rounded:
            self.remarks(Remark.ROUNDED, name, "no double equals the number; pass a string if it is an id")
        return pack_double(number)

    def number(self, name: str, value: Any) -> float | None:
        """Return a value as a number; None: it is missing, or left out."""
        number = self.taken(number_value, name, value)
        if type(number) is Rounded:
            self.double(name, number)
        return number

    def text(self, name: str, value: Any) -> str | None:
        """Return a value as text that can be encoded; None: it is missing, or left out."""
        return self.taken(_checked_text, name, value)

    def optional(self, text: str | None) -> bytes:
        """Return a text that may be missing; kept for when it comes again.

        Raises:
            ValueRefusedError: ``unencodable``; not for what ``text`` returned.
        """
        return NULL if text is None else self._optional[text]

    def optionals(self, name: str, values: list[Any]) -> list[bytes]:
        """Return texts that may be missing, as ``text`` and ``optional``."""
        if set(map(type, values)) == {str}:
            some = values[:_SAMPLE]  # Identities mostly differ, and are not worth being kept.
            encode = self._once if 2 * len(set(some)) > _SAMPLE else self._optional.__getitem__
            with suppress(ValueRefusedError):
                return list(map(encode, values))
        return [self.optional(self.text(name, value)) for value in values]

    def _once(self, text: str) -> bytes:
        return SOME + encode_value_text(text)

    def column(self, name: str, values: list[Any]) -> list[str | None]:
        """Return texts, as ``text``; strings of Python's own as they are."""
        if set(map(type, values)) == {str}:
            return values
        return [self.text(name, value) for value in values]

    def taken(self, convert: Callable[[Any], _Value | None], name: str, value: Any) -> _Value | None:
        """Return what a function makes of a value; None, and a remark, where it raises."""
        try:
            return convert(value)
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            self.leave_out(name, error)
            return None

    def leave_out(self, name: str, error: Exception, *, instead: str = "") -> None:
        """Remark that a value is left out, and what stands in its place, if anything."""
        detail = error.detail if isinstance(error, ValueRefusedError) else f"it made a {type(error).__name__}"
        self.remarks(Remark.UNENCODABLE, name, f"{detail}; {instead}" if instead else detail)


def _checked_text(value: Any) -> str | None:
    text = text_value(value)
    if text is not None and (len(text) > _SURELY_SHORT or not text.isascii()):
        encode_value_text(text)
    return text
