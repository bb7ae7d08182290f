"""An incident is acknowledged from its page by whoever is known, from that page only, and over nobody."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from driftline.embedded import open_store
from driftline.metrics import Metrics
from driftline.serving import AllowedHosts
from driftline.store import ready_connection
from driftline.store.incidents import find_incident, read_acknowledgements, write_incidents
from driftline.web import Acting, create_app
from driftline.web.acknowledge import Pace
from driftline.web.acting import Forms, is_from_own_page
from driftline.web.incidents import with_acknowledgements
from tests.web.browser import text_of
from tests.web.conftest import END, SINCE, judge_hours, page, stored_incident, write_given

BASE = "https://driftline.example"
OWN = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
ADA, BOB = {"X-User": "ada"}, {"X-User": "bob"}
TOKENS = {"ada": "a" * 32, "bob": "b" * 32}
KEY = b"of this test"
OTHER_KEY = b"of another process"


@dataclass
class Clock:
    now_s: float = 1.8e9

    def __call__(self):
        self.now_s += 1.0
        return self.now_s


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('acting')}/store") as opened:
        ready_connection(opened).close()
        yield opened


@pytest.fixture(scope="module")
def unacknowledged(store):
    """Return the ids of incidents that nobody has acknowledged."""
    moved = [page("temp", END, SINCE)]
    ids = [f"{place:02}-incident" for place in range(50)]
    with closing(store.connect()) as client:
        write_given(client, moved)
        judge_hours(client, "flight-delay", END - 3)
        write_incidents(client, [stored_incident(each, moved) for each in ids])
    return iter(ids)


@pytest.fixture
def incident(unacknowledged):
    """Return the id of an incident of this test alone."""
    return next(unacknowledged)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def visit(store, clock):
    def visit(**acting):
        options = {"key": KEY, "user_header": "X-User", **acting}
        app = create_app(store, Metrics(), clock=clock, acting=Acting(**options) if acting != {} else None)
        return TestClient(AllowedHosts(app, ["driftline.example"]), base_url=BASE, follow_redirects=False)

    return visit


@pytest.fixture
def by_proxy(visit):
    return visit(key=KEY)


@pytest.fixture
def by_token(visit):
    return visit(tokens=TOKENS)


@pytest.fixture
def seal_of(store, clock):
    """Return what seals a form as an incident's page does."""

    def sealed(incident, headers=ADA, **acting):
        forms = Forms(Acting(**{"key": KEY, "user_header": "X-User", **acting}), clock)
        with closing(store.connect()) as client:
            (known,) = with_acknowledgements(client, [find_incident(client, incident)])
        return forms.form(known, Headers(headers)).seal

    return sealed


def send(browser, incident, seal, headers=None, *, who=ADA, **fields):
    data = {"acknowledgement": "real", "note": "", "seal": seal, **fields}
    return browser.post(
        f"/incidents/{incident}/acknowledgements", data=data, headers={**OWN, **who, **(headers or {})}
    )


def given(store, incident):
    with closing(store.connect()) as client:
        found = [one for each in read_acknowledgements(client).values() for one in each]
    return [(one.name, one.given_by, one.note) for one in found if one.incident_id == incident]


def test_pages_only_show_unless_it_is_switched_on(visit, incident, store):
    browser = visit()
    shown = browser.get(f"/incidents/{incident}")
    assert "<form" not in shown.text
    assert f"driftline ack {incident} --real" in text_of(shown.text)
    assert "form-action 'none'" in shown.headers["Content-Security-Policy"]
    assert send(browser, incident, "1.0.x").status_code == 404
    assert given(store, incident) == []


def test_whom_the_proxy_names_acknowledges_and_sees_what_became_of_it(by_proxy, incident, seal_of, store):
    browser = by_proxy
    assert "Acknowledge it as ada" in text_of(browser.get(f"/incidents/{incident}", headers=ADA).text)
    sent = send(browser, incident, seal_of(incident, ADA), acknowledgement="noise", note="a\r\nholiday")
    assert sent.status_code == 303
    assert given(store, incident) == [("noise", "ada", "a\nholiday")]
    shown = text_of(browser.get(sent.headers["Location"], headers=ADA).text)
    assert "was called a false page" in shown
    assert "Written: noise, by ada" in shown


