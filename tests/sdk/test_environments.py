"""What rebuilds an environment: everything that is installed, or a file that says so."""

from __future__ import annotations

import json
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
