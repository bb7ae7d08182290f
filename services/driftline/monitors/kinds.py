"""What a value may be: one kind for each, which reads it, says what is allowed, and shows it again.

The table of keys (`driftline.monitors.keys`) is made of kinds; the file's reader, its documentation and its
JSON schema all follow from that table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from driftline.monitors.problems import quoted
from driftline.monitors.syntax import Items, Mapped, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from driftline.monitors.problems import Place, Problems
    from driftline.monitors.syntax import Node

OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Told:
    """A value that the file tells, and where.

    Args:
        value: as its kind reads it.
        place: of the value.
    """

    value: Any
    place: Place


Tree: TypeAlias = "dict[str, Told | Tree]"
"""What a section of the file tells, key by key."""


class Kind(Protocol):
    """How one sort of value is read and shown."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that follow "a value is": for documentation."""
        ...

    def read(self, node: Node, place: Place, problems: Problems) -> Told | Tree | None:
        """Return what a node tells; None where it is wrong, which is added to the problems."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        ...

    def show(self, value: Any) -> str:
        """Return a value as the file would tell it."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number or one text.

    Args:
        noun: what it is called, with its article, such as ``a share``.
        allowed: what is allowed.
        parse: reads its text; a ValueError says that it is none, and with a message how it could be mended.
        json: what JSON Schema says of it.
        form: shows it again.
        is_text: it may stand in quotes.
    """

    noun: str
    allowed: str
    parse: Callable[[str], Any]
    json: Mapping[str, Any]
    form: Callable[[Any], str] = str
    is_text: bool = False

    def read(self, node: Node, place: Place, problems: Problems) -> Told | None:
        """Return the value; a problem where it is no such text, or stands in quotes and is no text."""
        text = node.text if isinstance(node, Text) else ""
        if wrong := self._wrong_form(node):
            problems.add(place, wrong)
            return None
        try:
            return Told(self.parse(text), place)
        except ValueError as error:
            hint = str(error) or self._expected()
        problems.add(place, f"{quoted(text)} is no {_bare(self.noun)}; {hint}")
        return None

    def _expected(self) -> str:
        is_said = self.allowed.startswith(self.noun)
        return f"expected {self.allowed}" if is_said else f"{self.noun} is {self.allowed}"

    def _wrong_form(self, node: Node) -> str:
        if not isinstance(node, Text):
            return f"{'a list' if isinstance(node, Items) else 'a mapping'} stands where {self.noun} belongs"
        if node.is_nothing:
            if self.is_text and node.text:
                return f'{node.text} means no value; if that text is meant, put it in quotes: "{node.text}"'
            return f"the value is missing; {self._expected()}"
        if node.quoted and not self.is_text:
            return f"{quoted(node.text)} is a text, since it stands in quotes; {self.noun} stands without"
        return ""

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return dict(self.json)

    def show(self, value: Any) -> str:
        """Return a value as the file would tell it."""
        return self.form(value)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of scalars without repeats.

    Args:
        of: what each item is.
        least: so many items at least.
        wrong: says what is wrong with the list as a whole, or ''.
        also: what is allowed of the list as a whole.
    """

    of: Scalar
    least: int = 1
    wrong: Callable[[Sequence[Any]], str] = lambda _: ""
    also: str = ""

    @property
    def allowed(self) -> str:
        """What is allowed."""
        return f"a list of which each item is {self.of.allowed}{self.also}"

    def read(self, node: Node, place: Place, problems: Problems) -> Told | None:
        """Return a tuple of its items."""
        if not isinstance(node, Items):
            shown = node.text if isinstance(node, Text) and not node.is_nothing else "..."
            problems.add(place, f"a list belongs here; write [{shown}]")
            return None
        told: list[Told] = []
        for number, item in enumerate(node.items, 1):
            at = place.under(f"item {number}", item.line, item.column)._replace(path=place.path)
            if (read := self.of.read(item, at, problems)) is None:
                continue
            if any(read.value == other.value for other in told):
                problems.add(at, f"{self.of.show(read.value)} stands in this list twice; keep one")
            else:
                told.append(read)
        values = tuple(item.value for item in told)
        if len(node.items) < self.least:
            problems.add(place, f"the list is empty; expected {self.allowed}")
        elif len(told) < len(node.items):
            return None  # Said of its items.
        elif wrong := self.wrong(values):
            problems.add(place, wrong)
        else:
            return Told(values, place)
        return None

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return {"type": "array", "items": self.of.schema(), "minItems": self.least, "uniqueItems": True}

    def show(self, value: Any) -> str:
        """Return a list as the file would tell it."""
        return "[" + ", ".join(self.of.show(item) for item in value) + "]"


