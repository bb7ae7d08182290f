"""What the pages say while the store does not answer, or holds nothing yet."""

from __future__ import annotations

import json
from contextlib import contextmanager

from driftline.embedded import open_store
from driftline.errors import StoreError
from driftline.metrics import Metrics
from driftline.store import Store, migrate
from driftline.web import WebServer, create_app
from tests.web.browser import Browser

PATHS = (
    "/",
    "/models/m",
    "/models/m/features/f",
    "/models/m/predictions",
    "/incidents/aa11",
    "/predictions/019c1480-7f1a-7bfe-b5d8-1b79f4a5f2a6",
)


class AwayStore(Store):
    """A store that does not answer."""

    def connect(self, **_options):
        raise StoreError("the store at db:8123 does not answer: connection refused")

    def close(self):
        self.closed = True


class BrokenStore(AwayStore):
    """A store at which we fail ourselves."""

    def connect(self, **_options):
        raise ZeroDivisionError("an error nobody thought of")


@contextmanager
def served(store: Store):
    server = WebServer(create_app(store, Metrics(), clock=lambda: 0.0), "127.0.0.1", 0)
    server.start()
    yield Browser(server.url)
    server.stop()


def test_while_the_store_is_away_we_live_and_are_not_ready():
    with served(AwayStore()) as browser:
        browser.get("/healthz", status=200)
        assert json.loads(browser.get("/readyz", status=503)) == {
            "status": "unavailable",
            "checks": {"store": "failed"},
            "problems": ["store: the store at db:8123 does not answer: connection refused"],
        }


def test_pages_are_503_and_say_so_while_the_store_is_away():
    with served(AwayStore()) as browser:
        for path in PATHS:
            assert "The store does not answer" in browser.get(path, status=503)


def test_runbooks_are_there_while_the_store_is_away():
    with served(AwayStore()) as browser:
        assert "Runbooks" in browser.get("/runbooks")


def test_metrics_are_there_while_the_store_is_away():
    with served(AwayStore()) as browser:
        assert "driftline_build_info{" in browser.get("/metrics", status=200)


def test_an_error_of_ours_is_reported_without_its_details():
    with served(BrokenStore()) as browser:
        page = browser.get("/", status=500)
    assert "nobody thought of" not in page
    assert "the log of this process says why" in page


def test_a_store_without_tables_is_not_ready_and_an_empty_one_shows_how_to_begin(tmp_path):
    with open_store(f"chdb://{tmp_path}/store") as store, served(store) as browser:
        (problem,) = json.loads(browser.get("/readyz", status=503))["problems"]
        assert "0001_predictions on; run `driftline migrate`" in problem
        client = store.connect()
        migrate(client)
        client.close()
        browser.get("/readyz")
        page = browser.get("/")
        assert "No model yet" in page
        assert "logger.log(features=" in page
        for path in PATHS[1:]:
            answer = browser.ask(path)
            assert answer.status == 404, path
            assert "Not found" in answer.text
