"""docs/pages.md has every page's address, and each page is opened in a browser."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route

from driftline.metrics import Metrics
from driftline.store import Store
from driftline.web import create_app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "pages.md").read_text()
NO_PAGES = {"style.css", "healthz", "readyz", "metrics"}


def first_parts():
    app = create_app(Store, Metrics(()), clock=lambda: 0.0)
    return {route.path.split("/")[1] for route in app.routes if isinstance(route, Route)} - NO_PAGES


def test_every_page_is_documented_with_what_it_answers():
    documented = re.findall(r"^\| `/([^`]*)` \| \S.*\|$", TEXT, flags=re.MULTILINE)
    assert {address.split("/")[0] for address in documented} == first_parts()


def test_what_is_no_page_is_named_beside_them():
    assert [name for name in NO_PAGES - {"style.css"} if f"`/{name}`" not in TEXT] == []


def test_every_page_is_opened_in_a_browser():
    opened = (ROOT / "tests" / "web" / "test_in_chromium.py").read_text()
    missing = [part for part in first_parts() if f'"/{part}' not in opened and part != "predictions"]
    assert missing == []
