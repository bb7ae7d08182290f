"""``make test-pythons`` and ``make test-ends``: the demo and the tests that may differ, elsewhere than usual.

On every other Python of this machine, with the versions that this release is developed with; or with the
newest of everything on the newest Python, and with the lowest that pyproject.toml allows on the oldest.

Run: python -m tests.support.pythons [--ends]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.installing import install, make_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "pythons"
OLDEST_MINOR = 11
OF_PYTHONS = ("packaging", "sdk", "log", "demo")
OF_ENDS = ("sdk", "log", "demo", "wire", "store", "web", "cli", "drift")
ELSEWHERE = ("tests/log/kafka", "tests/sdk/test_kafka.py", "tests/web/test_in_chromium.py")
"""Neither brokers nor browsers: they take minutes, and run in ``make test``."""

_VERSION = "import sys; print(*sys.version_info[:3], sep='.')"


@dataclass(frozen=True, order=True)
class Python:
    """An interpreter of this machine."""

    version: tuple[int, ...]
    path: str

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"


def find_pythons(environ: Mapping[str, str]) -> list[Python]:
    """Return the newest of each minor version that is on the path or under pyenv's root, the oldest first."""
    folders = [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted((pyenv / "versions").glob("*/bin"))
    newest: dict[int, Python] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("python3.*"))):
        if not re.fullmatch(r"python3\.\d+", path.name):
            continue
        version = _version(path)
        if version and version[0] == 3 and version[1] >= OLDEST_MINOR:
            best = newest.get(version[1])
            if best is None or best.version < version:
                newest[version[1]] = Python(version, str(path))
    return sorted(newest.values())


def _version(path: Path) -> tuple[int, ...] | None:
    """Ask an interpreter for its version; None: it does not run, or can't make environments."""
    command = [str(path), "-c", "import ensurepip, venv; " + _VERSION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else tuple(map(int, done.stdout.split(".")))


def claimed_minors(pyproject: str) -> set[int]:
    """Return the minor versions of Python that the classifiers name."""
    return {int(minor) for minor in re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', pyproject)}


class Environment:
    """A virtual environment, made anew, in which the demo and tests run.

    Args:
        name: of its folder.
        python: whose.
    """

    def __init__(self, name: str, python: Python) -> None:
        self._folder = FOLDER / name
        self._bin = self._folder / "bin"
        shutil.rmtree(self._folder, ignore_errors=True)
        make_environment(self._folder, ["uv"], python=python.path)

    def install(self, *arguments: str) -> None:
        """Install what pip would."""
        install(self._bin / "python", arguments)

    def install_lowest(self) -> None:
        """Install the lowest versions allowed of what users install, and tests' tools that go with them."""
        uv = (str(self._bin / "uv"), "pip", "install", "--quiet", "--python", str(self._bin / "python"))
        _run(*uv, "--resolution", "lowest-direct", "-e", ".[demo,registry]")
        lowest = self._folder / "lowest.txt"
        frozen = _output(str(self._bin / "uv"), "pip", "freeze", "--python", str(self._bin / "python"))
        lowest.write_text("".join(line + "\n" for line in frozen.splitlines() if "==" in line))
        _run(*uv, "-c", str(lowest), "-e", ".[test]")

    def holds(self, folders: Sequence[str]) -> bool:
        """Run the demo, short, and the tests in these folders; return whether both hold."""
        with tempfile.TemporaryDirectory(prefix="driftline-") as demo:
            short = ("demo", "--events", "20000", "--folder", str(Path(demo) / "demo"))
            demo_held = _holds(str(self._bin / "driftline"), *short)
        tests = [f"tests/{folder}" for folder in folders]
        options = [f"--ignore={path}" for path in ELSEWHERE]
        parallel = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")
        pytest = (str(self._bin / "python"), "-m", "pytest", "--quiet", "--color=no", *parallel)
        return _holds(*pytest, *options, *tests) and demo_held


def run_others(pythons: Iterable[Python]) -> dict[str, bool]:
    """Try these, with the versions that this release is developed with; say of each whether it holds."""
    held = {}
    for python in pythons:
        _tell(f"--- {python}")
        environment = Environment(f"3.{python.version[1]}", python)
        environment.install("-c", "constraints.txt", "-e", ".[test]")
        held[str(python)] = environment.holds(OF_PYTHONS)
    return held


def run_ends(pythons: Sequence[Python]) -> dict[str, bool]:
    """Try both ends of the dependencies; say of each whether it holds."""
    oldest, newest = pythons[0], pythons[-1]
    _tell(f"--- the newest of everything, on {newest}")
    high = Environment("newest", newest)
    high.install("-e", ".[test]")
    held = {f"the newest of everything, on {newest}": high.holds(OF_ENDS)}
    _tell(f"--- the lowest that pyproject.toml allows, on {oldest}")
    low = Environment("lowest", oldest)
    low.install_lowest()
    return held | {f"the lowest that pyproject.toml allows, on {oldest}": low.holds(OF_ENDS)}


def main() -> int:
    """Run, and say where it held; the exit status says whether it did everywhere."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.support.pythons")
    parser.add_argument("--ends", action="store_true", help="both ends of the dependencies")
    ends = parser.parse_args().ends
    pythons = find_pythons(os.environ)
    minors = {python.version[1] for python in pythons}
    _tell(f"found: {', '.join(map(str, pythons)) or 'no Python'}")
    usual = sys.version_info.minor
    held = run_ends(pythons) if ends else run_others(p for p in pythons if p.version[1] != usual)
    for name, is_so in held.items():
        _tell(f"{'holds' if is_so else 'FAILS'}: {name}")
    claimed = claimed_minors((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for minor in sorted(claimed - minors - {usual}):
        _tell(f"not run, since it is not here: Python 3.{minor}, which pyproject.toml names")
    return 0 if all(held.values()) else 1


def _holds(*command: str) -> bool:
    began = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    _tell(f"{'done' if status == 0 else f'exit status {status}'} in {time.monotonic() - began:.0f} s")
    return status == 0


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _tell(text: str) -> None:
    """Print at once: what follows takes minutes, and prints, too."""
    print(text, flush=True)  # noqa: T201  its report


if __name__ == "__main__":
    sys.exit(main())