def test_whose_token_it_is_acknowledges_whatever_a_header_says(by_token, incident, seal_of, store):
    seal = seal_of(incident, {}, tokens=TOKENS)
    refused = send(by_token, incident, seal, token="c" * 32, note="my note")
    assert refused.status_code == 403
    assert "Nobody here has this token." in text_of(refused.text)
    assert ">my note</textarea>" in refused.text
    assert 'value="real" required checked' in refused.text
    assert "c" * 32 not in refused.text
    assert send(by_token, incident, seal, token="").status_code == 403
    assert given(store, incident) == []
    assert send(by_token, incident, seal, token=f" {TOKENS['bob']} ").status_code == 303
    assert given(store, incident) == [("real", "bob", "")]


def test_whom_no_proxy_names_or_two_names_may_not(by_proxy, incident, seal_of, store):
    shown = by_proxy.get(f"/incidents/{incident}")
    assert "<form" not in shown.text
    assert "does not say who you are" in shown.text
    seal = seal_of(incident, ADA)
    assert send(by_proxy, incident, seal, who={}).status_code == 403
    two = [*OWN.items(), ("X-User", "ada"), ("X-User", "mallory")]
    address, data = f"/incidents/{incident}/acknowledgements", {"acknowledgement": "real", "seal": seal}
    assert by_proxy.post(address, data=data, headers=two).status_code == 403
    assert given(store, incident) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://other.driftline.example", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://driftline.example:8443"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
    ids=str,
)
def test_a_form_that_another_page_sends_is_refused(by_proxy, incident, seal_of, store, headers):
    seal = seal_of(incident, ADA)
    data = {"acknowledgement": "real", "seal": seal}
    address = f"/incidents/{incident}/acknowledgements"
    answer = by_proxy.post(address, data=data, headers={**ADA, **headers})
    assert answer.status_code == 403
    assert "only" in answer.text
    assert given(store, incident) == []


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin"}, {"origin": BASE}, {"origin": BASE.upper()}], ids=str
)
def test_an_own_page_is_known_by_either_header(headers):
    assert is_from_own_page(Headers({"host": "driftline.example", **headers}))


def test_a_form_for_another_host_is_refused_before_anything_else(by_proxy, incident, seal_of, store):
    seal = seal_of(incident, ADA)
    foreign = {"Host": "rebound.example", "Origin": "https://rebound.example"}
    assert send(by_proxy, incident, seal, foreign).status_code == 421
    assert given(store, incident) == []


def test_nothing_is_acknowledged_by_asking(by_proxy, incident, seal_of, store):
    seal = seal_of(incident, ADA)
    address = f"/incidents/{incident}/acknowledgements?acknowledgement=real&seal={seal}"
    assert by_proxy.get(address, headers={**OWN, **ADA}).status_code in {404, 405}
    assert by_proxy.head(address, headers={**OWN, **ADA}).status_code in {404, 405}
    by_proxy.get(f"/incidents/{incident}?given=x&acknowledgement=real", headers=ADA)
    assert given(store, incident) == []


def test_a_seal_holds_for_its_incident_its_person_and_half_a_day(by_proxy, incident, seal_of, store, clock):
    seal = seal_of(incident, ADA)
    issued, _, digest = seal.split(".")
    elsewhere = seal_of(incident, ADA, key=OTHER_KEY)
    wrong = ["", "x", f"{issued}.7.{digest}", f"{int(issued) + 1}.0.{digest}", f"{seal}0", "9" * 5000]
    wrong += [seal.replace(digest, digest[::-1]), elsewhere, "\N{SUPERSCRIPT TWO}.0.x"]
    assert {send(by_proxy, incident, each).status_code for each in wrong} == {403}
    assert send(by_proxy, incident, seal, who=BOB).status_code == 403
    clock.now_s += 12 * 3600
    late = send(by_proxy, incident, seal, note="why")
    assert late.status_code == 403
    assert "too old" in late.text
    assert given(store, incident) == []
    fresh = re.search(r'name="seal" value="([^"]*)"', late.text)[1]
    assert send(by_proxy, incident, fresh, note="why").status_code == 303


def test_a_form_is_not_shared_between_two_who_ask_at_the_same_time(by_proxy, incident):
    shown = [text_of(by_proxy.get(f"/incidents/{incident}", headers=who).text) for who in (ADA, BOB)]
    assert ["Acknowledge it as ada" in text for text in shown] == [True, False]
    assert ["Acknowledge it as bob" in text for text in shown] == [False, True]


