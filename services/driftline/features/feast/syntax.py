"""Files of Python as calls with arguments: what an import reads of them, without running any."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name whose value is not known here."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call, such as ``Entity(name="driver")``.

    Args:
        function: what is called, without its module.
        positional: arguments that are passed by place.
        arguments: those that are passed by name.
        where: the file and the line.
    """

    function: str
    positional: Sequence[Any]
    arguments: Mapping[str, Any]
    where: str

    def get(self, *names: str) -> Any:
        """Return the first argument of these names that there is; None: there is none."""
        return next((self.arguments[name] for name in names if name in self.arguments), None)


@dataclass(frozen=True)
class Item:
    """Something that is taken out of something else, such as ``view[["seats"]]``."""

    of: Any
    item: Any


@dataclass(frozen=True)
class Function:
    """A function with a decorator that is a call.

    Args:
        name: the function's.
        decorator: the call.
        source: the function's text, without the decorators.
    """

    name: str
    decorator: Call
    source: str


@dataclass
class Repository:
    """What the files of a folder assign at their top level, by name, and which functions they decorate."""

    values: dict[str, Any] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)

    def resolve(self, value: Any) -> Any:
        """Return what a name stands for, where that is known."""
        seen = set()
        while isinstance(value, Name) and value.name in self.values and value.name not in seen:
            seen.add(value.name)
            value = self.values[value.name]
        return value

    def calls(self, *functions: str) -> Iterator[tuple[str, Call]]:
        """Yield calls of these functions that are assigned, with the name that they are assigned to."""
        for name, value in self.values.items():
            if isinstance(value, Call) and value.function in functions:
                yield name, value


def read_repository(folder: Path) -> Repository:
    """Read all files of Python below a folder. Names are taken to mean the same in all of them.

    Raises:
        SettingError: there is no file, or one is no Python.
        OSError: one can't be read.
    """
    files = [
        path
        for path in sorted(folder.rglob("*.py"))
        if not any(part in _PASSED_OVER or part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise SettingError(f"{folder}: there is no file of Python in it")
    found = Repository()
    for path in files:
        text = path.read_text(encoding="utf-8")
        try:
            tree = ast.parse(text, filename=str(path))
        except SyntaxError as error:
            raise SettingError(f"{path}, line {error.lineno}: it is no Python: {error.msg}") from error
        _Reader(str(path.relative_to(folder)), text, found).read(tree)
    return found


class _Reader:
    """Reads one file into a repository."""

    def __init__(self, file: str, text: str, found: Repository) -> None:
        self._file = file
        self._text = text
        self._found = found

    def read(self, tree: ast.Module) -> None:
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self._found.values[target.id] = self._value(statement.value)
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if statement.value is not None:
                    self._found.values[statement.target.id] = self._value(statement.value)
            elif isinstance(statement, ast.FunctionDef):
                self._function(statement)

    def _function(self, statement: ast.FunctionDef) -> None:
        for decorator in statement.decorator_list:
            call = self._value(decorator)
            if isinstance(call, Call):
                lines = self._text.splitlines()[statement.lineno - 1 : statement.end_lineno]
                self._found.functions.append(Function(statement.name, call, "\n".join(lines)))
                self._found.values[statement.name] = call

    def _value(self, node: ast.expr) -> Any:  # noqa: PLR0911  one for each kind
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._value(each) for each in node.elts]
        if isinstance(node, ast.Dict):
            return {
                self._value(key): self._value(value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand)
            return -value if isinstance(value, (int, float)) else Name("?")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            resolve = self._found.resolve
            left, right = resolve(self._value(node.left)), resolve(self._value(node.right))
            both = isinstance(left, (int, float)) and isinstance(right, (int, float))
            return left * right if both else Name("?")
        if isinstance(node, ast.Call):
            arguments = {each.arg: self._value(each.value) for each in node.keywords if each.arg}
            positional = [self._value(each) for each in node.args]
            return Call(_name(node.func), positional, arguments, f"{self._file}, line {node.lineno}")
        if isinstance(node, ast.Subscript):
            return Item(self._value(node.value), self._value(node.slice))
        return Name(_name(node))


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else "?"
