"""Running driftline as users do: commands in processes of their own, killed now and then."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.lander.service import GROUP
from driftline.log import open_log
from driftline.wire import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable

START_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Place:
    """Where a deployment on one machine keeps what it has."""

    folder: Path

    @property
    def log_url(self) -> str:
        return (self.folder / "log").as_uri()

    @property
    def store_url(self) -> str:
        return f"chdb://{self.folder / 'store'}"

    @property
    def owner_file(self) -> Path:
        return self.folder / "store" / "owner.json"

    @property
    def environment(self) -> dict[str, str]:
        """What commands run with."""
        return dict(os.environ)

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of one of driftline's commands."""
        line = [sys.executable, "-m", "driftline.cli", *name.split()]
        if name in {"up", "land"}:
            line += ["--log", self.log_url]
        return [*line, "--store", self.store_url, *arguments]

    def start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, to be waited for."""
        line = self.command(name, *arguments)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(line, **pipes, text=True, env=self.environment)

    def ask_owner(self) -> dict[str, Any]:
        """Return what the store's owner tells of itself."""
        return json.loads(self.owner_file.read_text())

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        line = self.command(name, *arguments)
        limits = {"timeout": START_TIMEOUT_S, "env": self.environment}
        return subprocess.run(line, check=False, capture_output=True, text=True, **limits)

    def ask(self, name: str, *arguments: str) -> Any:
        """Run a command that must succeed and return the JSON that it prints."""
        done = self.run(name, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def lag(self) -> int:
        """Return how many records the lander has still to land."""
        with open_log(self.log_url) as log:
            return sum(log.reader(GROUP, TOPICS).lag().values())


@dataclass(frozen=True)
class Fleet(Place):
    """A deployment as in production: a log and a store that are reached by URL, named in the environment.

    Args:
        log: the log's URL.
        store: the store's, with its password.
    """

    log: str = ""
    store: str = ""

    @property
    def log_url(self) -> str:
        return self.log

    @property
    def store_url(self) -> str:
        return self.store

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DRIFTLINE_LOG": self.log, "DRIFTLINE_STORE": self.store}

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "driftline.cli", *name.split(), *arguments]


class Up:
    """``driftline up``, in a process of its own."""

    def __init__(self, place: Place) -> None:
        self._errors = (place.folder / "up.stderr").open("a")
        self._process = subprocess.Popen(
            place.command("up", "--port", "0"), stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        atexit.register(self._process.kill)  # No test that fails leaves one behind.
        self.url = ""
        self.is_up = threading.Event()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            name, _, rest = line.partition(" ")
            if name == "page":
                self.url = rest.strip().rstrip("/")
            if name == "metrics":
                self.is_up.set()

    def wait_until_up(self) -> Up:
        end_s = time.monotonic() + START_TIMEOUT_S
        while not self.is_up.wait(0.2) and self.is_alive and time.monotonic() < end_s:
            pass
        assert self.is_up.is_set(), f"driftline up did not come up: {Path(self._errors.name).read_text()}"
        return self

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator would; return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        status = self._process.wait(START_TIMEOUT_S)
        self._listener.join()
        self._process.stdout.close()
        self._errors.close()
        return status


def wait_until(holds: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "it") -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"{what} did not come about within {timeout_s} s"
        time.sleep(0.1)
