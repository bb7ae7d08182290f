"""Fetching Java programs as they are published, once for all runs of this checkout."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import SkipTest

from tests.support.caches import cache

CACHE = cache("java")
JAVA_VERSION = 17
FETCH_TIMEOUT_S = 240.0


class JavaMissingError(SkipTest):
    """What runs on Java can't run here; the message says why. A test in which it is raised is skipped."""


def fetch(name: str) -> Path:
    """Return the folder with what ``<name>.xml`` beside this module fetches.

    A folder stands in the cache under the hash of its pom, complete or not at all: whoever comes while
    another process fetches waits for it. Blocks for seconds the first time.

    Raises:
        JavaMissingError: there is no Java, no Maven, or nowhere to fetch from.
    """
    pom = Path(__file__).with_name(f"{name}.xml")
    folder = CACHE / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"
    _check_java()
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _fetch(pom, folder)
    return folder


def _check_java() -> None:
    if shutil.which("java") is None:
        raise JavaMissingError("there is no `java` here (openjdk-17-jre-headless has it)")
    output = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = output.partition('version "')[2].partition(".")[0]
    if not version.isdigit() or int(version) < JAVA_VERSION:
        raise JavaMissingError(
            f"Java {JAVA_VERSION} or newer is needed; `java -version` says: {output.strip()}"
        )


def _fetch(pom: Path, folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise JavaMissingError("there is no `mvn` here to fetch jars with (maven has it)")
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=CACHE))
    command = ["mvn", "--quiet", "--batch-mode", f"--file={pom}", f"-Dfolder={draft}", "package"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not any(draft.iterdir()):
            raise JavaMissingError(
                f"Maven can't fetch {pom.name}: {(done.stdout + done.stderr).strip()[-2000:]}"
            )
        draft.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise JavaMissingError(f"Maven did not fetch {pom.name} within {FETCH_TIMEOUT_S} s") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
