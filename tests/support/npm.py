"""What is published to npm, fetched once for all runs of this checkout."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from tests.support.caches import cache

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = cache("npm")
FETCH_TIMEOUT_S = 240.0


class NodeMissingError(SkipTest):
    """What runs on Node.js can't run here; the message says why. A test in which it is raised is skipped."""


def packages(pinned: Mapping[str, str]) -> Path:
    """Return a folder whose ``node_modules`` holds packages in the versions named.

    A folder stands in the cache under the hash of what it holds, complete or not at all: whoever comes while
    another process fetches waits for it. Blocks for seconds the first time.

    Raises:
        NodeMissingError: there is no Node.js, no npm, or nowhere to fetch from.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NodeMissingError(f"there is no `{program}` here (Debian's nodejs and npm have them)")
    wanted = json.dumps({"private": True, "dependencies": dict(pinned)}, sort_keys=True)
    folder = CACHE / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _fetch(wanted, folder)
    return folder


def _fetch(wanted: str, folder: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=CACHE))
    (draft / "package.json").write_text(wanted)
    command = "npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error".split()
    try:
        done = subprocess.run(
            command, cwd=draft, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise NodeMissingError(f"npm could not fetch what is needed: {done.stderr.strip()[-500:]}")
        draft.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise NodeMissingError(f"npm did not fetch what is needed in {FETCH_TIMEOUT_S:.0f} s") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
