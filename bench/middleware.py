"""What DriftlineMiddleware adds to a request, beside none: under uvicorn with two workers.

Run: python -m bench.middleware [--requests 20000] [--json]

Four applications answer alike: one does nothing else, one logs a prediction, each of them again within the
middleware. All of them stand in the same two workers, by their path, since where a process runs decides more
than what it does. Requests go to them in turns, one at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline import DriftlineMiddleware, PredictionLogger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

REQUEST = (
    "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nx-request-id: r1\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n{}"
)
FEATURES = {f"feature_{number:02}": float(number) for number in range(15)}
WORKERS = 2
_CHUNK = 50

logger = (
    PredictionLogger(
        model_name="bench", model_version="1", training_run_id="run", log=os.environ["BENCH_LOG"]
    )
    if "BENCH_LOG" in os.environ
    else None
)


async def bare(
    scope: Mapping[str, Any], receive: Callable[..., Any], send: Callable[..., Awaitable[None]]
) -> None:
    """Answer, and do nothing else."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


async def logging(
    scope: Mapping[str, Any], receive: Callable[..., Any], send: Callable[..., Awaitable[None]]
) -> None:
    """Log a prediction, and answer."""
    if logger is not None and scope["type"] == "http":
        logger.log(FEATURES, 0.5)
    await bare(scope, receive, send)


_APPS = {
    "/bare": bare,
    "/bare_within": DriftlineMiddleware(bare),
    "/logging": logging,
    "/logging_within": DriftlineMiddleware(logging),
}


async def app(
    scope: Mapping[str, Any], receive: Callable[..., Any], send: Callable[..., Awaitable[None]]
) -> None:
    """Answer as the path says."""
    if scope["type"] == "http":
        await _APPS[scope["path"]](scope, receive, send)


class Server:
    """uvicorn with two workers, and a connection to each of them, or two to one."""

    def __init__(self, log: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = [
            "--workers",
            str(WORKERS),
            "--port",
            str(self.port),
            "--no-access-log",
            "--lifespan",
            "off",
        ]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "bench.middleware:app",
                *options,
                "--log-level",
                "error",
                "--timeout-keep-alive",
                "600",
            ],
            env={**os.environ, "BENCH_LOG": log},
        )
        self._connections: list[socket.socket] = []

    def connect(self) -> None:
        """Wait until it answers, and connect."""
        end = time.monotonic() + 60
        while len(self._connections) < WORKERS:
            try:
                self._connections.append(socket.create_connection(("127.0.0.1", self.port), 10))
                self._connections[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def times_ns(self, path: str, count: int) -> Iterator[int]:
        """Yield how long each of some requests takes."""
        request = (REQUEST % path).encode()
        for number in range(count):
            connection = self._connections[number % WORKERS]
            began = time.perf_counter_ns()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n{}"):
                # Its head and body are two packets, and the second waits until the first is acknowledged.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                piece = connection.recv(4096)
                if not piece:
                    raise ConnectionError(f"port {self.port} ended the connection amid {answer!r}")
                answer += piece
            yield time.perf_counter_ns() - began

    def stop(self) -> None:
        """Stop it."""
        for connection in self._connections:
            connection.close()
        self._process.terminate()
        self._process.wait(30)


def measure(requests: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return the median and the 99th percentile of each application, microseconds."""
    names = [path[1:] for path in _APPS]
    times: dict[str, list[int]] = {name: [] for name in names}
    server = Server((folder / "log").as_uri())
    try:
        server.connect()
        for name in names:
            list(server.times_ns(name, 200))
        for turn in range(requests // _CHUNK):
            for name in names if turn % 2 else names[::-1]:
                times[name] += server.times_ns(name, _CHUNK)
    finally:
        server.stop()
    return {app: percentiles(found) for app, found in times.items()}


def percentiles(found: list[int]) -> dict[str, float]:
    """Return the median and the 99th percentile, microseconds."""
    ordered = sorted(found)
    return {name: round(ordered[int(share * (len(ordered) - 1))] / 1e3, 1) for name, share in _SHARES}


_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(options.requests, Path(name))
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{app:16} {figures} us" for app, figures in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
