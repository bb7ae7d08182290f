"""Concepts that have one home: nobody keeps a second list of what stands there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from driftline.domain.verdicts import VerdictName

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY_HOME: Final = "services/driftline/domain/verdicts.py"
_FEW = 3
"""So many verdicts in a row are an order; two are a choice."""


def severity_orders(path: str, text: str) -> Iterator[str]:
    """Which verdict is graver is asked of `VerdictName.severity`; nobody keeps an order of their own."""
    if not (path.startswith("services/") and path.endswith(".py")) or path == SEVERITY_HOME:
        return
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Tuple | ast.List) and len(set(_verdicts(node))) >= _FEW:
            yield f"{path}:{node.lineno}: an order of verdicts; take BY_SEVERITY ({SEVERITY_HOME})"
        elif isinstance(node, ast.Dict) and _ranks(node):
            yield f"{path}:{node.lineno}: ranks of verdicts; take severity ({SEVERITY_HOME})"


def _verdicts(node: ast.Tuple | ast.List | ast.Dict) -> Iterator[str]:
    for each in node.keys if isinstance(node, ast.Dict) else node.elts:
        if isinstance(each, ast.Constant) and each.value in list(VerdictName):
            yield str(each.value)
        elif isinstance(each, ast.Attribute) and each.attr in VerdictName.__members__:
            yield VerdictName[each.attr].value


def _ranks(node: ast.Dict) -> bool:
    """Return whether verdicts are mapped to numbers that follow on each other."""
    numbers = [value.value for value in node.values if isinstance(value, ast.Constant)]
    whole = sorted(number for number in numbers if isinstance(number, int))
    is_row = len(whole) >= _FEW and whole == list(range(whole[0], whole[0] + len(whole)))
    return is_row and len(set(_verdicts(node))) >= _FEW
