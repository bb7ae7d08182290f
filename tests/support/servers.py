"""Servers and task runners in a Python environment of their own, made once for all runs of this checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from tests.support.caches import cache
from tests.support.installing import make_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = cache("servers")
BASE = ("confluent-kafka>=2.10,<3", "fastavro>=1.12,<2")
"""What driftline's SDK needs."""

SERVERS = (
    "celery==5.7.0",
    "eventlet==0.41.3",
    "gevent==26.9.0",
    "packaging==26.3",  # gunicorn's worker of gevent imports it, and does not ask for it.
    "gunicorn==27.0.1",
    "joblib==1.6.0",
    "uvicorn==0.54.0",
    "uvicorn-worker==0.4.0",
    "uWSGI==2.0.31",
)
CLUSTERS = ("distributed==2026.8.0", "ray==2.60.0")
"""These take minutes to install, and hundreds of megabytes."""


class EnvironmentMissingError(SkipTest):
    """What a test needs can't be installed here; the message says why. A test in which it is raised skips."""


def environment(packages: Sequence[str]) -> Path:
    """Return the folder of an environment of this Python with packages in it; `bin` has their programs.

    It stands in the cache under the hash of what it holds, complete or not at all: whoever comes while
    another process makes it waits for it. Blocks for a minute or more the first time.

    Raises:
        EnvironmentMissingError: there is nowhere to fetch from, or no compiler.
    """
    wanted = "\n".join((sys.version, *BASE, *packages))
    folder = CACHE / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    done = folder / "done"
    if not done.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{folder.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                _make(folder, packages)
                done.touch()
    return folder


def environ(folder: Path, **others: str) -> dict[str, str]:
    """Return what a program of an environment runs with: it finds this checkout's driftline.

    It finds its own packages, too, where uWSGI would not: in a folder whose name is not ASCII.
    """
    served = ROOT / "tests" / "sdk" / "served"
    found = [ROOT / "services", served, *sorted(folder.glob("lib/python3*/site-packages"))]
    path = os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", "")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, found)), "PATH": path, **others}


def _make(folder: Path, packages: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        make_environment(folder, (*BASE, *packages))
    except subprocess.CalledProcessError as error:
        raise EnvironmentMissingError(
            f"servers could not be installed: {error.stderr.strip()[-500:]}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentMissingError(f"{packages[-1]}: not there in {error.timeout:.0f} s") from error
