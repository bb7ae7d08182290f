"""One server or task runner with a logger in it: started, used, ended, and looked into."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sdk.logs import events_in
from tests.support.servers import environ, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

YOUNG_MS = 5_000
"""On a busy machine the thread comes later than it should; what is older than that is lost otherwise."""

REFUSED = "None"
"""What `log` gives once the logger was closed, as it is amid SIGTERM: such events are counted as dropped."""

EVENTS = 60
WORKERS = 2
TIMEOUT_S = 120.0


class World:
    """One server, tried once.

    Args:
        folder: an empty one.
        packages: what the server needs besides driftline.
    """

    def __init__(self, folder: Path, packages: Sequence[str]) -> None:
        self.log = (folder / "log").as_uri()
        self._folder = folder
        self._accepted = folder / "accepted"
        self._home = environment(packages) if packages else Path(sys.prefix)
        self._environ = environ(
            self._home,
            SERVED_LOG=self.log,
            SERVED_ACCEPTED=str(self._accepted),
            SERVED_QUEUE=str(folder / "queue"),
        )
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def folder(self) -> Path:
        """Where it runs."""
        return self._folder

    @property
    def home(self) -> str:
        """The environment's folder."""
        return str(self._home)

    def start(self, program: str, *arguments: str, **others: str) -> subprocess.Popen[bytes]:
        """Start one of the environment's programs, in a process group of its own."""
        with (self._folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [str(self._home / "bin" / program), *arguments],
                cwd=self._folder,
                env={**self._environ, **others},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def output(self) -> str:
        """Return what was printed so far."""
        return (self._folder / "output").read_text(errors="replace")

    def accepted(self) -> list[tuple[str, str, str]]:
        """Return process, session and event_id of each event that was accepted."""
        if not self._accepted.exists():
            return []
        lines = [line.split() for line in self._accepted.read_text().splitlines()]
        return [(process, session, event) for process, session, event in lines]

    def wait_accepted(self, count: int, process: subprocess.Popen[bytes]) -> None:
        """Wait until so many events were accepted."""
        end = time.monotonic() + TIMEOUT_S
        while len(self.accepted()) < count:
            assert time.monotonic() < end, self.output()
            assert process.poll() is None, self.output()
            time.sleep(0.05)

    def wait_landed(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait until all that was accepted so far is in the log, while the server goes on."""
        wanted = {event for _, _, event in self.accepted()} - {REFUSED}
        end = time.monotonic() + TIMEOUT_S / 4
        while not wanted <= self.landed():
            assert time.monotonic() < end, f"{len(wanted - self.landed())} do not land: {self.output()}"
            meanwhile()
            time.sleep(0.1)

    def landed(self) -> set[str]:
        """Return the event_ids in the log, each of which is there once."""
        found = [str(event["event_id"]) for event in events_in(self.log)["driftline.predictions"]]
        assert len(set(found)) == len(found), "some are there twice"
        return set(found)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a server as a service manager does: SIGTERM, and SIGKILL if that is of no use."""
        process.terminate()
        try:
            process.wait(TIMEOUT_S / 4)
        except subprocess.TimeoutExpired:
            self.kill(process)
            raise

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it and what it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End what is still there."""
        for process in self._started:
            self.kill(process)

    def lost(self) -> int:
        """Return how many events were accepted and are not in the log; all of them are young.

        What is in it is there once, and each process had a session of its own.
        """
        accepted = self.accepted()
        assert accepted, self.output()
        pairs = {(process, session) for process, session, _ in accepted}
        assert len({session for _, session in pairs}) == len(pairs), "two processes share a session"
        known = self.landed() | {REFUSED}
        lost = [(process, event) for process, _, event in accepted if event not in known]
        for process, event in lost:
            last = max(_time_ms(other) for own, _, other in accepted if own == process and other != REFUSED)
            assert last - _time_ms(event) < YOUNG_MS, "an event of long before was lost"
        return len(lost)


def _time_ms(event_id: str) -> int:
    return int(event_id.replace("-", "")[:12], 16)


REMINDED_S = 5.0


def serve(
    world: World,
    program: str,
    *arguments: str,
    workers: int = WORKERS,
    again: Callable[[], bool] = lambda: False,
    remind: Callable[[], None] = lambda: None,
) -> None:
    """Have a server answer requests, some at a time, from so many processes; then stop it.

    A worker that is stopped while it still loads the application may go on without it: uWSGI's do.

    Args:
        world: where it runs.
        program: the server.
        arguments: of its command line.
        workers: how many processes answer.
        again: does something to it, after which others answer; returns whether it did.
        remind: does it once more, since for a while no others answered.
    """
    port = str(_free_port())
    command = [argument.replace("{port}", port).replace("{home}", world.home) for argument in arguments]
    process = world.start(program, *command)
    url = f"http://127.0.0.1:{port}/"
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            _get(url)
            break
        except OSError:
            assert time.monotonic() < end, world.output()
            assert process.poll() is None, world.output()
            time.sleep(0.1)
    answered: set[str] = set()
    with ThreadPoolExecutor(4) as clients:
        while True:
            wanted = len(answered) + workers
            reminded = time.monotonic()
            while len(answered) < wanted:
                assert time.monotonic() < end, world.output()
                answered.update(filter(None, clients.map(_patiently, [url] * EVENTS)))
                if time.monotonic() - reminded > REMINDED_S:
                    remind()
                    reminded = time.monotonic()
            if not again():
                break
        world.wait_landed(partial(_patiently, url))
        list(clients.map(_patiently, [url] * EVENTS))
    world.stop(process)


def _get(url: str) -> str:
    """Return which process answered."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def _patiently(url: str) -> str:
    """Ask, again where a worker that is being recycled ends the connection."""
    for _ in range(20):
        with suppress(OSError):
            return _get(url)
        time.sleep(0.05)
    return ""


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
