"""A ClickHouse server's stand-in: the embedded engine behind its HTTP interface, in a process of its own.

It keeps its port, password and data however it ended, and fails on request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import chdb
from starlette.responses import PlainTextResponse, Response

from driftline.embedded.gateway import Gateway
from tests.support.process import ServerProcess, answers, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    Mode = Literal["before", "after", "die"]

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 180.0
EVERY_INSERT = r"INSERT\s+INTO"
PREDICTIONS = r"INSERT\s+INTO\s+\S*prediction_inbox"
READ_ONLY = 242
"""ClickHouse's code for a table that takes no inserts for now."""

_PASSWORD = "DRIFTLINE_STORE_PASSWORD"
_HEAD_BYTES = 4096


class StoreProcess(ServerProcess):
    """A store on 127.0.0.1, as ``clickhouse://`` URLs name it.

    Args:
        folder: for data, log and orders to fail; while it is not running, ``chdb://<folder>`` opens the data.
        port: a free one where none is given.
        password: of any user.
    """

    def __init__(self, folder: Path, *, port: int | None = None, password: str = "open sesame") -> None:
        self.folder = folder
        self.port = free_ports(1)[0] if port is None else port
        self._password = password
        self._orders = folder / "failures"
        command = [sys.executable, "-m", "tests.support.store_process", str(folder), "--port", str(self.port)]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"PYTHONPATH": os.pathsep.join(paths), _PASSWORD: password}
        super().__init__("the store", command, folder / "store.log", environment)

    @property
    def url(self) -> str:
        return f"clickhouse://default:{quote(self._password, safe='')}@127.0.0.1:{self.port}/driftline"

    def start(self) -> None:
        """Start it, on the same port and data. Blocks until it is up.

        Raises:
            ServerError: it did not come up; the message shows the end of its log.
        """
        super().start()
        self.wait_until(self._answers, timeout_s=START_TIMEOUT_S)

    def fail_next(
        self, count: int, mode: Mode, *, matching: str = EVERY_INSERT, after_ms: float = 0.0
    ) -> None:
        """Have the next ``count`` requests fail whose SQL begins with a pattern. Orders outlive the process.

        clickhouse-connect repeats an insert once by itself when its connection is dropped: who wants to see
        that failure orders two.

        Args:
            count: how many.
            mode: ``before`` refuses with code 242 and does nothing; ``after`` does what it is asked, and
                drops the connection without an answer; ``die`` begins, and is killed (SIGKILL) meanwhile.
            matching: a pattern that the SQL begins with.
            after_ms: how long after it began a process dies.
        """
        self._orders.mkdir(parents=True, exist_ok=True)
        order = json.dumps({"mode": mode, "matching": matching, "after_ms": after_ms})
        for _ in range(count):
            draft = self._orders / f"{uuid.uuid4()}.draft"
            draft.write_text(order)
            draft.rename(draft.with_suffix(".json"))

    @property
    def failures_to_come(self) -> int:
        """How many requests have still to fail."""
        return len(list(self._orders.glob("*.json")))

    def forget_failures(self) -> None:
        """Take back what has not failed yet."""
        for order in self._orders.glob("*.json"):
            order.unlink(missing_ok=True)

    def _answers(self) -> bool:
        return answers(f"http://127.0.0.1:{self.port}/ping")


class FailingGateway(Gateway):
    """A gateway that carries out orders to fail: each is a file, gone when it was carried out."""

    def __init__(self, folder: Path, *, token: str, port: int) -> None:
        super().__init__(folder / "engine", token, f"{token}, to read", port=port)
        self._orders = folder / "failures"

    def _execute(self, params: Mapping[str, str], body: bytes, *, reads: bool) -> Response:
        sql = (params.get("query", "") + "\n" + body[:_HEAD_BYTES].decode(errors="replace")).lstrip()
        order = self._take_order(sql) or {"mode": None}
        if order["mode"] == "before":
            return PlainTextResponse(
                f"Code: {READ_ONLY}. DB::Exception: Table is read-only, as ordered. (TABLE_IS_READ_ONLY)",
                status_code=500,
                headers={"X-ClickHouse-Exception-Code": str(READ_ONLY)},
            )
        if order["mode"] == "die":
            threading.Timer(order["after_ms"] / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
        answer = super()._execute(params, body, reads=reads)
        return _NoAnswer() if order["mode"] == "after" else answer

    def _take_order(self, sql: str) -> dict | None:
        for path in sorted(self._orders.glob("*.json")):
            with suppress(FileNotFoundError):  # Another request was quicker.
                order = json.loads(path.read_text())
                if re.match(order["matching"], sql, re.IGNORECASE):
                    path.unlink()
                    return order
        return None


class _NoAnswer(Response):
    """Drops the connection instead of answering."""

    async def __call__(self, scope, receive, send) -> None:
        del scope, send
        receive.__self__.transport.abort()  # Of the server's own request: there is no other way to it.
        await asyncio.sleep(0.01)  # Until the server has seen that the client is gone.


def main() -> None:
    """Serve a folder until stopped."""
    parser = argparse.ArgumentParser(description="Serve an embedded store as a ClickHouse server would.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    reported = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, reported)
    keeper = chdb.connect(str(options.folder / "engine"))
    gateway = FailingGateway(options.folder, token=os.environ[_PASSWORD], port=options.port)
    gateway.start()
    signal.sigwait(reported)
    gateway.stop()
    keeper.close()


if __name__ == "__main__":
    main()
