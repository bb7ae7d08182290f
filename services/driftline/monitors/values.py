"""What a value may be: kinds, of which pydantic's models of the keys are made (`driftline.monitors.keys`).

A kind reads a value, names what is allowed, describes it to JSON Schema, and shows it again.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from driftline.monitors.problems import quoted
from driftline.monitors.syntax import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

OFF: Final = "off"
LOGGED: Final = "logged"
KEY: Final = -1
"""Ends the location of an error that is about a key, not about its value."""


def wrong(message: str) -> PydanticCustomError:
    """Return the error that a value is refused with."""
    return PydanticCustomError("monitors", message)


def refuse(errors: Iterable[tuple[tuple[int | str, ...], str]]) -> None:
    """Raise ValidationError of all errors, each a location and a message, if there are any."""
    if found := [InitErrorDetails(type=wrong(message), loc=at, input=None) for at, message in errors]:
        raise ValidationError.from_exception_data("monitors", found)


def errors_of(error: ValidationError) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield location and message of each error."""
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        yield each["loc"], each["msg"]


def read_mapping(
    value: Any, belongs: str, wrong_keys: Callable[[Iterable[str]], Iterable[tuple[str, str]]], read: Any
) -> Any:
    """Return what a mapping is read as; where nothing stands, it is an empty one.

    Args:
        value: what the file has.
        belongs: what has to stand here, for the message where it is no mapping.
        wrong_keys: yields the keys that are wrong, and why.
        read: reads the mapping, or raises ValidationError.

    Raises:
        ValidationError: all that is wrong with keys and values, at once.
    """
    if isinstance(value, Text) and value.is_nothing:
        value = {}
    if not isinstance(value, dict):
        raise wrong(f"{quoted(value) if isinstance(value, str) else 'a list'} stands where {belongs}")
    errors: list[tuple[tuple[int | str, ...], str]] = [
        ((key, KEY), message) for key, message in wrong_keys(value)
    ]
    result = None
    try:
        result = read(value)
    except ValidationError as error:
        errors += errors_of(error)
    refuse(errors)
    return result


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of value.

    Args:
        allowed: what is allowed, in a phrase that follows "a value is".
    """

    allowed: str

    def read(self, value: Any) -> Any:
        """Return what a value of the file means, or raise what is wrong with it."""
        return value

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return {}

    def show(self, value: Any) -> str:
        """Return a value as the file would write it."""
        return str(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True, slots=True)
class Scalar(Kind):
    """One number or one text.

    Args:
        noun: what it is called, with its article, such as ``a share``.
        parse: reads its text; a ValueError means that it is none, and its message how to mend it.
        json: what JSON Schema says of it.
        form: shows it again.
        is_text: it may stand in quotes.
    """

    noun: str
    parse: Callable[[str], Any]
    json: Mapping[str, Any]
    form: Callable[[Any], str] = str
    is_text: bool = False

    def read(self, value: Any) -> Any:
        """Return the value; raise where it is no such text, or stands in quotes and is no text."""
        if problem := self._wrong_form(value):
            raise wrong(problem)
        try:
            return self.parse(str(value))
        except ValueError as error:
            hint = str(error) or self._expected()
        raise wrong(f"{quoted(value)} is no {self.noun.partition(' ')[2]}; {hint}")

    def _expected(self) -> str:
        is_repeated = self.allowed.startswith(self.noun)
        return f"expected {self.allowed}" if is_repeated else f"{self.noun} is {self.allowed}"

    def _wrong_form(self, value: Any) -> str:
        if not isinstance(value, Text):
            return f"{'a list' if isinstance(value, list) else 'a mapping'} stands where {self.noun} belongs"
        if value.is_nothing and self.is_text and value:
            return f'{value} means no value; if that text is meant, put it in quotes: "{value}"'
        if value.is_nothing:
            return f"the value is missing; {self._expected()}"
        if value.quoted and not self.is_text:
            return f"{quoted(value)} is a text, since it stands in quotes; {self.noun} stands without"
        return ""

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return dict(self.json)

    def show(self, value: Any) -> str:
        """Return a value as the file would write it."""
        return self.form(value)


@dataclass(frozen=True, slots=True)
class Listed(Kind):
    """A list of scalars without repeats.

    Args:
        of: what each item is.
        least: so many items at least.
        wrong: returns what is wrong with the list as a whole, or ''.
    """

    of: Scalar
    least: int = 1
    wrong: Callable[[Sequence[Any]], str] = lambda _: ""

    def read(self, value: Any) -> tuple[Any, ...]:
        """Return a tuple of its items."""
        if not isinstance(value, list):
            shown = value if isinstance(value, Text) and not value.is_nothing else "..."
            raise wrong(f"a list belongs here; write [{shown}]")
        if len(value) < self.least:
            raise wrong(f"the list is empty; expected {self.allowed}")
        read: list[Any] = []
        errors: list[tuple[tuple[int | str, ...], str]] = []
        for place, item in enumerate(value):
            try:
                if (one := self.of.read(item)) in read:
                    raise wrong(f"{self.of.show(one)} stands in this list twice; keep one")
                read.append(one)
            except PydanticCustomError as error:
                errors.append(((place,), str(error)))
        refuse(errors)
        if problem := self.wrong(read):
            raise wrong(problem)
        return tuple(read)

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return {"type": "array", "items": self.of.schema(), "minItems": self.least, "uniqueItems": True}

    def show(self, value: Any) -> str:
        """Return a list as the file would write it."""
        return "[" + ", ".join(map(self.of.show, value)) + "]"


@dataclass(frozen=True, slots=True)
class OrOff(Kind):
    """Either a value, or ``off``, which is read as None.

    Args:
        of: what the value is.
    """

    of: Kind

    def read(self, value: Any) -> Any:
        """Return the value; None where it is off."""
        of = replace(self.of, allowed=self.allowed) if isinstance(self.of, Scalar) else self.of
        return None if value == OFF else of.read(value)

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return {"anyOf": [self.of.schema(), {"const": OFF}]}

    def show(self, value: Any) -> str:
        """Return a value as the file would write it."""
        return OFF if value is None else self.of.show(value)


@dataclass(frozen=True, slots=True)
class Named(Kind):
    """A mapping whose keys are names that the team chose, and whose values pydantic reads.

    Args:
        what: what the names are, such as `names of features`.
        wrong: returns what is wrong with a name, or ''.
        in_order: among the names are patterns, and each must be able to apply.
        schema_names: a regular expression that each name has to match.
    """

    what: str
    wrong: Callable[[str], str] = lambda _: ""
    in_order: bool = False
    schema_names: str = "."

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        belongs = f"a mapping from {self.what} belongs"
        return core_schema.no_info_wrap_validator_function(
            lambda value, read: read_mapping(value, belongs, self._wrong_names, read), handler(source)
        )

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        names = {"propertyNames": {"pattern": self.schema_names}}
        return {**handler(core["schema"]), "type": ["object", "null"], **names}

    def _wrong_names(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        earlier: list[Any] = []
        for name in names:
            problem = self.wrong(name) if name else "a name is missing here"
            hiding = (other for other in earlier if self.in_order and "*" in name and matches(other, name))
            if other := next(hiding, None):
                line = f"{other} in line {other.line}"
                problem = problem or f"never applies: {line} matches first; put this one before it"
            if problem:
                yield name, problem
            earlier.append(name)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the name that is most like another one; '' where none is."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1)), "")


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is of a pattern, in which only ``*`` is special: any text, or none."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
