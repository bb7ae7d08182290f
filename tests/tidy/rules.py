"""The house style that no off-the-shelf tool checks, each rule a function of a file's path and text."""

from __future__ import annotations

import ast
import re
import tokenize
from functools import cache
from io import StringIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Rule = Callable[[str, str], Iterator[str]]
    Function = ast.FunctionDef | ast.AsyncFunctionDef

MODULE_LINES = 400
FUNCTION_LINES = 60
USUAL_FUNCTION_LINES = 40
LONGER_FUNCTIONS_SHARE = 0.05
LINE_LENGTH = 110

# Prose and schemas are one sentence a line; a licence is not ours to wrap.
_LONG_LINES_ALLOWED = (".md", ".ipynb", ".html", ".json", ".avsc", "LICENSE", "pyproject.toml")

# Written in parts, so that this file does not trip over itself.
_MARK_PARTS = (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("NotImplemented", "Error"))
_MARKS = re.compile("|".join(rf"\b{first}{rest}\b" for first, rest in _MARK_PARTS))
_FOREIGN_NAMES = tuple(
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("registry.", "npmjs"),
        ("repo1.", "maven"),
        ("repo.", "maven"),
        ("deb.", "debian"),
        ("/home", "/"),
        ("/root", "/"),
    )
)

_SILENCER = re.compile(
    r"#\s*(?P<kind>noqa|type:\s*ignore)(?P<codes>:\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*\b|\[[\w,\s-]+\])?",
    re.IGNORECASE,
)
_MUTABLE_CALLS = frozenset(
    {"dict", "list", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter"}
)
_MUTATORS = re.compile(
    "(add|append|clear|discard|extend|insert|pop|remove|setdefault|sort|update)(left|item)?"
)
_STATEMENT = re.compile(
    r"\s*(SELECT|INSERT INTO|WITH|ALTER|CREATE|DELETE FROM|DROP|TRUNCATE|OPTIMIZE|SYSTEM|GRANT|REVOKE|EXISTS"
    r"|SHOW|DESCRIBE|SET|USE|KILL)\s|.*\bSELECT\b.*\bFROM\b",
    re.DOTALL,
)
_MAY_HOLD_SQL = (
    "services/driftline/store/",
    "services/driftline/embedded/",  # What concerns the engine itself.
    "services/driftline/log/",  # SQLite's.
    "services/driftline/features/online/sqlite.py",  # Likewise.
)
"""Tests that import from other tests, or use what is not public. The list only shrinks."""

_TUPLE_METHODS = frozenset({"_asdict", "_fields", "_make", "_replace"})
_TESTS_WITHOUT_PACKAGE = frozenset(
    {
        "dashboards",
        "deployment",
        "end_to_end",
        "examples",
        "harness",
        "packaging",
        "properties",
        "soak",
        "tidy",
        "typing",
    }
)


def module_length(path: str, text: str) -> Iterator[str]:
    """A module fits in one head."""
    lines = len(text.splitlines())
    if path.endswith(".py") and lines > MODULE_LINES:
        yield f"{path}: {lines} lines; at most {MODULE_LINES}"


def function_length(path: str, text: str) -> Iterator[str]:
    """A function fits on one screen."""
    for function in _functions(path, text):
        if _length(function) > FUNCTION_LINES:
            yield f"{_at(path, function)} {function.name}: {_length(function)} lines, not {FUNCTION_LINES}"


def usual_function_length(sources: Mapping[str, str]) -> Iterator[str]:
    """Most functions take half a screen."""
    functions = [(path, function) for path, text in sources.items() for function in _functions(path, text)]
    longer = [(path, function) for path, function in functions if _length(function) > USUAL_FUNCTION_LINES]
    if len(longer) > LONGER_FUNCTIONS_SHARE * len(functions):
        yield f"{len(longer)} of {len(functions)} functions have over {USUAL_FUNCTION_LINES} lines:"
        yield from (
            f"{_at(path, function)} {function.name} has {_length(function)}" for path, function in longer
        )


def line_length(path: str, text: str) -> Iterator[str]:
    """A line fits beside another one."""
    if not path.endswith(_LONG_LINES_ALLOWED):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LINE_LENGTH:
                yield f"{path}:{number}: {len(line)} characters; at most {LINE_LENGTH}"


def whitespace(path: str, text: str) -> Iterator[str]:
    """White space is where it is seen."""
    for number, line in enumerate(text.split("\n"), 1):
        body = line.removeprefix("\t") if PurePosixPath(path).name == "Makefile" else line
        if "\t" in (body.lstrip("\t") if body is not line else body):
            yield f"{path}:{number}: a tab"
        if line != line.rstrip():
            yield f"{path}:{number}: space at the end of the line"
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    if text.endswith("\n\n"):
        yield f"{path}: empty lines at the end"


def unfinished(path: str, text: str) -> Iterator[str]:
    """What is here is done."""
    for number, line in enumerate(text.splitlines(), 1):
        if mark := _MARKS.search(line):
            yield f"{path}:{number}: {mark[0]}"
    yield from (f"{_at(path, stub)} {stub.name} is a stub" for stub in _stubs(_parsed(path, text)))


def foreign_names(path: str, text: str) -> Iterator[str]:
    """Nothing is tied to the place where it was written, or to one package registry."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from (
            f"{path}:{number}: names {foreign}" for foreign in _FOREIGN_NAMES if foreign in line.lower()
        )


def tests_assert(path: str, text: str) -> Iterator[str]:
    """A test can fail."""
    if PurePosixPath(path).name.startswith("test_"):
        for function in _functions(path, text):
            if function.name.startswith("test_") and not any(map(_asserts, ast.walk(function))):
                yield f"{_at(path, function)} {function.name} asserts nothing"


def module_state(path: str, text: str) -> Iterator[str]:
    """A module holds constants; what changes lives in an object that somebody made."""
    tree = _parsed(path, text)
    constants = set()
    for statement in tree.body:
        for name in _mutable_names(statement):
            if name.isupper():
                constants.add(name)
            elif not name.startswith("__"):
                yield f"{_at(path, statement)} {name} is mutable state of the module"
    for node in ast.walk(tree):
        if (name := _mutated_name(node)) in constants:
            yield f"{_at(path, node)} {name} is a constant, and changed here"


def silencers(path: str, text: str) -> Iterator[str]:
    """Who silences a tool says which of its rules, and why."""
    if not path.endswith(".py") or not _SILENCER.search(text):
        return  # Taking a file apart takes its time.
    for token in tokenize.generate_tokens(StringIO(text).readline):
        found = list(_SILENCER.finditer(token.string)) if token.type == tokenize.COMMENT else []
        reason = re.findall(r"\w+", _SILENCER.sub("", token.string))
        for silencer in found:
            if not silencer["codes"]:
                yield f"{path}:{token.start[0]}: {silencer[0]} names no rule"
        if found and not reason:
            yield f"{path}:{token.start[0]}: {found[0][0]} gives no reason behind it"


def reaching_in(path: str, text: str) -> Iterator[str]:
    """A test looks at what is public, and shares helpers in modules that hold no tests."""
    if not path.startswith("tests/"):
        return
    for node in ast.walk(_parsed(path, text)):
        if isinstance(node, ast.Attribute) and _is_hidden(node):
            yield f"{_at(path, node)} {ast.unparse(node)} is not public"
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if module.startswith("tests.") and module.rpartition(".")[2].startswith("test_"):
            yield f"{_at(path, node)} imports from the tests of {module}; move what both need into a helper"
        if module.startswith(("driftline", "tests.")):
            hidden = [alias.name for alias in node.names if alias.name.startswith("_")]
            yield from (f"{_at(path, node)} {name} of {module} is not public" for name in hidden)


def foreign_sql(path: str, text: str) -> Iterator[str]:
    """SQL stands in the store, as functions that return values of the domain."""
    if not path.startswith("services/driftline/") or path.startswith(_MAY_HOLD_SQL):
        return
    for node in ast.walk(_parsed(path, text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.match(node.value):
            begin = " ".join(node.value.split())[:40]
            yield f"{_at(path, node)} {begin!r} belongs into services/driftline/store"


def _is_hidden(node: ast.Attribute) -> bool:
    """Return whether an attribute is somebody else's own."""
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    is_own = owner in {"self", "cls", "os", "KafkaError"} or isinstance(node.value, ast.Call)
    return (
        bool(re.match("_[a-z]", node.attr, re.IGNORECASE)) and not is_own and node.attr not in _TUPLE_METHODS
    )


def mirrored(paths: Iterable[str]) -> Iterator[str]:
    """Who looks for the tests of a package finds them under its name."""
    files = [PurePosixPath(path) for path in paths]
    packages = _folders(files, "services/driftline", "__init__.py")
    tested = _folders(files, "tests", "test_*.py")
    for folder in sorted(tested - packages):
        if PurePosixPath(folder).parts[:1] and PurePosixPath(folder).parts[0] not in _TESTS_WITHOUT_PACKAGE:
            yield f"tests/{folder}: tests of no package; services/driftline/{folder} is none"
    for folder in sorted(packages - tested):
        if folder != ".":
            yield f"services/driftline/{folder}: no tests; tests/{folder} has none"


FILE_RULES: tuple[Rule, ...] = (
    module_length,
    function_length,
    line_length,
    whitespace,
    unfinished,
    foreign_names,
    tests_assert,
    module_state,
    reaching_in,
    foreign_sql,
    silencers,
)


@cache
def _parsed(path: str, text: str) -> ast.Module:
    return ast.parse(text if path.endswith(".py") else "", path)


def _functions(path: str, text: str) -> Iterator[Function]:
    for node in ast.walk(_parsed(path, text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _at(path: str, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', 1)}:"


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _length(function: Function) -> int:
    """Return the lines of a function; explaining it well does not make it longer."""
    return _lines(function) - (_lines(function.body[0]) if ast.get_docstring(function) is not None else 0)


def _stubs(node: ast.AST, *, abstract: bool = False) -> Iterator[Function | ast.ClassDef]:
    """Yield what has no body: ``pass``, or ``...`` where no protocol or decorator asks for it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            body = child.body[1:] if ast.get_docstring(child) is not None else child.body
            asks = abstract or not {"overload", "abstractmethod"}.isdisjoint(map(_name, child.decorator_list))
            if body and all(isinstance(line, ast.Pass) or (_is_ellipsis(line) and not asks) for line in body):
                yield child
        is_protocol = isinstance(child, ast.ClassDef) and "Protocol" in map(_name, child.bases)
        yield from _stubs(child, abstract=is_protocol)


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _name(node: ast.AST | None) -> str:
    """Return the last part of a name, of what is called or of what is subscripted; else an empty string."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _name(inner)
    return ""


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    name = _name(node).lstrip("_") if isinstance(node, ast.Call) else ""
    return name in ("raises", "warns") or name.startswith(("assert_", "check_"))


def _mutable_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names to which a statement binds a new list, dict or set."""
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        value = statement.value
        if isinstance(value, displays) or (isinstance(value, ast.Call) and _name(value) in _MUTABLE_CALLS):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _mutated_name(node: ast.AST) -> str:
    """Return the name of the list, dict or set that a node changes in place; else an empty string."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if _MUTATORS.fullmatch(
            method
        ):
            return name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.AugAssign(target=ast.Name(id=name)):
            return name
    return ""


def _folders(files: Iterable[PurePosixPath], top: str, pattern: str) -> set[str]:
    """Return the folders under `top`, relative to it, that hold a file of that name."""
    return {
        str(file.parent.relative_to(top))
        for file in files
        if file.is_relative_to(top) and file.match(pattern)
    }