@dataclass(frozen=True, slots=True)
class OrOff:
    """Either a value, or ``off``, which is read as None.

    Args:
        of: what the value is.
    """

    of: Scalar | Listed

    @property
    def allowed(self) -> str:
        """What is allowed."""
        return f"{self.of.allowed}, or `{OFF}`"

    def read(self, node: Node, place: Place, problems: Problems) -> Told | Tree | None:
        """Return the value; one of None where it is off."""
        if isinstance(node, Text) and node.text == OFF:
            return Told(None, place)
        of = replace(self.of, allowed=self.allowed) if isinstance(self.of, Scalar) else self.of
        return of.read(node, place, problems)

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        return {"anyOf": [self.of.schema(), {"const": OFF}]}

    def show(self, value: Any) -> str:
        """Return a value as the file would tell it."""
        return OFF if value is None else self.of.show(value)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section.

    Args:
        name: as the file writes it.
        kind: what its value is.
        help: what it does, in a sentence.
        default: what holds without it, in words; '' where that is the setting's own default.
        setting: the field of the settings that it sets, if it is one of those.
    """

    name: str
    kind: Kind
    help: str
    default: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose keys are known.

    Args:
        keys: which.
        elsewhere: where keys stand that are often looked for here.
    """

    keys: tuple[Key, ...]
    elsewhere: Mapping[str, str]

    @property
    def allowed(self) -> str:
        """What is allowed."""
        return "keys: " + ", ".join(f"`{key.name}`" for key in self.keys)

    def read(self, node: Node, place: Place, problems: Problems) -> Tree | None:
        """Return what it tells, key by key; what is wrong is left out."""
        tree: Tree = {}
        kinds = {key.name: key.kind for key in self.keys}
        expected = f"keys belong (allowed here: {', '.join(kinds)})"
        for key, value in _entries(node, place, problems, expected):
            if (kind := kinds.get(key.text)) is None:
                problems.add(place.under(key.text, key.line, key.column), self._unknown(key.text))
            elif (
                told := kind.read(value, place.under(key.text, value.line, value.column), problems)
            ) is not None:
                tree[key.text] = told
        return tree

    def _unknown(self, name: str) -> str:
        if name in self.elsewhere:
            return f"there is no such key here; it belongs {self.elsewhere[name]}"
        names = [key.name for key in self.keys]
        hint = f"; did you mean {near}?" if (near := nearest(name, names)) else ""
        return f"there is no such key{hint} (allowed here: {', '.join(names)})"

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        properties = {key.name: key.kind.schema() | {"description": key.help} for key in self.keys}
        return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}

    def show(self, value: Any) -> str:
        """Return its values as the file would tell them in one line."""
        kinds = {key.name: key.kind for key in self.keys}
        return "{" + ", ".join(f"{name}: {kinds[name].show(item)}" for name, item in value.items()) + "}"


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping whose keys are names that the team chose.

    Args:
        of: what each entry is.
        what: what the names are, such as `names of features`.
        wrong: says what is wrong with a name, or ''.
        in_order: among the names are patterns, and each must be able to apply.
        schema_names: a regular expression that each name has to match.
    """

    of: Kind
    what: str
    wrong: Callable[[str], str] = lambda _: ""
    in_order: bool = False
    schema_names: str = "."

    @property
    def allowed(self) -> str:
        """What is allowed."""
        return f"a mapping from {self.what}; each holds {self.of.allowed}"

    def read(self, node: Node, place: Place, problems: Problems) -> Tree | None:
        """Return what it tells, name by name; what is wrong is left out."""
        tree: Tree = {}
        earlier: list[Text] = []
        for key, value in _entries(node, place, problems, f"a mapping from {self.what} belongs"):
            at = place.under(key.text, key.line, key.column)
            wrong = "" if key.text else "a name is missing here"
            if (
                wrong := wrong
                or self.wrong(key.text)
                or (self._hidden(key, earlier) if self.in_order else "")
            ):
                problems.add(at, wrong)
            earlier.append(key)
            told = self.of.read(value, at._replace(line=value.line, column=value.column), problems)
            if told is not None and not wrong:
                tree[key.text] = told
        return tree

    def _hidden(self, key: Text, earlier: Iterable[Text]) -> str:
        if "*" not in key.text:
            return ""  # A name in full applies wherever it stands.
        for other in earlier:
            if matches(other.text, key.text):
                return (
                    f"never applies: {other.text} in line {other.line} matches first; put this one before it"
                )
        return ""

    def schema(self) -> dict[str, Any]:
        """Return what JSON Schema says of it."""
        names = {"pattern": self.schema_names}
        return {
            "type": ["object", "null"],
            "propertyNames": names,
            "additionalProperties": self.of.schema(),
        }

    def show(self, value: Any) -> str:
        """Return its entries as the file would tell them in one line."""
        return "{" + ", ".join(f"{name}: {self.of.show(item)}" for name, item in value.items()) + "}"


def _entries(node: Node, place: Place, problems: Problems, allowed: str) -> Iterator[tuple[Text, Node]]:
    """Yield what a mapping holds; nothing where no value stands."""
    if isinstance(node, Mapped):
        yield from node.entries
    elif not (isinstance(node, Text) and node.is_nothing):
        shown = quoted(node.text) if isinstance(node, Text) else "a list"
        problems.add(place, f"{shown} stands where {allowed}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the name that is most like another one; '' where none is."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1)), "")


def matches(pattern: str, name: str) -> bool:
    """Say whether a name is of a pattern, in which only ``*`` is special: any text, or none."""
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


def _bare(noun: str) -> str:
    return noun.partition(" ")[2]
