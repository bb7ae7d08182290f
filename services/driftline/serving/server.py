"""Serving an ASGI application from a thread of this process."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import uvicorn

from driftline.errors import DriftlineError, SettingError
from driftline.serving.connections import BoundedConnection, Limits
from driftline.serving.hosts import AllowedHosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

_ACCEPTED_AT_ONCE = 16
"""So many connections are taken before their bound is looked at."""

_BACKLOG = 256
"""So many wait to be taken."""

_FEWEST = 8
_WANTED_DESCRIPTORS = 65_536
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TELL_EVERY_S = 60.0

_logger = logging.getLogger(__name__)


class WebServer:
    """Serves one application over HTTP from a thread. The port is taken at once, and served after `start`.

    Args:
        app: the application.
        host: address to listen on.
        port: its port; 0 takes a free one.
        name: of the thread.
        allowed_hosts: names that may be asked for, besides addresses and loopback names.
        limits: of its connections.

    Raises:
        SettingError: the address can't be listened on, mostly because the port is taken.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        name: str = "web",
        allowed_hosts: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        # The rest is for what this process has to do besides.
        most = max(_FEWEST, _raise_descriptor_limit() // 4)
        limits = replace(limits, connections=min(limits.connections, most))
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        # Its messages go where all messages of this process go.
        config = uvicorn.Config(
            AllowedHosts(app, [*allowed_hosts, host]),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            http=type("Connection", (BoundedConnection,), {"limits": limits}),
            backlog=_ACCEPTED_AT_ONCE,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=name, daemon=True)

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors(self.url))
        await self._server.serve(sockets=[self._socket])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    def start(self) -> None:
        """Begin to serve; returns when requests are answered.

        Raises:
            DriftlineError: the server ended while coming up; its log says why.
        """
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise DriftlineError(f"the server at {self.url} ended while coming up; see the log")
            time.sleep(0.005)
        self._socket.listen(_BACKLOG)  # asyncio takes one number for both.

    def stop(self) -> None:
        """Answer what is under way, then stop. Blocks. Does no harm before `start`."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends at once (TCP_NODELAY) only where it is; without it every
    # answer waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingError(f"can't listen on port {port} of {host}: {error}") from error
    return listening


class AcceptErrors:
    """Tells once a minute that connections can't be accepted; asyncio would tell it a hundred times a second.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._next_s = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of an error that nothing caught in the loop."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _EXHAUSTED:
            loop.default_exception_handler(context)
        elif loop.time() >= self._next_s:
            self._next_s = loop.time() + _TELL_EVERY_S
            _logger.error("%s takes no more connections for now: %s", self._url, error.strerror)


def _raise_descriptor_limit() -> int:
    """Let this process open as many files as the system lets it, often 1,024 at first; return how many."""
    soft, hard = (
        _WANTED_DESCRIPTORS if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    wanted = min(hard, _WANTED_DESCRIPTORS)
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (ValueError, OSError):
        return soft
    return wanted
