"""A forwarding proxy, which tells what it was asked for.

Source: RFC 9110, section 9.3.6 (CONNECT), and RFC 9112, section 3.2.2 (absolute form).
"""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
from typing import Self
from urllib.parse import urlsplit

BLOCK_BYTES = 65536
TIMEOUT_S = 60.0


class Proxy:
    """Serves on a free port of loopback, as a context.

    Attributes:
        hosts: the names of the hosts that were asked for, in the order of the requests.
    """

    def __init__(self) -> None:
        self.hosts: list[str] = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy.forward(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forward(self, client: socket.socket) -> None:
        """Read one request and pass bytes on, both ways, until either side ends."""
        client.settimeout(TIMEOUT_S)
        head = client.recv(BLOCK_BYTES)
        if not head:
            return
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        is_tunnel = method == "CONNECT"
        address = urlsplit(f"//{target}" if is_tunnel else target)
        self.hosts.append(address.hostname or "")
        with socket.create_connection((address.hostname or "", address.port or 80), TIMEOUT_S) as server:
            if is_tunnel:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            _pass_on(client, server)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(client, selectors.EVENT_READ, (client, server))
        ready.register(server, selectors.EVENT_READ, (server, client))
        while keys := ready.select(TIMEOUT_S):
            for key, _ in keys:
                source, target = key.data
                block = source.recv(BLOCK_BYTES)
                if not block:
                    return
                target.sendall(block)
