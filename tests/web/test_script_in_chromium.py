"""What the pages gain from scripts, in a browser whose clock the tests set."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from driftline.web.endpoints import REFRESH_S
from driftline.web.pages import PAGES
from tests.web.chromium import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route

MODEL = "/models/flight-delay"
INCIDENT = "/incidents/a1b2c3d4e5f6"
BERLIN = {"timezone_id": "Europe/Berlin"}


@dataclass
class Changing:
    """Answers a page's requests with what the server says, and with a text of it replaced.

    Args:
        old: a text of the page.
        new: what stands there from now on.
        asked: how often the page was asked for.
        status: of the answers.
    """

    old: str = ""
    new: str = ""
    asked: int = 0
    status: int = 200

    def __call__(self, route: Route) -> None:
        self.asked += 1
        answer = route.fetch()
        text = answer.text()
        route.fulfill(
            response=answer, status=self.status, body=text.replace(self.old, self.new) if self.old else text
        )


@contextmanager
def following(chromium, address: str, **options) -> Iterator[tuple[Page, Changing]]:
    """Open a page whose clock stands still, and of which later answers can be changed."""
    with opened(chromium, **options) as page:
        changing = Changing()
        page.route(address, changing)
        page.clock.install()
        page.goto(address)
        yield page, changing


def pass_time(page: Page, seconds: float = REFRESH_S) -> None:
    """Let the page's clock go on."""
    page.clock.run_for(seconds * 1000)
    page.evaluate("0")


def refresh(page: Page) -> None:
    """Let the page's clock go on until it asks for its content, and is answered."""
    with page.expect_response(page.url):
        page.clock.run_for(REFRESH_S * 1000)


def test_an_open_page_follows_the_store_without_losing_the_place(chromium, site):
    """What was opened stays open, what had the focus has it, and the page is where it was scrolled to."""
    with following(chromium, f"{site.url}{MODEL}/features/temp") as (page, changing):
        page.locator("main details summary").first.click()
        page.locator("main a").last.focus()
        page.evaluate("window.scrollTo(0, 400)")
        focused = page.evaluate("document.activeElement.textContent")
        changing.old, changing.new = "<h1>temp", "<h1>anew: temp"
        refresh(page)
        expect(page.locator("main h1")).to_contain_text("anew")
        assert page.locator("main details").first.evaluate("element => element.open")
        assert page.evaluate("document.activeElement.textContent") == focused
        assert page.evaluate("window.scrollY") == 400


def test_a_page_asks_so_often_and_no_more(chromium, site):
    with following(chromium, site.url + MODEL) as (page, changing):
        assert changing.asked == 1
        for times in (2, 3):
            refresh(page)
            assert changing.asked == times
        pass_time(page, REFRESH_S - 1)
        assert changing.asked == 3


def test_following_can_be_stopped_and_stays_so_on_the_next_page(chromium, site):
    with following(chromium, site.url + MODEL) as (page, changing):
        page.get_by_role("button", name="Stop following").click()
        pass_time(page, 10 * REFRESH_S)
        assert changing.asked == 1
        page.goto(site.url)
        changing.asked = 0
        page.goto(site.url + MODEL)
        pass_time(page, 10 * REFRESH_S)
        assert changing.asked == 1
        with page.expect_response(page.url):
            page.get_by_role("button", name="Follow").click()
        assert changing.asked == 2


def test_whoever_selects_text_is_left_alone(chromium, site):
    with following(chromium, site.url + MODEL) as (page, changing):
        page.locator("main h1").select_text()
        pass_time(page, 3 * REFRESH_S)
        assert changing.asked == 1
        page.evaluate("document.getSelection().removeAllRanges()")
        refresh(page)
        assert changing.asked == 2


