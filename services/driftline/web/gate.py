"""Limits how much of the machine pages take: one is made at a time, and equal requests share it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    Key = tuple[str | None, ...]

MAX_WAITING = 100
"""So many different pages may wait for their turn; a further request is asked to retry later."""

_FRESH_S = 1.0
_FRESH_PER_SECOND = 4.0
_REST_PER_SECOND = 3.0
_MOST_OWED_S = 10.0
"""So much rest may be owed: whoever goes from page to page waits for none of it."""


class Gate:
    """Limits the endpoints of one application. For one event loop.

    One page is made at a time, in a thread. Then the gate owes a rest of three times as long, and takes it
    once ten seconds are owed: in the long run the pages take a quarter of a core at most, however many people
    look at them, and a person who reads waits for nothing. An answer is cached for a second, or for four
    times as long as it took.

    Args:
        monotonic: a clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._turn = asyncio.Lock()
        self._rests_until_s = float("-inf")
        self._making: dict[Key, asyncio.Task[Response]] = {}
        self._kept: dict[Key, tuple[float, Response]] = {}

    def __call__(
        self, name: str, endpoint: Callable[[Request], Response], varies: Sequence[str] = ()
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint, limited.

        Args:
            name: of its page.
            endpoint: what makes the page, in a thread.
            varies: headers of requests that are not answered alike.
        """

        async def answer(request: Request) -> Response:
            differs = (",".join(request.headers.getlist(header)) for header in varies)
            key = (name, request.scope["raw_path"].decode("ascii"), request.url.query, *differs)
            self._forget()
            if key in self._kept:
                return self._kept[key][1]
            if key not in self._making:
                if len(self._making) >= MAX_WAITING:
                    return _busy()
                self._making[key] = asyncio.create_task(self._make(key, endpoint, request))
            # A client that disconnects does not cancel the page for the others.
            return await asyncio.shield(self._making[key])

        return answer

    async def _make(self, key: Key, endpoint: Callable[[Request], Response], request: Request) -> Response:
        try:
            async with self._turn:
                await asyncio.sleep(max(0.0, self._rests_until_s - _MOST_OWED_S - self._monotonic()))
                begun_s = self._monotonic()
                try:
                    response = await run_in_threadpool(endpoint, request)
                finally:
                    ended_s = self._monotonic()
                    took_s = ended_s - begun_s
                    self._rests_until_s = max(self._rests_until_s, begun_s) + took_s * (1 + _REST_PER_SECOND)
            fresh_s = max(_FRESH_S, _FRESH_PER_SECOND * took_s)
            self._kept[key] = (ended_s + fresh_s, response)
            return response
        finally:
            del self._making[key]

    def _forget(self) -> None:
        now_s = self._monotonic()
        for key in [key for key, (until_s, _) in self._kept.items() if until_s <= now_s]:
            del self._kept[key]


def _busy() -> Response:
    return PlainTextResponse(
        "too many different pages are asked for at this moment; try again in a moment\n",
        status_code=503,
        headers={"Retry-After": "2", "Cache-Control": "no-store"},
    )
