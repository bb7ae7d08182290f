"""What rebuilds an environment: everything that is installed, or a file that says so."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.metadata import PathDistribution

import pytest

from driftline.sdk import environments
from driftline.sdk.environments import installed_packages, read_environment


def distribution(folder, name, version, origin=None):
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if origin:
        (place / "direct_url.json").write_text(json.dumps(origin))
    return PathDistribution(place)


def test_installed_packages_are_listed_as_pip_takes_them(tmp_path, monkeypatch):
    commit = {"vcs": "git", "commit_id": "f00d"}
    broken = tmp_path / "broken-1.dist-info"
    broken.mkdir()
    monkeypatch.setattr(
        environments,
        "distributions",
        lambda: [
            distribution(tmp_path, "zeta", "1.0"),
            distribution(tmp_path, "Alpha", "2.0"),
            distribution(tmp_path, "ours", "0.1", {"url": "https://git.example/ours", "vcs_info": commit}),
            PathDistribution(broken),
        ],
    )
    found = installed_packages()
    assert found.text == "Alpha==2.0\nours @ git+https://git.example/ours@f00d\nzeta==1.0\n"
    assert (found.kind, len(found.sha256)) == ("packages", 64)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_was_installed_from_a_checkout_is_listed_with_its_commit(tmp_path, monkeypatch):
    """No index has it: its version alone rebuilds nothing."""
    tree, plain = tmp_path / "our tree", tmp_path / "plain"
    for folder in (tree / "packages" / "ours", plain):
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text("")
    git = ("git", "-C", tree, "-c", "user.name=A", "-c", "user.email=a@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run([*git, *command], check=True, capture_output=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout

    def listed():
        places = {"ours": tree / "packages" / "ours", "other": plain}
        found = [
            distribution(tmp_path, name, "0.1", {"url": place.as_uri(), "dir_info": {"editable": True}})
            for name, place in places.items()
        ]
        monkeypatch.setattr(environments, "distributions", lambda: found)
        return installed_packages().text

    where = f"{tree.as_uri()}@{commit.strip()}#subdirectory=packages/ours"
    assert listed() == f"other==0.1\nours @ git+{where}\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uv.lock", "lock"),
        ("poetry.lock", "lock"),
        ("pylock.toml", "lock"),
        ("requirements-train.txt", "requirements"),
        ("environment.yml", "conda"),
        ("Dockerfile", "dockerfile"),
    ],
)
def test_a_files_name_tells_what_it_is(tmp_path, name, kind):
    (tmp_path / name).write_text("content")
    found = read_environment(tmp_path / name)
    assert (found.kind, found.text, found.kept_text) == (kind, "content", "content")


def test_of_a_file_that_is_too_long_the_digest_alone_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "MAX_TEXT_BYTES", 5)
    (tmp_path / "uv.lock").write_text("content")
    found = read_environment(tmp_path / "uv.lock")
    assert found.kept_text is None
    assert len(found.sha256) == 64
