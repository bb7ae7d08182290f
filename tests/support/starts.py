"""``make test-starts``: the two commands from an unpacked archive, each time with something else missing.

No git, no HOME, a path with spaces and umlauts, a proxy between here and the package index, a checkout that
can only be read but for ``.venv``. Each start installs everything anew, then runs the demo, short, and some
tests.

Run: python -m tests.support.starts [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.proxy import Proxy

ROOT = Path(__file__).parents[2]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
DEMO = ("make", "demo", "ARGS=--events 20000")
TEST = (
    "make",
    "test",
    "ARGS=--quiet --color=no tests/sdk tests/wire tests/demo --ignore=tests/sdk/test_kafka.py",
)


@dataclass(frozen=True)
class Start:
    """What one start is like.

    Attributes:
        folder: the name of the folder that the archive is unpacked in.
        without: variables of the environment that are not set.
        with_git: whether git is on the path.
        through_proxy: whether a proxy stands between here and other hosts.
        can_write: whether the checkout can be written to, beside ``.venv``.
    """

    folder: str = "driftline"
    without: frozenset[str] = field(default_factory=frozenset)
    with_git: bool = True
    through_proxy: bool = False
    can_write: bool = True


STARTS = {
    "no git": Start(with_git=False),
    "no HOME": Start(without=frozenset({"HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"})),
    "a path with spaces and umlauts": Start(folder="mein Größe Ordner"),
    "behind a proxy": Start(through_proxy=True),
    "a checkout that can only be read": Start(can_write=False),
}


def run(start: Start, base: Path) -> list[str]:
    """Unpack, install, run; return what went wrong."""
    checkout = base / start.folder
    checkout.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", str(checkout)], input=archive, check=True)
    environ = {name: value for name, value in os.environ.items() if name not in start.without}
    wrong: list[str] = []
    with ExitStack() as stack:
        if not start.with_git:
            environ["PATH"] = str(_programs(base, without="git"))
        proxy = stack.enter_context(Proxy()) if start.through_proxy else None
        if proxy:
            environ |= dict.fromkeys(PROXY_VARIABLES, proxy.url)
        statuses = {c: _run(c, checkout, environ, can_write=start.can_write) for c in (DEMO, TEST)}
        wrong += [
            f"{' '.join(command)}: exit status {status}" for command, status in statuses.items() if status
        ]
        if proxy:
            wrong += [f"the proxy was asked for {host}" for host in sorted(LOOPBACK & set(proxy.hosts))]
            if not proxy.hosts:
                wrong.append("nothing was installed through the proxy")
    return wrong


def _programs(base: Path, *, without: str) -> Path:
    """Return a folder that names all programs of the path but one; the Python that runs this comes first."""
    folder = base / "programs"
    folder.mkdir()
    for place in (f"{sys.base_prefix}/bin", *os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if program.name != without and not link.is_symlink():
                link.symlink_to(program)
    return folder


def _run(command: tuple[str, ...], checkout: Path, environ: dict[str, str], *, can_write: bool) -> int:
    """Return the exit status; print the last line, how long it took, and more of what failed."""
    began = time.monotonic()
    done = subprocess.run(
        command if can_write else _read_only(command, checkout),
        cwd=checkout,
        env=environ,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    _report("\n".join(lines[-40 if done.returncode else -1 :]))
    _report(f"{' '.join(command[:2])}: status {done.returncode} in {time.monotonic() - began:.0f} s")
    return done.returncode


def _read_only(command: tuple[str, ...], checkout: Path) -> tuple[str, ...]:
    """Return a command that sees the checkout as a file system that can only be read, but for ``.venv``.

    Permissions would not hold root back, so it takes mounts in a namespace of its own (util-linux).
    """
    (checkout / ".venv").mkdir(exist_ok=True)
    mounts = 'mount --bind "$1" "$1" && mount --bind "$1/.venv" "$1/.venv" && mount -o remount,bind,ro "$1"'
    script = f'{mounts} && cd "$1" && shift && exec "$@"'
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    return ("unshare", *user, "--mount", "sh", "-c", script, "sh", str(checkout), *command)


def main() -> int:
    """Run, and report where it held; the exit status says whether it did everywhere."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.support.starts")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(STARTS)}")
    names = parser.parse_args().names or list(STARTS)
    failed = 0
    for name in names:
        _report(f"--- {name}")
        base = Path(tempfile.mkdtemp(prefix="driftline-start-"))
        try:
            wrong = run(STARTS[name], base)
        finally:
            shutil.rmtree(base, ignore_errors=True)
        failed += bool(wrong)
        _report("\n".join([f"FAILS: {name}", *wrong]) if wrong else f"holds: {name}")
    return 1 if failed else 0


def _report(text: str) -> None:
    """Print at once: what follows takes minutes."""
    print(text, flush=True)  # noqa: T201  its report


if __name__ == "__main__":
    sys.exit(main())
