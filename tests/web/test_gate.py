"""However many look at pages, few are made."""

from __future__ import annotations

import asyncio
import threading

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from driftline.web.gate import MAX_WAITING, Gate


class Maker:
    """Makes pages, each of which takes a second of its clock, and counts them."""

    def __init__(self):
        self.now_s = 0.0
        self.made = []
        self.at_once = self.most_at_once = 0
        self.may_end = threading.Event()
        self.may_end.set()
        self.begun = threading.Event()

    def monotonic(self):
        return self.now_s

    def page(self, request):
        self.at_once += 1
        self.begun.set()
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.may_end.wait(30)
        self.made.append(request.url.path + "?" + request.url.query)
        self.at_once -= 1
        if request.url.query == "fails":
            raise LookupError(request.url.path)
        return PlainTextResponse(str(len(self.made)))


def asked(path, query=""):
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": []}
    return Request({**scope, "query_string": query.encode(), "server": ("localhost", 80), "scheme": "http"})


@pytest.fixture
def maker():
    return Maker()


async def all_of(calls):
    return await asyncio.gather(*calls, return_exceptions=True)


def test_who_asks_for_one_page_at_once_gets_the_same_one(maker):
    async def ask():
        page = Gate(maker.monotonic)("model", maker.page)
        return await all_of(page(asked("/", "days=7")) for _ in range(50))

    answers = asyncio.run(ask())
    assert {answer.body for answer in answers} == {b"1"}
    assert maker.made == ["/?days=7"]


def test_different_pages_are_made_one_after_the_other(maker):
    async def ask():
        page = Gate(maker.monotonic)("model", maker.page)
        maker.may_end.clear()
        numbers = [(number, query) for number in range(10) for query in ("", "days=7")]
        asking = [asyncio.create_task(page(asked(f"/{number}", query))) for number, query in numbers]
        await asyncio.to_thread(maker.begun.wait, 30)
        await asyncio.sleep(0.1)  # The others would have begun by now.
        maker.may_end.set()
        await all_of(asking)

    asyncio.run(ask())
    assert len(set(maker.made)) == 20
    assert maker.most_at_once == 1


def test_a_page_is_made_anew_once_it_is_no_longer_fresh(maker):
    async def ask():
        page = Gate(maker.monotonic)("model", maker.page)
        for maker.now_s in (0.0, 0.9, 1.0):
            await page(asked("/"))

    asyncio.run(ask())
    assert len(maker.made) == 2


@pytest.fixture
def slow(maker, monkeypatch):
    """Return what looks at pages, each of which takes two seconds; and for how long each of them waited."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        maker.now_s += seconds

    def endpoint(request):
        maker.now_s += 2.0
        return maker.page(request)

    page = Gate(maker.monotonic)("model", endpoint)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return page, slept


def test_a_page_that_took_long_is_fresh_for_longer(maker, slow):
    page, _ = slow

    async def ask():
        for maker.now_s in (0.0, 9.9, 10.0):
            await page(asked("/"))

    asyncio.run(ask())
    assert maker.made == ["/?", "/?"]


def test_a_person_who_goes_from_page_to_page_does_not_wait_and_many_people_wait_for_three_times_as_long(slow):
    page, slept = slow

    async def ask():
        for number in range(8):
            await page(asked(f"/{number}"))

    asyncio.run(ask())
    assert slept == [0.0, 0.0, 2.0, 6.0, 6.0, 6.0, 6.0, 6.0]


def test_after_a_while_without_requests_nothing_is_owed(maker, slow):
    page, slept = slow

    async def ask():
        for number in range(4):
            await page(asked(f"/{number}"))
        maker.now_s += 100.0
        await page(asked("/late"))

    asyncio.run(ask())
    assert slept[-1] == 0.0


def test_a_page_that_failed_is_reported_to_all_who_waited_and_made_anew_for_the_next(maker):
    async def ask():
        page = Gate(maker.monotonic)("model", maker.page)
        answers = await all_of(page(asked("/", "fails")) for _ in range(3))
        return [*answers, *await all_of([page(asked("/", "fails")), page(asked("/"))])]

    *failed, last = asyncio.run(ask())
    assert [type(answer) for answer in failed] == [LookupError] * 4
    assert last.status_code == 200
    assert len(maker.made) == 3


def test_a_request_for_yet_another_page_when_many_wait_is_asked_to_retry(maker):
    async def ask():
        page = Gate(maker.monotonic)("model", maker.page)
        maker.may_end.clear()
        waiting = [asyncio.create_task(page(asked(f"/{number}"))) for number in range(MAX_WAITING)]
        await asyncio.sleep(0)
        refused = await page(asked("/one-more"))
        maker.may_end.set()
        return refused, await all_of(waiting)

    refused, answers = asyncio.run(ask())
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert {answer.status_code for answer in answers} == {200}
    assert "/one-more?" not in maker.made
