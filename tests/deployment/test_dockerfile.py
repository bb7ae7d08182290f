"""Dockerfiles: by the book, pinned, without root, and made of what is there and no more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deployment.composition import ROOT

FILES = ("Dockerfile", "examples/inference_service/Dockerfile")
_COPY = re.compile(r"^COPY (?!--from)(?P<paths>.+)$", re.MULTILINE)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")


def copied(name):
    """Return what is copied from the checkout."""
    return [path for found in _COPY.finditer(text_of(name)) for path in found["paths"].split()[:-1]]


@pytest.mark.parametrize("name", FILES)
def test_it_is_written_by_the_book(name):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", FILES)
def test_its_base_is_pinned_to_one_version(name):
    (default,) = re.findall(r"^ARG PYTHON=(.+)$", text_of(name), re.MULTILINE)
    assert re.fullmatch(r"\d+\.\d+\.\d+-slim-\w+", default)
    bases = re.findall(r"^FROM (\S+)", text_of(name), re.MULTILINE)
    assert set(bases) == {"python:${PYTHON}"}


@pytest.mark.parametrize("name", FILES)
def test_what_runs_in_it_is_nobody_in_particular_and_has_no_installer(name):
    final = text_of(name).rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\d+):\d+$", final, re.MULTILINE)
    assert int(user) >= 10_000
    assert "pip uninstall" in final
    assert not re.search(r"^(ADD|COPY (?!--from|examples))", final, re.MULTILINE), "it is built, not copied"


@pytest.mark.parametrize("name", FILES)
def test_it_says_how_its_health_is_asked_for_which_no_proxy_knows(name):
    command = r'^HEALTHCHECK .*--timeout=\d+s .*CMD \["env", "no_proxy=\*", "python"'
    assert re.search(command, text_of(name), re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_what_it_copies_is_there_and_is_sent_to_the_builder(name):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [line[1:] for line in ignored if line.startswith("!")]
    for path in copied(name):
        assert list(ROOT.glob(path)), path
        assert any(Path(path).is_relative_to(folder) for folder in sent), path


@pytest.mark.parametrize("name", FILES)
def test_it_has_all_that_the_wheel_is_made_of(name):
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for path in [*wheel["packages"], *wheel["force-include"], "README.md", "LICENSE"]:
        assert any(Path(path).is_relative_to(folder) for folder in copied(name)), path
