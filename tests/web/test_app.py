"""All addresses: names of any characters, headers, operations."""

from __future__ import annotations

import html
import json
import re
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from driftline.web import create_app
from driftline.web.render import Renderer
from tests.web.browser import text_of
from tests.web.conftest import (
    END,
    HOSTILE_FEATURE,
    HOSTILE_LINK,
    HOSTILE_MODEL,
    HOSTILE_VALUE,
    WALL_CLOCK,
    metrics_with_one_counter,
)


class TestHostileNames:
    def test_links_to_names_of_any_characters_lead_to_their_pages(self, site):
        link = html.unescape(re.search(r'href="(/models/%3Cscript[^"]*)"', site.get("/"))[1])
        model = site.get(link)
        assert HOSTILE_MODEL in html.unescape(model)
        link = html.unescape(re.search(r'href="(/models/%3Cscript[^"]*/features/[^"]*)"', model)[1])
        feature = html.unescape(site.get(link))
        assert HOSTILE_FEATURE in feature
        assert HOSTILE_VALUE in feature

    @pytest.mark.parametrize("path", ["/", f"/models/{HOSTILE_LINK}", "/models/%3Cscript%3E"])
    def test_names_never_become_markup(self, site, path):
        page = site.ask(path).text
        for opened in ("<script>", "<img", "<b>bold"):
            assert opened not in page

    def test_pages_forbid_scripts_but_the_one_file_and_what_lies_elsewhere(self, site):
        answer = site.ask("/")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert re.findall("<script[^>]*>[^<]*", answer.text) == [
            re.search('<script src="/page.js[^>]*>', answer.text)[0]
        ]
        assert not re.search(r'(src|href)="https?:', answer.text)


class _Kept:
    """A connection that can be asked for its settings when it was closed."""

    def __init__(self, connection):
        self._connection = connection
        self.max_threads = max_threads(connection)

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def __enter__(self):
        return self._connection

    def __exit__(self, *_error):
        self._connection.close()


def max_threads(connection):
    """Return how many threads a query may use, as far as that was set."""
    rows = connection.rows("SELECT value FROM system.settings WHERE name = 'max_threads' AND changed")
    return rows[0][0] if rows else None


class WatchedStore:
    """A store that remembers the connections it gave."""

    def __init__(self, store):
        self._store = store
        self.connections = []

    def connect(self, *, patient=False):
        self.connections.append(_Kept(self._store.connect(patient=patient)))
        return self.connections[-1]


def test_what_a_page_asks_of_an_embedded_store_leaves_the_other_cores_to_landing(site):
    store = WatchedStore(site.store)
    app = create_app(store, metrics_with_one_counter(), clock=lambda: WALL_CLOCK)
    with TestClient(app, base_url="http://localhost") as browser:
        assert browser.get("/").status_code == 200
    assert [connection.max_threads for connection in store.connections] == ["1"]
    with closing(site.store.connect()) as landing:
        assert max_threads(landing) is None


class TestOperations:
    def test_we_are_ready_while_the_store_answers(self, site):
        answer = site.ask("/readyz")
        shown = {"status": "ok", "checks": {"store": "ok"}, "problems": []}
        assert (answer.status, json.loads(answer.text)) == (200, shown)

    def test_metrics_are_in_prometheus_format(self, site):
        answer = site.ask("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert "driftline_tests_total 3.0" in answer.text

    def test_the_style_sheet_is_kept_under_an_address_of_its_version(self, site):
        link = re.search(r'href="(/style\.css\?v=\w{12})"', site.get("/"))[1]
        answer = site.ask(link)
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]

    def test_an_address_without_a_page_is_a_404(self, site):
        assert "There is no such page." in text_of(site.get("/nothing", status=404))
        assert "There is no such page." in text_of(site.get("/models/flight-delay/else", status=404))


def test_the_newest_window_ends_when_the_tests_say() -> None:
    assert END == 381782


def test_a_name_turns_nothing_around_on_a_page():
    renderer = Renderer(clock=lambda: 0.0)
    page = renderer.render("error.html", title="Not found", message="no model a\u202eb\u2066\x1b[2J")
    assert not set("\u202e\u2066\x1b") & set(page)
    assert r"a\u202eb\u2066\u001b[2J" in page
