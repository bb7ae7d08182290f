"""What commands print. All of it goes through here, since names that came from outside are in most of it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def echo(text: str = "", *, bold: bool = False, err: bool = False, lines: bool = False) -> None:
    """Print a line; nothing in it moves the terminal's cursor, or makes another line of it.

    Args:
        text: what to print.
        bold: stands out.
        err: goes to standard error.
        lines: it has several lines, which are ours.
    """
    shown = printable(text, keep="\n" if lines else "")
    click.echo(click.style(shown, bold=True) if bold else shown, err=err)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: times in ISO 8601 (UTC), the rest as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def echo_json(value: Any) -> None:
    """Print a value as JSON."""
    echo(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False), lines=True)


def echo_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as aligned columns under a heading."""
    cells = [list(columns), *([printable(_cell(row[name])) for name in columns] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
