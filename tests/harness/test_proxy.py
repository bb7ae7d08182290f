"""The proxy that the tests of a first start go through."""

from __future__ import annotations

import http.server
import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server_url() -> Iterator[str]:
    """Serve one page, of this process."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_request_is_forwarded_and_its_host_is_remembered(server_url: str) -> None:
    with Proxy() as proxy, httpx.Client(proxy=proxy.url, trust_env=False) as client:
        assert client.get(f"{server_url}/page").text.endswith("/page")
        assert proxy.hosts == ["127.0.0.1"]


def test_a_tunnel_carries_bytes_both_ways(server_url: str) -> None:
    """As pip asks for every host with TLS."""
    host, port = server_url.removeprefix("http://").split(":")
    with Proxy() as proxy:
        address = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1]))) as client:
            client.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            client.sendall(b"GET /through HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(1000), b""))
        assert answer.endswith(b"/through")
        assert proxy.hosts == [host]
