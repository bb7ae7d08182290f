"""Who is called, in the place of a pager: prints each notification that Alertmanager sends, a line an alert.

``python notifications.py 9094``, then ``docker compose logs notifications``.
"""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Takes what Alertmanager posts, on any path."""

    def do_POST(self) -> None:
        """Print the alerts of one notification."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            notice = {"to": self.path.strip("/"), "status": alert["status"], **alert["labels"]}
            print(json.dumps(notice | alert["annotations"]), flush=True)
        self._answer()

    def do_GET(self) -> None:
        """Say that somebody is there."""
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve until asked to stop."""
    server = ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
