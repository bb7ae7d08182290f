"""The files of a model, by their digests; one that differs from what is expected is named."""

from __future__ import annotations

import hashlib

import pytest

from driftline.errors import SettingError
from driftline.registry.runs import ArtifactFile
from driftline.sdk.artifacts import read_artifact


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_known_by_its_digest(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    artifact = read_artifact(path, None, digest(b"weights"))
    assert artifact.uri == path.as_uri()
    assert artifact.files == [ArtifactFile("", digest(b"weights"), 7)]
    assert artifact.sha256 == digest(b"weights")


def test_a_folder_is_known_by_all_its_files_wherever_it_lies(tmp_path):
    (tmp_path / "m" / "inner").mkdir(parents=True)
    (tmp_path / "m" / "b").write_bytes(b"2")
    (tmp_path / "m" / "inner" / "a").write_bytes(b"1")
    artifact = read_artifact(tmp_path / "m", "s3://models/3", None)
    assert artifact.uri == "s3://models/3"
    assert [(file.path, file.sha256) for file in artifact.files] == [
        ("b", digest(b"2")),
        ("inner/a", digest(b"1")),
    ]
    lines = f"{digest(b'2')}  b\n{digest(b'1')}  inner/a\n"
    assert artifact.sha256 == digest(lines.encode())


def test_a_file_that_differs_or_is_not_there_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(
        SettingError, match=rf"artifact .*/a: sha256 {digest(b'1')}, and {digest(b'2')} is expected"
    ):
        read_artifact(tmp_path, None, {"a": digest(b"2")})
    with pytest.raises(SettingError, match=r"artifact .*/b: not there"):
        read_artifact(tmp_path, None, {"b": digest(b"2")})


def test_digests_of_what_lies_elsewhere_are_taken_as_they_are():
    artifact = read_artifact(None, "s3://models/3", {"b": digest(b"2"), "a": digest(b"1")})
    assert [file.path for file in artifact.files] == ["a", "b"]
    assert read_artifact(None, "s3://models/3", None).sha256 is None
