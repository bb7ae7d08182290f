"""The table in docs/sdk.md of servers and task runners: what of a model's events each loses, found by trying.

As a program: ``python -m tests.sdk.server_table`` tries all of them and writes it anew; takes minutes.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sdk.serving import EVENTS, TIMEOUT_S, World, serve
from tests.support.servers import CLUSTERS, SERVERS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
TABLE = re.compile(r"(?<=\n)\| server \|.*?\n(?=\n)", re.DOTALL)
HEAD = ("server", "how it runs", "what is done", "lost")
NOTHING = "nothing"
AT_ONCE = "up to a flush interval (0.1 s): "


@dataclass(frozen=True)
class Case:
    """A server in one mode.

    Args:
        server: its name.
        mode: how it runs.
        done: what is done to it.
        run: does that.
        packages: that it needs.
        loses: why it may lose the last moments; empty: it may not.
        is_long: whether it takes more than some seconds.
    """

    server: str
    mode: str
    done: str
    run: Callable[[World], None]
    packages: Sequence[str] = ()
    loses: str = ""
    is_long: bool = True

    @property
    def name(self) -> str:
        """What a test of it is called."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.server} {self.mode} {self.done}".lower()).strip("-")

    @property
    def key(self) -> str:
        """What its row begins with."""
        return f"| {self.server} | {self.mode} | {self.done}"

    def row(self) -> str:
        """Try it, and return its row of the table."""
        with tempfile.TemporaryDirectory(prefix="driftline-served-") as folder:
            world = World(Path(folder), self.packages)
            try:
                self.run(world)
                lost = world.lost()
            finally:
                world.close()
        assert not lost or self.loses, f"{lost} of {EVENTS} and more are lost"
        return f"{self.key} | {AT_ONCE + self.loses if self.loses else NOTHING} |"


def uwsgi(*options: str) -> Callable[[World], None]:
    """Return what runs uWSGI."""
    base = "--http-socket 127.0.0.1:{port} --master --processes 2 --die-on-term --home {home}".split()
    return partial(_serve_uwsgi, (*base, "--module", "served", *options))


def _serve_uwsgi(arguments: Sequence[str], world: World) -> None:
    serve(world, "uwsgi", *arguments)


def gunicorn(*options: str, app: str = "application") -> Callable[[World], None]:
    """Return what runs gunicorn."""
    base = ("--bind", "127.0.0.1:{port}", "--workers", "2", f"served:{app}")
    return lambda world: serve(world, "gunicorn", *base, *options)


def reloaded(world: World) -> None:
    """Run uvicorn as developers do: it starts the application anew whenever a file changes."""
    watched = world.folder / "watched"
    watched.mkdir()
    (watched / "settings.py").write_text("")
    command = ["served:asgi_within", "--reload", "--reload-dir", str(watched)]
    changes = iter(range(2))

    def change() -> bool:
        """Change the file; return whether the server is to be asked again."""
        number = next(changes, None)
        if number is not None:
            (watched / "settings.py").write_text(f"CHANGED = {number}")
        return number is not None

    def change_again() -> None:
        """Change it once more: what changes just as the server has started is what uvicorn begins with."""
        (watched / "settings.py").write_text(f"CHANGED = {time.monotonic()}")

    serve(world, "uvicorn", *command, "--port", "{port}", workers=1, again=change, remind=change_again)


def celery(pool: str, *options: str) -> Callable[[World], None]:
    """Return what runs a worker of Celery and gives it tasks."""

    def run(world: World) -> None:
        worker = world.start("celery", "-A", "tasks", "worker", "-P", pool, "-c", "2", *options)
        asking = world.start("python", "-m", "tasks", str(EVENTS))
        assert asking.wait(TIMEOUT_S) == 0, world.output()
        world.wait_accepted(EVENTS, worker)
        world.wait_landed()
        asking = world.start("python", "-m", "tasks", str(EVENTS))
        world.wait_accepted(2 * EVENTS, worker)
        world.stop(worker)

    return run


