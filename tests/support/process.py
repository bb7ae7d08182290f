"""Servers as processes: started, stopped, killed, paused, and gone when the process that started them is."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STOP_TIMEOUT_S = 20.0
_TAIL_LINES = 40
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def wait_until_paused(process_id: int) -> None:
    """Wait until a child of this process stands still, or has ended.

    A signal is sent long before it acts where cores are busy: one thread has to run to receive it, and until
    then all others go on answering.
    """
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, process_id, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def answers(url: str) -> bool:
    """Return whether a server answers an address, with anything but an error."""
    try:
        with urllib.request.urlopen(url, timeout=5.0):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


class ServerError(Exception):
    """A server did not come up, or ended; the message shows the end of its log."""


class ServerProcess:
    """One server, in a process group of its own, which writes into a log file.

    Its methods may be called in any order; what a signal can't do to a process that is gone is not done.

    Args:
        name: for messages.
        command: what runs it.
        log: where it writes, continued at each start.
        environment: added to this process's own.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0

    @property
    def process_id(self) -> int:
        """Its process id; raises where it was never started."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How it ended, negative by a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; it is not up yet. Does nothing where it is running."""
        if self.is_alive:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_begin = self.log.stat().st_size if self.log.exists() else 0
        # The kernel kills it with the thread that started it, so that thread must last as long as we do.
        self._process = _starter(os.getpid()).submit(self._spawn).result()
        atexit.register(self.kill)

    def _spawn(self) -> subprocess.Popen[bytes]:
        bond = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*bond, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until(self, holds: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until it is up, as the caller sees it.

        Raises:
            ServerError: it ended meanwhile, or it takes too long.
        """
        end = time.monotonic() + timeout_s
        while not holds():
            if not self.is_alive:
                raise ServerError(f"{self.name} ended while coming up:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise ServerError(f"{self.name} is not up after {timeout_s} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def wait_until_gone(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Wait until it has ended, as it was asked to or by itself."""
        if self._process is not None:
            self._process.wait(timeout_s)

    def output(self) -> str:
        """Return what it has written since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._log_begin)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """Return the last lines it has written."""
        return "\n".join(self.output().splitlines()[-_TAIL_LINES:])

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # Else one that is paused would not receive it.

    def stop(self) -> None:
        """End it as an operator would; kill it where that takes too long. Blocks."""
        self.terminate()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """End it as a crash would. Blocks until it is gone."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        atexit.unregister(self.kill)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop it where it stands (SIGSTOP): its connections stay open, and nothing answers. Blocks."""
        if self.is_alive:
            self._signal(signal.SIGSTOP)
            wait_until_paused(self.process_id)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.killpg(self.process_id, number)


def first_port_of_clients() -> int:
    """Return the lowest port that the kernel hands out to clients, or one below it."""
    return int(_PORT_RANGE.read_text().split()[0]) if _PORT_RANGE.exists() else 32_768


def free_ports(count: int) -> list[int]:
    """Return free ports of 127.0.0.1 that nobody gets by chance.

    They lie below those that the kernel hands out to connecting clients: a client that tries again and
    again to reach a server that is down would sooner or later be given the server's own port.
    """
    first_of_clients = first_port_of_clients()
    candidates = random.SystemRandom().sample(
        range(min(15_000, first_of_clients - 1000), first_of_clients), 500
    )
    ports: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            listening = held.enter_context(socket.socket())
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                listening.bind(("127.0.0.1", port))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise ServerError(f"found {len(ports)} free ports of {count}")


def is_listening(port: int) -> bool:
    """Return whether someone takes connections at a port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


@cache
def _starter(process_id: int) -> ThreadPoolExecutor:
    """Return the one thread that starts servers, for this process: a fork has no threads of its parent."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"starter-of-{process_id}")
