"""Serving an ASGI application from a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from driftline.errors import DriftlineError, SettingError

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class WebServer:
    """Serves one application over HTTP from a thread. The port is taken at once, and served after `start`.

    Args:
        app: the application.
        host: address to listen on.
        port: its port; 0 takes a free one.
        name: of the thread.

    Raises:
        SettingError: the address can't be listened on, mostly because the port is taken.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, *, name: str = "web") -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        # What it says goes where everything of this process is said.
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, lifespan="off", http="h11"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), name=name, daemon=True
        )

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
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingError(f"can't listen on port {port} of {host}: {error}") from error
    return listening
