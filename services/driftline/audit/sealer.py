"""The sealer: makes a link of each window of landings of a model, once nothing can land in it any more.

It reads what has landed and writes beside it, so landing never waits for it. Killed at any moment it goes on
from the last link; two sealers at once make the same links.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from driftline.audit.metrics import FAILURES, SEALED_LINKS, SEALED_ROWS, SEALED_UNTIL, SECONDS
from driftline.domain.chain import Head, extend
from driftline.health import Pulse, keep_on
from driftline.store import ready_connection
from driftline.store.chain import (
    SLOT_MS,
    add_links,
    digest_rows,
    read_heads,
    read_last_links,
    read_sealed,
    read_store_ms,
    read_waiting,
    write_heads,
)
from driftline.store.hours import LONGEST_INSERT_S

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from driftline.domain.chain import Link
    from driftline.metrics import Metrics
    from driftline.store.connect import Store
    from driftline.store.connection import Connection

_logger = logging.getLogger(__name__)

_POLL_S = 10.0
_LONGEST_REST_S = 10.0
_DAY_MS = 86_400_000
_BACK_MS = 3_600_000
"""Each look reaches back so far behind the last one: an insert may have hung."""

MOST_ROWS = 500_000
"""So many rows are sealed by one statement, unless one window alone has more."""


class Sealer:
    """Seals what lands, of all models. For one thread.

    Args:
        store: rows come from it, the chain goes to it.
        metrics: a process's metrics, with the sealer's table.
        monotonic: a clock in seconds.
        pulse: shows the health endpoints that sealing goes on.
        most_rows: that one statement seals.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
        pulse: Pulse | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic
        self._pulse = pulse or Pulse("sealer", monotonic)
        self._most_rows = most_rows
        for name in (SEALED_ROWS, SEALED_LINKS, SECONDS, FAILURES):
            metrics.count(name, 0)
        self._connection = ready_connection(store, first=self._tell_now)
        self._begin()

    def _tell_now(self, connection: Connection) -> None:
        self._metrics.set(SEALED_UNTIL, read_store_ms(connection) / 1000)

    def _begin(self) -> None:
        """Know nothing: the next step looks at everything."""
        self._looked_ms = self._heads_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Seal until ``stop`` is set. While the store is away, waits and tries again."""

        def step() -> float:
            with self._pulse.busy():
                self.step(stop)
            self._pulse.succeed()
            return _POLL_S

        keep_on(
            step,
            stop,
            what="sealing",
            pulse=self._pulse,
            logger=_logger,
            start_over=self._start_over,
            failed=lambda: self._metrics.count(FAILURES),
            rest_s=_POLL_S,
        )

    def _start_over(self) -> None:
        self._connection.close()
        self._connection = ready_connection(self._store)
        self._begin()

    def step(self, stop: threading.Event | None = None) -> int:
        """Seal the windows in which nothing can land any more; return how many links that made.

        Args:
            stop: ends the step early, between two statements.

        Raises:
            StoreError: the store is away.
        """
        patient_ms = read_store_ms(self._connection) - int(LONGEST_INSERT_S * 1000)
        until_ms = patient_ms // SLOT_MS * SLOT_MS
        if until_ms <= self._looked_ms:
            return 0
        made = self._seal(until_ms, stop)
        self._keep_heads(until_ms)
        if stop is None or not stop.is_set():
            self._looked_ms = until_ms
            self._metrics.set(SEALED_UNTIL, until_ms / 1000)
        return made

    def seal_everything(self) -> int:
        """Seal all that has landed until now, of windows that have not ended, too; return how many links.

        What becomes visible later of an insert that is under way reads as added: for a store at rest.

        Raises:
            StoreError: the store is away.
        """
        self._looked_ms = 0
        return self._seal(read_store_ms(self._connection) + 1, None)

    def _seal(self, until_ms: int, stop: threading.Event | None) -> int:
        waiting = read_waiting(self._connection, max(self._looked_ms - _BACK_MS, 0), until_ms)
        last = dict(read_last_links(self._connection))
        made = 0
        for model_name, slots in waiting.items():
            head = last.get(model_name)
            for end_ms in self._windows(slots, head, until_ms):
                if stop is not None and stop.is_set():
                    return made
                began_s = self._monotonic()
                head, links = self._extend(model_name, head, end_ms)
                made += links
                seconds = self._monotonic() - began_s
                self._metrics.count(SECONDS, seconds)
                if stop is not None:  # Landing may share the machine.
                    stop.wait(min(seconds, _LONGEST_REST_S))
        return made

    def _windows(self, slots: Sequence[tuple[int, int]], head: Link | None, until_ms: int) -> Iterator[int]:
        """Yield where statements end, so that each has few enough rows."""
        sealed_ms = head.until_ms if head else 0
        rows, end_ms = 0, sealed_ms
        for slot, held in slots:
            slot_end_ms = min((slot + 1) * SLOT_MS, until_ms)
            if slot_end_ms <= sealed_ms:
                continue
            if rows and rows + held > self._most_rows:
                yield end_ms
                rows = 0
            rows, end_ms = rows + held, slot_end_ms
        if rows:
            yield end_ms

    def _extend(self, model_name: str, head: Link | None, until_ms: int) -> tuple[Link | None, int]:
        """Seal a model's rows behind its last link; return the last link then, and how many are new."""
        since_ms = head.until_ms if head else 0
        digest_rows(self._connection, model_name, since_ms, until_ms)
        sealed = read_sealed(self._connection, model_name, since_ms + 1, until_ms)
        windows = [window for (_, acceptance), window in sealed.items() if not acceptance]
        links = extend(model_name, head, windows)
        if not links:
            return head, 0
        if not add_links(
            self._connection, links
        ):  # Somebody else was faster; what they wrote is what counts.
            return read_last_links(self._connection).get(model_name, head), 0
        self._metrics.count(SEALED_LINKS, len(links))
        self._metrics.count(SEALED_ROWS, sum(link.rows for link in links))
        return links[-1], len(links)

    def _keep_heads(self, until_ms: int) -> None:
        """Keep the last link of each model once a day is over, where it has links that no head names."""
        midnight_ms = until_ms // _DAY_MS * _DAY_MS
        if midnight_ms <= self._heads_ms:
            return
        day = datetime.fromtimestamp(midnight_ms / 1000, UTC).date() - timedelta(days=1)
        kept = {head.model_name: head.number for head in read_heads(self._connection)}
        heads = [
            Head(link.model_name, day, link.number, link.hash)
            for link in read_last_links(self._connection, before_ms=midnight_ms).values()
            if kept.get(link.model_name, 0) < link.number
        ]
        if heads:
            write_heads(self._connection, heads)
        self._heads_ms = midnight_ms

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()
