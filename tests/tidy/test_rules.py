"""Each rule sees the error planted for it, and lets the like of it that is right pass."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.tidy import rules

MARK = "TO" + "DO"
UNWRITTEN = "NotImplemented" + "Error"
HOST = "pypi" + ".org"
NOQA = "# no" + "qa"
IGNORE = "# type: " + "ignore"


class Example(NamedTuple):
    """A planted error and its like that is right, in a file at `path`."""

    rule: rules.Rule
    wrong: str
    right: str
    path: str = "services/driftline/module.py"


def function(lines: int, name: str = "work") -> str:
    """Return the text of a function of that many lines."""
    return f"def {name}():\n" + "    print()\n" * (lines - 1)


EXAMPLES = {
    "a long module": Example(rules.module_length, "x = 1\n" * 401, "x = 1\n" * 400),
    "a long function": Example(rules.function_length, function(61), function(60)),
    "a long method": Example(
        rules.function_length,
        "class A:\n" + "    async def b():\n" + "        print()\n" * 60,
        'class A:\n    def b():\n        """One.\n\n        Two.\n        """\n' + "        print()\n" * 59,
    ),
    "a long line": Example(rules.line_length, "x" * 111 + "\n", "x" * 110 + "\n", "schemas/0001.sql"),
    "a tab": Example(rules.whitespace, "if x:\n\ty\n", "if x:\n    y\n"),
    "a tab inside a recipe": Example(rules.whitespace, "a:\n\techo\tb\n", "a:\n\techo b\n", "Makefile"),
    "trailing space": Example(rules.whitespace, "a  \nb\n", "a\nb\n", "README.md"),
    "a carriage return": Example(rules.whitespace, "a\r\nb\n", "a\n\nb\n"),
    "no newline at the end": Example(rules.whitespace, "a", "a\n"),
    "empty lines at the end": Example(rules.whitespace, "a\n\n", ""),
    "a mark": Example(rules.unfinished, f"Later. {MARK}: more.\n", "todos are a noun\n", "docs/page.md"),
    "a missing body": Example(
        rules.unfinished, f"def f():\n    raise {UNWRITTEN}\n", "def f():\n    raise E\n"
    ),
    "a body of pass": Example(
        rules.unfinished,
        'class A:\n    def f():\n        """Do."""\n        pass\n',
        "while x():\n    pass\n",
    ),
    "a body of dots": Example(
        rules.unfinished,
        "def f(): ...\n",
        'class P(Protocol[T]):\n    def f():\n        """Do."""\n        ...\n\n@overload\ndef g(): ...\n',
    ),
    "a query in another room": Example(
        rules.foreign_sql,
        'rows = ask(f"SELECT count() FROM {table}")\n',
        '"""Selects what is SET."""\nname = "SELECTED"\n',
        "services/driftline/web/page.py",
    ),
    "a part of a query": Example(
        rules.foreign_sql, 'PART = "x IN (SELECT y FROM z)"\n', 'PART = "select from the list"\n'
    ),
    "a statement": Example(rules.foreign_sql, "RUN = 'DROP TABLE x'\n", "RUN = 'DROPPED'\n"),
    "a registry's host": Example(
        rules.foreign_names, f"https://{HOST}/x\n", "the package index\n", "docs/page.md"
    ),
    "a test without an assertion": Example(
        rules.tests_assert,
        "def test_a():\n    run()\n",
        "def test_a():\n    with pytest.raises(E):\n        run()\n\n\ndef test_b():\n    _check_all(x)\n",
        "tests/test_a.py",
    ),
    "a test that asserts a constant": Example(
        rules.tests_assert,
        "class TestA:\n    def test_a(self):\n        assert True\n",
        "class TestA:\n    def test_a(self):\n        assert x\n\n    def help(self):\n        run()\n",
        "tests/test_a.py",
    ),
    "a list of the module": Example(rules.module_state, "found = []\n", "def f():\n    found = []\n"),
    "a cache of the module": Example(
        rules.module_state,
        "_cache: dict[str, int] = dict()\n",
        "_CACHE = {}\n__all__ = ['f']\nx = tuple([1])\n",
    ),
    "a constant that grows": Example(
        rules.module_state,
        "NAMES = []\n\n\ndef f():\n    NAMES.append(1)\n",
        "NAMES = [1]\n\n\ndef f(x):\n    x.append(1)\n",
    ),
    "a constant that is filled": Example(
        rules.module_state,
        "_BY = {}\n\n\ndef f():\n    _BY[1] = 2\n",
        "_BY = {}\n\n\ndef f():\n    return _BY[1]\n",
    ),
    "an import from other tests": Example(
        rules.reaching_in,
        "from tests.log.test_local import helper\n",
        "from tests.log.helpers import helper\nfrom driftline.log import open_log\nimport driftline._x\n",
        "tests/sdk/test_a.py",
    ),
    "an import of what is not public": Example(
        rules.reaching_in,
        "from driftline.log.local import _state\n",
        "from os import _exit\n",
        "tests/log/test_a.py",
    ),
    "an attribute that is not public": Example(
        rules.reaching_in,
        "def test_a(reader):\n    assert reader._offsets\n",
        "class Own:\n    def f(self, row):\n        return self._x, row._replace(a=1), row.__len__\n",
        "tests/log/test_a.py",
    ),
    "noqa without a rule": Example(rules.silencers, f"x = 1  {NOQA} - why\n", f"x = 1  {NOQA}: E501 - why\n"),
    "noqa without a reason": Example(
        rules.silencers, f"x = 1  {NOQA}: E501, B018\n", f"x = 1  {NOQA}: E501, B018 - since.\nx = '{NOQA}'\n"
    ),
    "ignore without a rule": Example(
        rules.silencers, f"x = 1  {IGNORE}  # why\n", f"x = 1  {IGNORE}[no-any-return]  # why\n"
    ),
    "ignore without a reason": Example(
        rules.silencers, f"x = 1  {IGNORE}[misc]\n", f"x = 1  {IGNORE}[misc]  {NOQA}: E501 - both, since.\n"
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_the_planted_error_is_found(example: Example) -> None:
    findings = list(example.rule(example.path, example.wrong))
    assert len(findings) == 1
    assert findings[0].startswith(example.path)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_what_is_right_passes(example: Example) -> None:
    assert list(example.rule(example.path, example.right)) == []


def test_every_rule_has_an_example() -> None:
    assert {example.rule for example in EXAMPLES.values()} == set(rules.FILE_RULES)


def test_code_rules_read_python_only() -> None:
    assert all(list(rule("notes.md", "found = []\n")) == [] for rule in rules.FILE_RULES)


@pytest.mark.parametrize(("longer", "findings"), [(1, 0), (2, 3)])
def test_few_functions_may_be_longer(longer: int, findings: int) -> None:
    lengths = [41] * longer + [40] * (20 - longer)
    texts = {f"m{index}.py": function(lines) for index, lines in enumerate(lengths)}
    assert len(list(rules.usual_function_length(texts))) == findings


def test_a_package_without_tests_is_found() -> None:
    package = ["services/driftline/__init__.py", "services/driftline/log/__init__.py"]
    assert list(rules.mirrored([*package, "tests/log/helper.py"])) == [
        "services/driftline/log: no tests; tests/log has none"
    ]
    assert list(rules.mirrored([*package, "tests/log/test_log.py"])) == []


def test_tests_of_no_package_are_found() -> None:
    outside = ["tests/test_errors.py", "tests/tidy/test_tidy.py", "tests/end_to_end/test_all.py"]
    assert list(rules.mirrored(outside)) == []
    assert list(rules.mirrored([*outside, "tests/logs/test_log.py"])) == [
        "tests/logs: tests of no package; services/driftline/logs is none"
    ]