def test_a_form_that_is_being_filled_in_is_left_alone(chromium, acting):
    """Until it is as it was."""
    with following(chromium, acting + INCIDENT) as (page, changing):
        why, noise = page.get_by_label("why"), page.get_by_label("noise: a false page")
        why.focus()
        pass_time(page, 3 * REFRESH_S)
        why.fill("a holiday")
        why.blur()
        pass_time(page, 3 * REFRESH_S)
        assert (changing.asked, why.input_value()) == (1, "a holiday")
        why.fill("")
        why.blur()
        refresh(page)
        noise.check()
        noise.blur()
        pass_time(page, 3 * REFRESH_S)
        assert (changing.asked, noise.is_checked()) == (2, True)


def test_a_page_that_can_not_be_read_anew_stays_and_says_so(chromium, site):
    with following(chromium, site.url + MODEL) as (page, changing):
        changing.status = 503
        refresh(page)
        state = page.locator("footer [role=status]")
        expect(state).to_contain_text("Not up to date")
        assert page.locator("main h1").inner_text() == "flight-delay"
        changing.status = 200
        refresh(page)
        expect(state).to_have_text("")


@pytest.mark.parametrize("name", sorted(page.name for page in PAGES if page.shows))
def test_pages_of_single_predictions_are_asked_for_once(name):
    """Whoever looks at single predictions is logged: nobody looks unasked."""
    assert not next(page for page in PAGES if page.name == name).moves


def test_times_are_shown_in_the_readers_zone_to_those_who_ask(chromium, site):
    """From then on and on every page, with the zone's name; of summer and winter each as it was."""
    with opened(chromium, **BERLIN) as page:
        page.goto(site.url + MODEL)
        assert page.locator("main time").first.inner_text().endswith("UTC")
        page.get_by_role("button", name="Show times in Europe/Berlin").click()
        page.goto(site.url + INCIDENT)
        since = page.locator('main time[datetime="2013-07-19T10:00Z"]').first
        assert since.inner_text() == "19 Jul 2013, 12:00 CEST"
        assert "All times are Europe/Berlin, those of charts UTC" in page.locator("footer").inner_text()
        page.get_by_role("button", name="Show times in UTC").click()
        assert since.inner_text() == "19 Jul 2013, 10:00 UTC"
        page.reload()
        assert since.inner_text() == "19 Jul 2013, 10:00 UTC"


def test_times_stay_in_the_readers_zone_when_the_page_is_read_anew(chromium, site):
    with following(chromium, site.url + MODEL, **BERLIN) as (page, changing):
        page.get_by_role("button", name="Show times in Europe/Berlin").click()
        changing.old, changing.new = "<h1>flight-delay", "<h1>anew: flight-delay"
        refresh(page)
        expect(page.locator("main h1")).to_contain_text("anew")
        texts = page.locator("main time").all_inner_texts()
        assert texts
        assert [text for text in texts if "UTC" in text] == []


def test_predictions_are_listed_in_the_zone_that_the_column_names(chromium, site):
    with opened(chromium, timezone_id="America/New_York") as page:
        page.goto(f"{site.url}{MODEL}/predictions?feature=temp&low=30.85")
        shown = page.locator("tbody time").first
        utc = shown.inner_text()
        page.get_by_role("button", name="Show times in America/New_York").click()
        assert page.locator("th").first.inner_text() == "time, America/New_York"
        hour = re.compile(r"(\d\d):(\d\d:\d\d)$")
        before, after = hour.search(utc), hour.search(shown.inner_text())
        assert (int(before[1]) - int(after[1])) % 24 == 4
        assert before[2] == after[2]


def test_who_is_in_utc_is_offered_no_other_zone(chromium, site):
    with opened(chromium, timezone_id="UTC") as page:
        page.goto(site.url + MODEL)
        assert page.get_by_role("button", name=re.compile("Show times")).count() == 0


def test_everybody_can_use_the_buttons(chromium, site):
    with opened(chromium, bypass_csp=True, screen="phone", **BERLIN) as page:
        page.goto(site.url + MODEL)
        page.get_by_role("button", name="Show times in Europe/Berlin").click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
