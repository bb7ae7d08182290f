"""Connections that are given up when their client keeps them waiting: nobody holds a server by doing nothing.

uvicorn ends a connection that is idle between two requests, and no other. Here a client has so long to send
a request and to take its answer, and at the bound the one that has waited longest makes way for a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    Phase = Literal["request", "body", "work", "answer"]
    """What a connection is about: a request's head is awaited, or its body; we work; an answer is taken."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server waits for its clients, seconds, and for how many.

    Args:
        connections: at most so many at a time.
        head_s: for a request's head, from its beginning or that of the connection.
        progress_s: for the next piece of a body, or until the next piece of an answer is taken.
    """

    connections: int = 256
    head_s: float = 10.0
    progress_s: float = 60.0


_LOOK_S = 1.0


class BoundedConnection(H11Protocol):
    """One connection. The server makes a subclass with its own limits."""

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin; at the bound another connection ends, or this one."""
        super().connection_made(transport)
        self._phase: Phase = "request"
        self._since_s = self.loop.time()
        self._unsent = 0
        self._timer = self.loop.call_later(min(_LOOK_S, self.limits.head_s), self._look)
        if len(self.connections) > self.limits.connections:
            _longest_waiting(self.connections, newest=self).give_up()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        was_body = self._phase == "body"
        super().data_received(data)
        if was_body:
            self._since_s = self.loop.time()
        self._renew()

    def on_response_complete(self) -> None:
        """Wait for the next request, once the answer is taken."""
        super().on_response_complete()
        self._renew()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._timer.cancel()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """End at once, whatever is still to be sent."""
        self.connections.discard(self)
        self.transport.abort()

    def waiting_since_s(self) -> tuple[bool, float] | None:
        """Return what says who makes way first: the least of all; None: this one is being worked for."""
        self._renew()
        return None if self._phase == "work" else (self._phase != "request", self._since_s)

    def _renew(self) -> None:
        """Note what the connection is about now, and since when."""
        phase, unsent = self._current(), self.transport.get_write_buffer_size()
        if phase != self._phase or (phase == "answer" and unsent < self._unsent):
            self._since_s = self.loop.time()
        self._phase, self._unsent = phase, unsent

    def _current(self) -> Phase:
        if self.transport.get_write_buffer_size():
            return "answer"
        if self.cycle is None or self.cycle.response_complete:
            return "request"
        return "body" if self.cycle.more_body else "work"

    def _look(self) -> None:
        self._renew()
        patience_s = self.limits.head_s if self._phase == "request" else self.limits.progress_s
        if self._phase != "work" and self.loop.time() - self._since_s >= patience_s:
            self.give_up()
        else:
            self._timer = self.loop.call_later(min(_LOOK_S, patience_s), self._look)


def _longest_waiting(connections: Iterable[object], *, newest: BoundedConnection) -> BoundedConnection:
    """Return which connection makes way: first of those that await a request, last the newest itself."""
    others = (one for one in connections if isinstance(one, BoundedConnection) and one is not newest)
    waiting = [(since, one) for one in others if (since := one.waiting_since_s()) is not None]
    return min(waiting, key=lambda pair: pair[0], default=(None, newest))[1]
