"""YAML as it is written: texts, lists and mappings, each with its place.

No value is guessed. A plain ``no``, ``1e3`` or ``2026-01-31`` stays the text that it was written as, until
a key says what it expects; so a category called ``no`` is no false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import yaml

from driftline.monitors.problems import MonitorsError, Place, Problem, Problems

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_BYTES = 1_000_000
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE = "<<"
_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAGS + kind for kind in ("str", "seq", "map"))


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar, as it was written."""

    line: int
    column: int
    text: str
    quoted: bool

    @property
    def is_nothing(self) -> bool:
        """Whether YAML takes it for no value at all."""
        return not self.quoted and self.text in _NOTHING


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    column: int
    items: tuple[Text | Items | Mapped, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping, in the order of the file."""

    line: int
    column: int
    entries: tuple[tuple[Text, Text | Items | Mapped], ...]


Node: TypeAlias = Text | Items | Mapped


def read_yaml(path: Path, problems: Problems) -> Node:
    """Return what a file says.

    Duplicate keys and explicit tags are added to `problems`; reading goes on.

    Raises:
        MonitorsError: the file is missing, no UTF-8 or no YAML, or holds no document or several.
    """
    text = _text_of(path, problems.file)
    try:
        # BaseLoader takes every scalar for a text. It makes no objects of tags either.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _refuse(problems.file, line, column, _why(error))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        message = f"the character U+{ord(text[error.position]):04X} may not stand in YAML; take it out"
        _refuse(problems.file, before.count("\n") + 1, column, message)
    except RecursionError:
        _refuse(problems.file, 1, 1, "lists and mappings stand too deep within each other")
    if root is None:
        _refuse(problems.file, 1, 1, "the file is empty; the least that it may say is `version: 1`")
    return _Converter(problems).node(root, Place(1, 1))


def _refuse(file: str, line: int, column: int, message: str) -> NoReturn:
    raise MonitorsError(file, (Problem(line, column, "", message),))


def _text_of(path: Path, file: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        _refuse(file, 0, 0, f"the file of monitors can't be read: {why}")
    if len(content) > _LONGEST_BYTES:
        _refuse(file, 0, 0, f"{len(content)} bytes are too many for a file of monitors ({_LONGEST_BYTES})")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        _refuse(
            file,
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
            f"the byte 0x{content[error.start]:02X} is no UTF-8; save the file in UTF-8",
        )


def _why(error: yaml.MarkedYAMLError) -> str:
    """Return what PyYAML says, in words that tell what to do where it is a common slip."""
    told, context = error.problem or "it is no YAML", error.context or ""
    if "'\\t'" in told:
        return "a tab; YAML is indented with spaces"
    if "another document" in told:
        return "a second document begins; a file of monitors holds one, so take out the line ---"
    if "mapping values are not allowed" in told:
        return (
            "a colon where no key can stand; is the line indented right, or is a text with a colon unquoted?"
        )
    if "alias" in told or "alias" in context:
        return f'{told}; if it is a pattern: what begins with * stands in quotes, such as "*-eu"'
    if context and error.context_mark:
        return f"{context} that begins in line {error.context_mark.line + 1}: {told}"
    return f"{context} {told}".strip()


@dataclass(slots=True)
class _Converter:
    """Turns PyYAML's nodes into ours. What an anchor names is turned once, however often it is used."""

    problems: Problems
    _done: dict[int, Node] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)

    def node(self, node: yaml.Node, at: Place) -> Node:
        if id(node) in self._done:
            return self._done[id(node)]
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        at = Place(line, column, at.path)
        if id(node) in self._open:
            self.problems.add(at, "an anchor that holds itself; write out what is meant")
            return Text(line, column, "", quoted=False)
        if node.tag not in _PLAIN_TAGS:
            self.problems.add(
                at, f"the tag {node.tag.replace(_TAGS, '!!')} is not used here; write the value alone"
            )
        self._open.add(id(node))
        done: Node
        if isinstance(node, yaml.MappingNode):
            done = Mapped(line, column, self._entries(node, at))
        elif isinstance(node, yaml.SequenceNode):
            done = Items(line, column, tuple(self.node(item, at) for item in node.value))
        else:
            if any("\ud800" <= letter <= "\udfff" for letter in node.value):
                self.problems.add(at, "half of a surrogate pair is no character; write the character itself")
            is_quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
            done = Text(line, column, node.value, quoted=is_quoted)
        self._open.discard(id(node))
        self._done[id(node)] = done
        return done

    def _entries(self, node: yaml.MappingNode, at: Place) -> tuple[tuple[Text, Node], ...]:
        own: dict[str, tuple[Text, Node]] = {}
        merged: dict[str, tuple[Text, Node]] = {}
        for key_node, value_node in node.value:
            key = self.node(key_node, at)
            if not isinstance(key, Text):
                self.problems.add(Place(key.line, key.column, at.path), "a key is a text, no list or mapping")
                continue
            place = at.under(key.text, key.line, key.column)
            value = self.node(value_node, place)
            if key.text == _MERGE and not key.quoted:
                self._merge(value, place, merged)
            elif key.text in own:
                first = own[key.text][0].line
                self.problems.add(place, f"this key stands here twice, first in line {first}; keep one")
            else:
                own[key.text] = (key, value)
        return tuple((merged | own).values())

    def _merge(
        self,
        value: Node,
        place: Place,
        merged: dict[str, tuple[Text, Node]],
    ) -> None:
        """Take over the entries of mappings under ``<<``; of two, the first one counts."""
        for source in value.items if isinstance(value, Items) else (value,):
            if isinstance(source, Mapped):
                merged.update(
                    {key.text: (key, held) for key, held in source.entries if key.text not in merged}
                )
            else:
                self.problems.add(place, "<< takes over the keys of a mapping, and this is none")
