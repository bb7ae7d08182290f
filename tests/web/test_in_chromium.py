"""The pages as a person meets them: in a browser, on a desk and on a phone, by day and by night."""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe

from driftline.web.pages import PAGES
from driftline.web.report import write_report
from tests.web.chromium import SCREENS, opened
from tests.web.conftest import TOKEN, WALL_CLOCK

PATHS = {page.name: page.example for page in PAGES} | {
    "categorical feature": "/models/flight-delay/features/carrier?at=2013-07-12T01:00Z",
    "not found": "/nothing",
    "report": "",
}
"""Every page there is, those that look otherwise with other data, and what is no page of the server's."""

NARROWEST = 320


@pytest.fixture(scope="module")
def addresses(site, tmp_path_factory):
    """Return the address of each kind of page, the file of a report among them."""
    listed = site.get("/models/flight-delay/predictions?feature=temp&low=30.85")
    report = tmp_path_factory.mktemp("report") / "report.html"
    with closing(site.store.connect()) as client:
        report.write_text(write_report(client, days=28, clock=lambda: WALL_CLOCK), encoding="utf-8")
    event = re.search(r'href="/predictions/([^"]*)"', listed)[1]
    served = {name: site.url + path.replace("EVENT", event) for name, path in PATHS.items()}
    return served | {"report": report.as_uri()}


def test_three_clicks_lead_from_the_first_page_to_the_training_run_without_scripts(chromium, site):
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(site.url)
        assert page.locator("h1").inner_text().startswith("flight-delay has drifted")
        page.get_by_role("link", name="temp").first.click()
        assert page.locator("h1").inner_text() == "temp"
        page.get_by_role("region", name="Values that break a rule").get_by_role("link").nth(1).click()
        assert "made while temp drifted" in page.locator("main").inner_text()
        run = page.locator("#training-run").inner_text()
        assert "run-7f3a" in run
        assert "9f3c2e1a7b" in run
        assert "s3://models/flight-delay/3" in run


def test_an_incident_leads_to_predictions_that_show_it(chromium, site):
    with opened(chromium, screen="phone") as page:
        page.goto(site.url)
        page.get_by_role("link", name="The whole incident").click()
        assert page.locator("h1").inner_text() == "temp drifted"
        page.get_by_role("link", name="All of them").click()
        assert page.get_by_label("has no value").is_checked()
        page.locator("table a").first.click()
        assert page.get_by_role("row", name="temp").inner_text().split()[:2] == ["temp", "none"]


def test_the_form_of_the_explorer_is_filled_in_by_its_labels_and_sent(chromium, site):
    with opened(chromium) as page:
        page.goto(f"{site.url}/models/flight-delay/predictions")
        page.get_by_label("tag or category").fill("carrier=DAL")
        page.get_by_label("feature").fill("temp")
        page.get_by_label("at least").fill("30.25")
        page.get_by_label("from, UTC").fill("2013-07-21T12:00")
        page.keyboard.press("Enter")
        page.wait_for_url("**since=2013-07-21T12*")
        values = page.locator("tbody td:nth-child(3)").all_inner_texts()
        assert values == ["30.3", "30.3"]
        assert page.get_by_label("feature").input_value() == "temp"


def test_an_incident_is_acknowledged_by_keyboard_without_scripts(chromium, acting):
    """The browser itself says that the form comes from the page: of a page without referrers it does not."""
    with opened(chromium, java_script_enabled=False, screen="phone") as page:
        page.goto(f"{acting}/incidents/0f0f0f0f0f0f")
        reach(page, page.get_by_label("real: a fault"))
        page.keyboard.press("ArrowDown")
        assert page.get_by_label("noise: a false page").is_checked()
        for text in ("a holiday", "not the token"):
            page.keyboard.press("Tab")
            page.keyboard.type(text)
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").inner_text() == "Nobody here has this token."
        assert page.get_by_label("noise: a false page").is_checked()
        assert page.get_by_label("why").input_value() == "a holiday"
        reach(page, page.get_by_label("your token"))
        page.keyboard.type(TOKEN)
        reach(page, page.get_by_role("button", name="Acknowledge"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/incidents/0f0f0f0f0f0f?given=*")
        assert page.get_by_role("status").inner_text().startswith("Written: noise, by Ada.")
        assert "noise, by Ada at" in page.locator("#acknowledge").inner_text()


def reach(page, wanted):
    """Press Tab until something has the focus."""
    for _ in range(100):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {wanted}")


def test_everybody_can_use_the_form(chromium, acting):
    with opened(chromium, bypass_csp=True) as page:
        page.goto(f"{acting}/incidents/a1b2c3d4e5f6")
        page.get_by_label("accept: the new normal").check()
        page.get_by_label("your token").fill("not the token")
        for screen, scheme in (("desk", "light"), ("phone", "dark")):
            width, height = SCREENS[screen]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, (screen, scheme, found.generate_report())
            page.get_by_role("button", name="Acknowledge").click()
            page.get_by_role("alert").wait_for()
            page.get_by_label("your token").fill("not the token")
        page.set_viewport_size({"width": NARROWEST, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST


@pytest.fixture(scope="module", params=PATHS)
def looked_at(request, chromium, addresses):
    """Return a page's name, the page as it was opened once, and what was asked for and logged by then."""
    name = request.param
    asked, logged = [], []
    with opened(chromium) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: logged.append(message.text))
        page.goto(addresses[name])
        yield name, page, asked, logged


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_refused(looked_at, addresses):
    name, _, asked, logged = looked_at
    place = addresses[name].rpartition("/")[0] if name == "report" else addresses["fleet"]
    assert asked
    assert [url for url in asked if not url.startswith((place, "data:"))] == []
    assert [text for text in logged if "404" not in text] == []


def test_nothing_is_wider_than_a_phone(looked_at):
    _, page, _, _ = looked_at
    for width in (SCREENS["phone"][0], NARROWEST):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_night_is_dark(looked_at):
    _, page, _, _ = looked_at
    backgrounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


@pytest.mark.parametrize("name", PATHS)
def test_everybody_can_use_it(chromium, addresses, name):
    """By axe-core: contrast, landmarks, headings, labels, names, tables and what else it knows."""
    with opened(chromium, bypass_csp=True) as page:
        page.goto(addresses[name])
        for screen, scheme in (("desk", "light"), ("phone", "dark")):
            width, height = SCREENS[screen]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, (screen, scheme, found.generate_report())
