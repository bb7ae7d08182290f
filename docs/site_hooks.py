"""What MkDocs needs to make one site of the pages here and of those at the root of the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(?<!!)\[([^]\n]+)\]\(([^)\s]+)\)")
AT_ROOT = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the root, as if they stood here."""
    for name in AT_ROOT:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links lead where a page stands on the site; what is no page of it is only named."""
    del config, files
    stands_in = ROOT if page.file.src_uri in AT_ROOT else (ROOT / "docs" / page.file.src_uri).parent

    def relinked(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, hash_, anchor = target.partition("#")
        meant = (stands_in / path).resolve()
        if "://" in target or not path or not meant.is_relative_to(ROOT):
            return match[0]
        if meant.is_relative_to(ROOT / "docs"):
            way = _from(page, meant.relative_to(ROOT / "docs"))
            return f"[{text}]({way}{hash_}{anchor})"
        if meant.parent == ROOT and meant.name in AT_ROOT:
            return f"[{text}]({_from(page, Path(meant.name))})"
        return f"{text} (`{meant.relative_to(ROOT)}`)"

    return _LINK.sub(relinked, markdown)


def _from(page: Page, path: Path) -> str:
    """Return the way from a page to another one, both of the site."""
    return "../" * page.file.src_uri.count("/") + path.as_posix()
