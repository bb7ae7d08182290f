"""Runbooks: what to do about an alert, as it is written in ``docs/runbooks``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup

from driftline.errors import NotFoundError
from driftline.web.addresses import runbook_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

_SHOWN = 80
_NEIGHBOUR = re.compile(r"(?:\./)?([A-Za-z0-9_-]+)\.md(#.*)?")


@dataclass(frozen=True, slots=True)
class Runbook:
    """One runbook: its title, and the rest as markup. No HTML of its source runs or loads anything."""

    name: str
    title: str
    body: Markup


def runbook_folder() -> Path | None:
    """Return the folder of the runbooks: inside the installed package, else in a checkout; None: neither."""
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "runbooks", package.parents[1] / "docs" / "runbooks")
    return next((folder for folder in candidates if folder.is_dir()), None)


def list_runbooks(folder: Path | None) -> Sequence[str]:
    """Return the names of all runbooks, ascending."""
    return [] if folder is None else sorted(path.stem for path in folder.glob("*.md"))


def read_runbook(folder: Path | None, name: str) -> Runbook:
    """Return a runbook as markup.

    Args:
        folder: of the runbooks.
        name: of the alert.

    Raises:
        NotFoundError: there is none of that name.
    """
    if folder is None or name not in list_runbooks(folder):
        shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
        raise NotFoundError(f"there is no runbook called {shown!r}; /runbooks lists all")
    return render_runbook(name, (folder / f"{name}.md").read_text(encoding="utf-8"))


def render_runbook(name: str, text: str) -> Runbook:
    """Turn Markdown into markup. Links to other runbooks lead to their pages; those to other files are text.

    Args:
        name: of the alert.
        text: as Markdown; its first heading is the title.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    title = name
    if tokens[:1] and (tokens[0].type, tokens[0].tag) == ("heading_open", "h1"):
        title, tokens = tokens[1].content, tokens[3:]
    for token in tokens:
        if token.children:
            token.children = _relinked(token.children)
    body = markdown.renderer.render(tokens, markdown.options, {})
    # What may be wider than a phone has to scroll by keys, too.
    body = body.replace("<pre>", '<pre tabindex="0">')
    return Runbook(name, title, Markup(body))  # noqa: S704  HTML in the source is escaped


def _relinked(tokens: Sequence[Token]) -> list[Token]:
    """Keep links to other runbooks, within this one, and to URLs; drop those to other files."""
    kept, is_dropped = [], False
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href"))
            if neighbour := _NEIGHBOUR.fullmatch(href):
                token.attrSet("href", runbook_path(neighbour[1]) + (neighbour[2] or ""))
            is_dropped = not (neighbour or re.match(r"https?://|#|/", href))
        is_link = token.type in {"link_open", "link_close"}
        if not (is_link and is_dropped):
            kept.append(token)
    return kept
