"""A real redis-server, on a port of its own, that keeps nothing."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.running import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class Redis:
    """Started at once; ``stop`` ends it. Where there is no redis-server, making one skips the test."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server on this machine")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        wait_until(self._answers, what="Redis")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def empty(self) -> None:
        """Have it forget everything."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as asked:
            asked.sendall(b"FLUSHALL\r\n")
            assert asked.recv(16).startswith(b"+OK")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
