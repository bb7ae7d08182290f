"""Where Kafka and the registry can't run, the tests that need them say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDS_KAFKA = "tests/harness/test_kafka.py::test_what_is_written_is_read"
NEEDS_REGISTRY = "tests/harness/test_fixtures.py::test_the_registry_answers"
NO_MAVEN = "#!/bin/sh\necho 'the mirror is away'\nexit 1\n"


@pytest.fixture
def run_without(tmp_path):
    """Run those two tests where only the given programs are found, and nothing was fetched before."""

    def run(forbid, **programs):
        for name, text in programs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        code = "import sys, pathlib, pytest; from tests.support.java import jars\n"
        code += "jars.CACHE = pathlib.Path(sys.argv[1]); sys.exit(pytest.main(sys.argv[2:]))"
        arguments = [str(tmp_path / "cache"), "-p", "no:cacheprovider", NEEDS_KAFKA, NEEDS_REGISTRY]
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env={**os.environ, "PATH": str(tmp_path), "TESTS_FORBID_SKIPS": forbid},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def why(done):
    """Return what is reported at the end of each test that did not run."""
    reported = done.stdout.partition("NOT PROVEN")[2].splitlines()
    return dict(line.split(": ", 1) for line in reported if line.startswith("tests/"))


def test_the_registry_answers(registry):
    assert httpx.get(f"{registry.url}/config").json()["compatibilityLevel"] == "BACKWARD"


def test_without_java_they_are_skipped_and_that_is_reported(run_without):
    done = run_without("0")
    assert done.returncode == 0, done.stdout
    assert "2 skipped or expected to fail" in done.stdout
    assert "there is no `java` here" in why(done)[NEEDS_KAFKA]
    assert "there is no `java` here" in why(done)[NEEDS_REGISTRY]


def test_where_skips_are_forbidden_they_fail(run_without):
    done = run_without("1")
    assert done.returncode == 1
    assert "2 errors" in done.stdout
    assert "there is no `java` here" in done.stdout


def test_what_maven_says_is_reported(run_without):
    java = "#!/bin/sh\necho 'openjdk version \"17.0.15\"' >&2\n"
    reasons = why(run_without("0", java=java, mvn=NO_MAVEN))
    assert reasons[NEEDS_KAFKA].endswith("Maven can't fetch kafka.xml: the mirror is away")
    assert reasons[NEEDS_REGISTRY].endswith("Maven can't fetch registry.xml: the mirror is away")


def test_an_old_java_is_not_taken(run_without):
    java = "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n"
    reasons = why(run_without("0", java=java, mvn=NO_MAVEN))
    assert "Java 17 or newer is needed" in reasons[NEEDS_KAFKA]
    assert "Java 17 or newer is needed" in reasons[NEEDS_REGISTRY]