def program(*arguments: str, status: int = 0) -> Callable[[World], None]:
    """Return what runs one of the programs to its end."""

    def run(world: World) -> None:
        process = world.start("python", "-m", "programs", *arguments)
        assert process.wait(TIMEOUT_S) == status, world.output()

    return run


def endless(end: Callable[[World, subprocess.Popen[bytes]], None]) -> Callable[[World], None]:
    """Return what runs a service, and ends it in some way."""

    def run(world: World) -> None:
        process = world.start("python", "-m", "programs", "endless")
        world.wait_accepted(EVENTS, process)
        world.wait_landed()
        end(world, process)

    return run


def frozen_and_thawed(world: World, process: subprocess.Popen[bytes]) -> None:
    """Stop a process amid its work for longer than its log waits for others, several times; then end it."""
    for _ in range(3):
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(6.0)
        os.kill(process.pid, signal.SIGCONT)
        world.wait_accepted(len(world.accepted()) + EVENTS, process)
    world.stop(process)


UWSGI = "uWSGI"
RECYCLED = "workers are recycled every 10 requests; then SIGTERM"
STOPPED = "SIGTERM"
ENDS = "ends by itself"
UNTOLD = "Python runs nothing there, so call `flush()` before"
BY_RAY = "Ray kills its workers, so call `flush()` at the end of an actor or of the last task"
BY_UWSGI = "now and then it ends a worker without running what Python would run"
KILLED = "the process can do nothing about it"
CASES = (
    Case(UWSGI, "preforking", STOPPED, uwsgi(), SERVERS, BY_UWSGI, is_long=False),
    Case(UWSGI, "preforking, `enable-threads`", STOPPED, uwsgi("--enable-threads"), SERVERS, BY_UWSGI),
    Case(UWSGI, "preforking, `threads = 4`", STOPPED, uwsgi("--threads", "4"), SERVERS, BY_UWSGI),
    Case(UWSGI, "`lazy-apps`", STOPPED, uwsgi("--lazy-apps"), SERVERS, BY_UWSGI),
    Case(
        UWSGI,
        "preforking, fork hooks of Python",
        STOPPED,
        uwsgi("--py-call-uwsgi-fork-hooks"),
        SERVERS,
        BY_UWSGI,
    ),
    Case(UWSGI, "preforking, `max-requests`", RECYCLED, uwsgi("--max-requests", "10"), SERVERS, BY_UWSGI),
    Case("gunicorn", "`sync`", STOPPED, gunicorn(), SERVERS),
    Case("gunicorn", "`sync`, `preload`", STOPPED, gunicorn("--preload"), SERVERS, is_long=False),
    Case("gunicorn", "`sync`, `max-requests`", RECYCLED, gunicorn("--max-requests", "10"), SERVERS),
    Case("gunicorn", "`gthread`", STOPPED, gunicorn("-k", "gthread", "--threads", "4"), SERVERS),
    Case("gunicorn", "`gevent`", STOPPED, gunicorn("-k", "gevent"), SERVERS),
    Case(
        "gunicorn",
        "uvicorn's worker, `preload`",
        STOPPED,
        gunicorn("-k", "uvicorn_worker.UvicornWorker", "--preload", app="asgi"),
        SERVERS,
    ),
    Case(
        "uvicorn",
        "two workers",
        STOPPED,
        lambda world: serve(world, "uvicorn", "served:asgi", "--port", "{port}", "--workers", "2"),
        SERVERS,
    ),
    Case(
        "uvicorn",
        "two workers, `DriftlineMiddleware`",
        STOPPED,
        lambda world: serve(world, "uvicorn", "served:asgi_within", "--port", "{port}", "--workers", "2"),
        SERVERS,
    ),
    Case(
        "uvicorn",
        "`reload`, `DriftlineMiddleware`",
        "a file changes twice; then SIGTERM",
        reloaded,
        SERVERS,
        is_long=False,
    ),
    Case(
        "gunicorn",
        "`gthread`, `DriftlineWSGIMiddleware`",
        STOPPED,
        gunicorn("-k", "gthread", "--threads", "4", app="application_within"),
        SERVERS,
    ),
    Case("Celery", "`prefork`", STOPPED, celery("prefork"), SERVERS, is_long=False),
    Case(
        "Celery",
        "`prefork`, `max-tasks-per-child`",
        "workers are recycled every 5 tasks; then SIGTERM",
        celery("prefork", "--max-tasks-per-child", "5"),
        SERVERS,
    ),
    Case("Celery", "`threads`", STOPPED, celery("threads"), SERVERS),
    Case("Celery", "`solo`", STOPPED, celery("solo"), SERVERS),
    Case("Celery", "`gevent`", STOPPED, celery("gevent"), SERVERS),
    Case("Celery", "`eventlet`", STOPPED, celery("eventlet"), SERVERS),
    *(
        Case("multiprocessing", f"`Process`, {method}", ENDS, program("process", method))
        for method in ("fork", "forkserver", "spawn")
    ),
    *(
        Case("multiprocessing", f"`Pool`, {method}", "`terminate()`", program("pool", method))
        for method in ("fork", "forkserver", "spawn")
    ),
    Case("multiprocessing", "`Pool`, `maxtasksperchild=5`", "`terminate()`", program("pool", "fork", "5")),
    *(
        Case("concurrent.futures", f"`ProcessPoolExecutor`, {method}", ENDS, program("executor", method))
        for method in ("fork", "forkserver", "spawn")
    ),
    Case("joblib", "loky", ENDS, program("loky"), SERVERS),
    Case("Dask", "`LocalCluster` of processes", ENDS, program("dask"), CLUSTERS),
    Case("Ray", "tasks", "`shutdown()`", program("ray"), CLUSTERS, loses=BY_RAY),
    Case("any", "`os.fork`", "`os._exit()` in the child", program("fork"), loses=UNTOLD),
    Case("any", "`os.fork`", "`flush()`, then `os._exit()`", program("flushed_fork")),
    Case("any", "one process", "`os.execv()`", program("replaced"), loses=UNTOLD),
    Case("any", "one process", "`flush()`, then `os.execv()`", program("flushed_and_replaced")),
    Case("any", "one process", "an exception that nobody handles", program("thrown", status=1)),
    Case("any", "one process, as under systemd", STOPPED, endless(World.stop), is_long=False),
    Case("any", "one process", "SIGKILL while it logs", endless(World.kill), loses=KILLED),
    Case("any", "one process", "SIGKILL amid its first events", program("killed", status=-9), loses=KILLED),
    Case(
        "any",
        "one process, as under Lambda",
        "frozen thrice for 6 s; then SIGTERM",
        endless(frozen_and_thawed),
    ),
)


def shown() -> list[str]:
    """Return the rows that the page shows."""
    (table,) = TABLE.findall(PAGE.read_text())
    return table.splitlines()[2:]


def write(rows: Mapping[str, str]) -> None:
    """Write the rows of the cases that there are."""
    lines = [rows[case.key] for case in CASES if case.key in rows]
    text = "\n".join([f"| {' | '.join(HEAD)} |", f"| {' | '.join(['---'] * len(HEAD))} |", *lines, ""])
    PAGE.write_text(TABLE.sub(lambda _: text, PAGE.read_text()))


def main() -> None:
    """Try all that are named, or all, and write the rows that they give."""
    rows = {line.rpartition(" | ")[0]: line for line in shown()}
    for case in CASES:
        if len(sys.argv) == 1 or any(name in case.name for name in sys.argv[1:]):
            rows[case.key] = case.row()
            write(rows)


if __name__ == "__main__":
    main()
