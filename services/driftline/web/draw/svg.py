"""SVG elements as markup that is safe to put into a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable


def element(tag: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """Return an element; texts and values are escaped, attributes of None are left out.

    Args:
        tag: name of the element.
        children: texts or elements.
        attributes: by name; ``_`` stands for ``-``, and a ``_`` at the end is dropped (``class_``).
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{given}>{join(children)}</{tag}>")  # noqa: S704  every part is escaped above


def join(parts: Iterable[str | Markup]) -> Markup:
    """Return parts one after the other; what is no markup is escaped."""
    return Markup("").join(parts)


def percent(fraction: float) -> str:
    """Return a position or length in percent of the drawing, so that drawings scale and texts do not."""
    return f"{fraction * 100:.3f}".rstrip("0").rstrip(".") + "%"


def _text(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