def test_who_comes_second_sees_it_and_decides_anew(by_proxy, incident, seal_of, store):
    adas, bobs = seal_of(incident, ADA), seal_of(incident, BOB)
    assert send(by_proxy, incident, adas, note="broken sensor").status_code == 303
    refused = send(by_proxy, incident, bobs, who=BOB, acknowledgement="accept", note="summer")
    assert refused.status_code == 409
    text = text_of(refused.text)
    assert "Meanwhile ada acknowledged it as real at" in text
    assert "noting: broken sensor. Nothing was written" in text
    assert ">summer</textarea>" in refused.text
    assert given(store, incident) == [("real", "ada", "broken sensor")]
    again = re.search(r'name="seal" value="([^"]*)"', refused.text)[1]
    assert send(by_proxy, incident, again, who=BOB, acknowledgement="accept").status_code == 303
    assert [one[:2] for one in given(store, incident)] == [("real", "ada"), ("accept", "bob")]


def test_of_several_at_once_one_is_taken_and_the_others_see_it(by_proxy, incident, seal_of, store):
    seal = seal_of(incident, ADA)
    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(lambda _: send(by_proxy, incident, seal).status_code, range(4)))
    assert sorted(statuses) == [303, 409, 409, 409]
    assert len(given(store, incident)) == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"acknowledgement": "maybe"}, 400),
        ({"acknowledgement": ""}, 400),
        ({"note": "x" * 1001}, 400),
        ({"note": "x" * 20_000}, 413),
        ({f"field{place}": "" for place in range(9)}, 400),
    ],
)
def test_what_is_no_such_form_is_refused(by_proxy, incident, seal_of, fields, status):
    assert send(by_proxy, incident, seal_of(incident, ADA), **fields).status_code == status


def test_other_content_than_a_form_is_refused(by_proxy, incident):
    address, kind = f"/incidents/{incident}/acknowledgements", "Content-Type"
    plain = {**OWN, **ADA, kind: "text/plain"}
    assert by_proxy.post(address, content=b"acknowledgement=real", headers=plain).status_code == 415
    form = {**plain, kind: "application/x-www-form-urlencoded"}
    assert by_proxy.post(address, content=b"note=%ff", headers=form).status_code == 400
    assert by_proxy.post(address, content=b"note=\xff", headers=form).status_code == 400


def test_an_incident_that_is_not_there_is_not_found(by_proxy, incident, seal_of):
    assert send(by_proxy, "nothing", seal_of(incident, ADA)).status_code == 404


def test_forms_come_at_a_bounded_pace(by_proxy, incident):
    statuses = [send(by_proxy, incident, "", {"Content-Type": "text/plain"}).status_code for _ in range(31)]
    assert statuses == [415] * 30 + [429]


def test_a_pace_allows_so_many_a_minute_and_gives_them_back():
    now_s = [0.0]
    pace = Pace(2, lambda: now_s[0])
    assert [pace.takes() for _ in range(3)] == [True, True, False]
    now_s[0] = 30.0
    assert [pace.takes() for _ in range(2)] == [True, False]


def test_a_name_from_outside_stays_text(by_proxy, incident):
    hostile = {"X-User": "<script>alert(1)</script>"}
    shown = by_proxy.get(f"/incidents/{incident}", headers=hostile).text
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_secrets_are_in_no_repr():
    shown = repr(Acting(key=KEY, tokens=TOKENS, user_header="X-User"))
    assert "aaaa" not in shown
    assert KEY.decode() not in shown


def test_an_incident_is_given_in_markdown_with_links(by_proxy, incident):
    shown = by_proxy.get(f"/incidents/{incident}")
    assert f'href="/incidents/{incident}.md"' in shown.text
    ticket = by_proxy.get(f"/incidents/{incident}.md")
    assert ticket.headers["Content-Type"] == "text/markdown; charset=utf-8"
    lines = ticket.text.splitlines()
    assert lines[0].startswith("# temp drifted: ")
    assert f"({BASE}/incidents/{incident})" in ticket.text
    assert "at=2013-07-21T14" in ticket.text
    assert f"[runbook of DriftlineDataDrift]({BASE}/runbooks/DriftlineDataDrift)" in ticket.text
    assert lines[-1] == "Nobody has acknowledged it yet."


def test_in_markdown_notes_and_names_stay_text(by_proxy, incident, seal_of):
    seal = seal_of(incident, ADA)
    send(by_proxy, incident, seal, note="[click](https://elsewhere.example)\n# <b>now</b>")
    last = by_proxy.get(f"/incidents/{incident}.md").text.splitlines()[-1]
    assert last.startswith("- **real**, by ada at ")
    assert r"\[click\](https://elsewhere.example) \# \<b\>now\</b\>" in last
