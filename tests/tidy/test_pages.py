"""Pages are declared once: what is documented, and which address leads where, follow from the table."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route

from driftline.metrics import Metrics
from driftline.store import Store
from driftline.web import create_app
from driftline.web.app import PageRoute
from driftline.web.pages import PAGES

TEXT = (Path(__file__).parents[2] / "docs" / "pages.md").read_text()


def test_every_page_is_documented_with_what_it_answers():
    """The rows in docs/pages.md are those that this expects: after a change they are pasted there."""
    documented = re.findall(r"^\| `/[^`]*` \| .*\|$", TEXT, flags=re.MULTILINE)
    assert documented == [f"| `{page.address.pattern}` | {page.answers} |" for page in PAGES]


def test_what_is_no_page_is_named_beside_them():
    """Health, metrics and the style sheet: whatever else the server answers."""
    routes = create_app(Store, Metrics(()), clock=lambda: 0.0).routes
    others = [route.path for route in routes if isinstance(route, Route) and not isinstance(route, PageRoute)]
    assert others
    assert [path for path in others if f"`{path}`" not in TEXT] == []


def test_an_example_of_each_page_is_an_address_of_that_page_and_of_no_other():
    """A page whose address another one reads first would never be shown."""
    for page in PAGES:
        read_by = [
            other.name for other in PAGES if other.address.names(page.example.partition("?")[0]) is not None
        ]
        assert read_by == [page.name]
