"""What sessions dropped is on the pages, also of a model of which nothing ever landed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from driftline.web import WebServer, create_app
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.traffic import make_logger
from tests.web.browser import Browser, text_of
from tests.web.conftest import WALL_CLOCK, metrics_with_one_counter


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    landing = Landing(Place(tmp_path_factory.mktemp("drops")))
    with make_logger(landing.log, model_name="silent") as logger:
        for _ in range(3):
            logger.log({"text": 20 * [60_000 * "x"]} | {str(place): 60_000 * "x" for place in range(20)})
    odd = {"vector": [1.0, 2.0], "price": Decimal("0.1"), "amount": 1.0}
    put(landing, [{"features": odd}] * 5, model_name="odd")
    put(landing, [{"features": {"amount": 1.0}}], model_name="whole")
    server = WebServer(
        create_app(landing.store, metrics_with_one_counter(), clock=lambda: WALL_CLOCK), "127.0.0.1", 0
    )
    server.start()
    yield Browser(server.url)
    server.stop()
    landing.close()


def test_a_model_of_which_everything_was_dropped_stands_first_on_the_first_page(site):
    page = site.get("/")
    text = text_of(page)
    assert text.index("silent") < text.index("odd")
    assert '<span class="bad">3 events dropped by the sender; nothing has landed.</span>' in page
    assert text.count("dropped by the sender") == 1


def test_its_own_page_says_so_and_why(site):
    page = site.get("/models/silent")
    assert '<p class="bad">Nothing has landed: 3 events dropped by the sender.</p>' in page
    assert "events dropped: an event of more than 1,000,000 bytes 3" in text_of(page)


def test_values_that_were_left_out_or_rounded_are_listed_by_feature(site):
    text = text_of(site.get("/models/odd"))
    assert "vector left out: neither number nor text 5" in text
    assert "price rounded to the nearest double 5" in text
    assert "What could not be logged" not in text_of(site.get("/models/whole"))
