"""YAML as it is written: texts, lists and mappings, each with its place.

No value is guessed. A plain ``no``, ``1e3`` or ``2026-01-31`` stays the text that it was written as, until
a key says what it expects; so a category called ``no`` is no false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Self

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import VersionedResolver

from driftline.monitors.problems import MonitorsError, Place, Problem, Problems

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_BYTES = 1_000_000
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE = "<<"
_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAGS + kind for kind in ("str", "seq", "map"))


class Text(str):
    """A scalar, as it was written.

    Attributes:
        line: where it stands, from 1.
        column: likewise.
        quoted: whether it stands in quotes, or is a block.
    """

    __slots__ = ("column", "line", "quoted")
    line: int
    column: int
    quoted: bool

    def __new__(cls, text: str, *, quoted: bool = False) -> Self:
        """Return a text whose place is still to be set."""
        made = super().__new__(cls, text)
        made.quoted = quoted
        return made

    @property
    def is_nothing(self) -> bool:
        """Whether YAML takes it for no value at all."""
        return not self.quoted and self in _NOTHING


class Items(list[Any]):
    """A list, with its place."""

    line: int = 0
    column: int = 0


class Mapped(dict[Text, Any]):
    """A mapping, in the order of the file, with its place. Its keys have theirs."""

    line: int = 0
    column: int = 0

    def key(self, name: str) -> Text:
        """Return a key as the file has it."""
        return next(key for key in self if key == name)


class _Texts(VersionedResolver):
    """Takes every plain scalar for a text."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        is_scalar = kind is ScalarNode
        return self.DEFAULT_SCALAR_TAG if is_scalar else super().resolve(kind, value, implicit)


def read_yaml(path: Path, problems: Problems) -> Text | Items | Mapped:
    """Return what a file holds.

    Duplicate keys and explicit tags are added to `problems`; reading goes on.

    Raises:
        MonitorsError: the file is missing, no UTF-8 or no YAML, or holds no document or several.
    """
    text = _text_of(path, problems.file)
    yaml = YAML(typ="safe", pure=True)  # Of nodes no objects are made.
    yaml.Resolver = _Texts
    yaml.composer.warn_double_anchors = False  # The later one counts, as YAML has it.
    try:
        root = yaml.compose(text)
        if root is None:
            _refuse(problems.file, 1, 1, "the file is empty; the least that it may say is `version: 1`")
        value: Text | Items | Mapped = _Converter(problems).value(root, Place(1, 1))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _refuse(problems.file, line, column, _why(error))
    except ReaderError as error:
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        message = f"the character U+{ord(text[error.position]):04X} may not stand in YAML; take it out"
        _refuse(problems.file, before.count("\n") + 1, column, message)
    except RecursionError:
        _refuse(problems.file, 1, 1, "lists and mappings stand too deep within each other")
    return value


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
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        _refuse(
            file, line, column, f"the byte 0x{content[error.start]:02X} is no UTF-8; save the file in UTF-8"
        )


def _why(error: MarkedYAMLError) -> str:
    """Return what the parser reports, with advice where it is a common slip."""
    problem, context = error.problem or "it is no YAML", error.context or ""
    if "'\\t'" in problem:
        return "a tab; YAML is indented with spaces"
    if "another document" in problem:
        return "a second document begins; a file of monitors holds one, so take out the line ---"
    if "mapping values are not allowed" in problem:
        return (
            "a colon where no key can stand; is the line indented right, or is a text with a colon unquoted?"
        )
    if "alias" in problem or "alias" in context:
        return f'{problem}; if it is a pattern: what begins with * stands in quotes, such as "*-eu"'
    if context and error.context_mark:
        return f"{context} that begins in line {error.context_mark.line + 1}: {problem}"
    return f"{context} {problem}".strip()


@dataclass(slots=True)
class _Converter:
    """Turns nodes into values. What an anchor names is turned once, however often it is used."""

    problems: Problems
    _done: dict[int, Any] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)

    def value(self, node: Node, at: Place) -> Any:
        if id(node) in self._done:
            return self._done[id(node)]
        at = Place(node.start_mark.line + 1, node.start_mark.column + 1, at.path)
        if id(node) in self._open:
            self.problems.add(at, "an anchor that holds itself; write out what is meant")
            return self._placed(Text(""), at)
        if node.tag not in _PLAIN_TAGS:
            tag = str(node.tag).replace(_TAGS, "!!")
            self.problems.add(at, f"the tag {tag} is not used here; write the value alone")
        self._open.add(id(node))
        value: Any
        if isinstance(node, MappingNode):
            value = Mapped(self._entries(node, at))
        elif isinstance(node, SequenceNode):
            value = Items(self.value(item, at) for item in node.value)
        else:
            if any("\ud800" <= character <= "\udfff" for character in node.value):
                self.problems.add(at, "half of a surrogate pair is no character; write the character itself")
            is_quoted = isinstance(node, ScalarNode) and node.style is not None
            value = Text(node.value.encode("utf-8", "replace").decode(), quoted=is_quoted)
        self._open.discard(id(node))
        self._done[id(node)] = self._placed(value, at)
        return value

    @staticmethod
    def _placed(value: Any, at: Place) -> Any:
        value.line, value.column = at.line, at.column
        return value

    def _entries(self, node: MappingNode, at: Place) -> dict[Text, Any]:
        own: dict[Text, Any] = {}
        merged: dict[Text, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, at)
            if not isinstance(key, Text):
                self.problems.add(Place(key.line, key.column, at.path), "a key is a text, no list or mapping")
                continue
            place = at.under(key, key.line, key.column)
            value = self.value(value_node, place)
            if key == _MERGE and not key.quoted:
                self._merge(value, place, merged)
            elif key in own:
                first = next(one.line for one in own if one == key)
                self.problems.add(place, f"this key stands here twice, first in line {first}; keep one")
            else:
                own[key] = value
        return {**{key: value for key, value in merged.items() if key not in own}, **own}

    def _merge(self, value: Any, place: Place, merged: dict[Text, Any]) -> None:
        """Take over the entries of mappings under ``<<``; of two, the first one counts."""
        for source in value if isinstance(value, Items) else (value,):
            if isinstance(source, Mapped):
                merged.update({key: held for key, held in source.items() if key not in merged})
            else:
                self.problems.add(place, "<< takes over the keys of a mapping, and this is none")
