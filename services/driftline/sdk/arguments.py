"""Arguments that are checked once and raise when they are wrong."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.wire import MAX_NAME_LENGTH, ValueRefusedError
from driftline.wire.named import name_text
from driftline.wire.values import number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def check_text(name: str, text: object) -> None:
    """Check that an argument is a string that can be encoded, and not empty.

    Raises:
        SettingError: it is not; the message names the argument.
    """
    if not isinstance(text, str) or not text:
        raise SettingError(f"{name}={text!r}: it must be a string, and not empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingError(f"{name}={text!r}: it holds a lone surrogate") from None


_PRODUCTION = frozenset({"production", "prod", "prd", "live"})


def environment_name(text: str) -> str:
    """Return an environment's name; what people call production is ``production``, however it is written."""
    return "production" if text.strip().casefold() in _PRODUCTION else text


def check_name(name: str, text: object) -> None:
    """Check that an argument is a text that events are known by.

    Raises:
        SettingError: as ``check_text``, or it is too long; the message names the argument.
    """
    check_text(name, text)
    if isinstance(text, str) and len(text) > MAX_NAME_LENGTH:
        raise SettingError(f"{name}={text[:40]!r}...: {len(text):,} characters; at most {MAX_NAME_LENGTH}")


def check_positive(name: str, number: object) -> None:
    """Check that an argument is a number above 0.

    Raises:
        SettingError: it is not; the message names the argument.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not number > 0:
        raise SettingError(f"{name}={number!r}: it must be a number above 0")


def checked_texts(
    argument: str, values: Mapping[str, Any] | None, *, max_bytes: int | None = None
) -> Mapping[str, str]:
    """Return values by name as text; those that are None are left out.

    Args:
        argument: what they are called in errors.
        values: by name.
        max_bytes: how long each may be.

    Raises:
        SettingError: a value is neither text nor number, or too long; the message names it.
    """
    checked: dict[str, str] = {}
    for name, value in (values or {}).items():
        check_name(f"a name in {argument}", name)
        try:
            text = text_value(value)
        except ValueRefusedError as error:
            raise SettingError(f"{argument}[{name!r}]: {error.detail}") from None
        if text is not None:
            if text:
                check_text(f"{argument}[{name!r}]", text)
            if max_bytes is not None and len(text.encode()) > max_bytes:
                length = f"{len(text):,} characters; at most {max_bytes:,} bytes"
                raise SettingError(f"{argument}[{name!r}]={text[:40]!r}...: {length}")
            checked[name] = text
    return MappingProxyType(checked)


def checked_names(argument: str, names: Collection[Any] | None) -> frozenset[str]:
    """Return names of features as text.

    Raises:
        SettingError: they are one text, or one of them is no name; the message says which.
    """
    if isinstance(names, str):
        raise SettingError(f"{argument}={names!r}: pass a list of names")
    found: set[str] = set()
    for name in names or ():
        try:
            found.add(name_text(name))
        except ValueRefusedError as error:
            raise SettingError(f"{argument}: {name!r}: {error.detail}") from None
    return frozenset(found)


def checked_numbers(argument: str, values: Mapping[str, Any] | None) -> Mapping[str, float]:
    """Return values by name as numbers; those that are None are left out.

    Raises:
        SettingError: a value is no number; the message names it.
    """
    checked: dict[str, float] = {}
    for name, value in (values or {}).items():
        check_name(f"a name in {argument}", name)
        try:
            number = number_value(value)
        except ValueRefusedError as error:
            raise SettingError(f"{argument}[{name!r}]: {error.detail}") from None
        if number is not None:
            checked[name] = number
    return MappingProxyType(checked)
