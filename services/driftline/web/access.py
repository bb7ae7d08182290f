"""Logging who looked at which page of predictions, behind the answer: it neither waits for that nor fails."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from driftline.domain.access import BY_ADDRESS, BY_HEADER, Access
from driftline.metrics import Metric
from driftline.store.access import write_accesses

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from driftline.metrics import Metrics
    from driftline.store import Store
    from driftline.web.pages import Page

    Answer = Callable[[Request], Awaitable[Response]]

_logger = logging.getLogger(__name__)

UNLOGGED: Final = "driftline_access_log_failures_total"

WEB_METRICS = (
    Metric(
        UNLOGGED,
        "counter",
        (),
        "Looks at pages of predictions that could not be logged. The pages were shown.",
    ),
)

_WAITING = 1000
"""So many looks wait for the store at most; beyond, they are counted as not logged."""

_ANSWERED = 400


class AccessLog:
    """Logs looks at pages. For one event loop.

    Args:
        store: that keeps the log. Each block has a connection of its own.
        metrics: of this process; with `WEB_METRICS`, they count what could not be logged.
        user_header: of requests, which a proxy sets to who asks; empty: the address that asks stands for it.
    """

    def __init__(self, store: Store, metrics: Metrics, user_header: str = "") -> None:
        self._store = store
        self._metrics = metrics
        self._user_header = user_header
        self._waiting: list[Access] = []
        self._writing: asyncio.Task[None] | None = None

    def around(self, page: Page, answer: Answer) -> Answer:
        """Return what answers for a page, and logs who looked, if it was shown.

        Args:
            page: which.
            answer: what makes it.
        """

        async def logged(request: Request) -> Response:
            response = await answer(request)
            if response.status_code < _ANSWERED:
                self._note(self._access(page, request))
            return response

        return logged if page.shows else answer

    def _access(self, page: Page, request: Request) -> Access:
        query = f"?{request.url.query}" if request.url.query else ""
        name = request.path_params["names"][0]
        who = request.headers.get(self._user_header, "") if self._user_header else ""
        address = request.client.host if request.client else "unknown"
        return Access(
            who=who or address,
            known_by=BY_HEADER if who else BY_ADDRESS,
            how=page.name,
            asked=f"{request.url.path}{query}",
            model_name=name if page.shows == "model" else "",
            event_id=name if page.shows == "event" else "",
        )

    def _note(self, access: Access) -> None:
        if len(self._waiting) >= _WAITING:
            self._fail(1, "too many wait for the store")
            return
        self._waiting.append(access)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            block, self._waiting = self._waiting, []
            try:
                await run_in_threadpool(self._insert, block)
            except Exception as error:  # noqa: BLE001  whatever it is, the pages go on
                self._fail(len(block), str(error).partition("\n")[0])

    def _insert(self, block: Sequence[Access]) -> None:
        with self._store.connect(patient=True) as connection:
            write_accesses(connection, block)

    def _fail(self, looks: int, why: str) -> None:
        self._metrics.count(UNLOGGED, looks)
        _logger.warning("%d looks at predictions could not be logged: %s", looks, why)
