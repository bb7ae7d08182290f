"""A receiver of notifications: keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True)
class Post:
    """What was posted.

    Args:
        path: to where.
        body: its JSON.
    """

    path: str
    body: Any


class Webhook:
    """Takes posts of JSON at 127.0.0.1, on any path, and answers all of them with 200.

    Args:
        port: a free one where none is given.
    """

    def __init__(self, port: int = 0) -> None:
        self._posts: list[Post] = []
        sink = self._posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.append(Post(self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def posts(self) -> list[Post]:
        """All posts until now, the oldest first."""
        return list(self._posts)

    def alerts(self, status: str = "firing", *, path: str | None = None) -> list[dict[str, Any]]:
        """Return the alerts of all of Alertmanager's notifications, the oldest first.

        Args:
            status: `firing` or `resolved`.
            path: of those that were posted there only.
        """
        return [
            alert
            for post in self.posts
            if path in {None, post.path}
            for alert in post.body["alerts"]
            if alert["status"] == status
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
