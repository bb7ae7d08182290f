"""The files of a trained model, with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.registry.runs import ArtifactFile

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

MAX_FILES: Final = 2_000
"""Most files of an artifact: each is in the run's event."""

_CHUNK = 1 << 20
_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model.

    Args:
        uri: where it lies.
        files: what it is made of; none: not known.
    """

    uri: str | None
    files: Sequence[ArtifactFile] = ()

    @property
    def sha256(self) -> str | None:
        """One digest of all: a single file's own, else of the list as ``sha256sum`` prints it."""
        if not self.files:
            return None
        if [file.path for file in self.files] == [""]:
            return self.files[0].sha256
        lines = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return a file's digest. Blocks for the disk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_artifact(
    path: str | os.PathLike[str] | None,
    uri: str | None,
    expected: str | Mapping[str, str] | None,
) -> Artifact:
    """Return a model's artifact. Blocks for the disk where it lies there.

    Args:
        path: a file or a folder on this host, whose files are read; None: it lies elsewhere.
        uri: where those who serve it find it; None: at ``path``.
        expected: digest of the file, or of each file by its path in the folder; of what lies elsewhere they
            are taken as they are.

    Raises:
        SettingError: there is no such file, or one differs from what is expected; the message names it.
    """
    wanted = _expected(expected)
    if path is None:
        return Artifact(uri, [ArtifactFile(name, digest, 0) for name, digest in sorted(wanted.items())])
    place = Path(path)
    files = read_files(place, "artifact")
    if len(files) > MAX_FILES:
        raise SettingError(f"artifact={str(place)!r}: {len(files):,} files; at most {MAX_FILES:,}: pack them")
    found = {file.path: file.sha256 for file in files}
    for name, digest in wanted.items():
        if found.get(name) != digest:
            what = f"sha256 {found[name]}" if name in found else "not there"
            raise SettingError(
                f"artifact {place / name if name else place}: {what}, and {digest} is expected"
            )
    return Artifact(uri or place.resolve().as_uri(), files)


def _expected(expected: str | Mapping[str, str] | None) -> Mapping[str, str]:
    given: Any = {"": expected} if isinstance(expected, str) else expected or {}
    if not isinstance(given, Mapping):
        raise SettingError(f"artifact_sha256={expected!r}: it must be a digest, or digests by file")
    for name, digest in given.items():
        is_digest = isinstance(digest, str) and len(digest) == _DIGITS
        if not isinstance(name, str) or not is_digest or set(digest) - set("0123456789abcdef"):
            raise SettingError(f"artifact_sha256: {digest!r} is no sha256 in {_DIGITS} hexadecimal digits")
    return given


def read_files(place: Path, what: str) -> Sequence[ArtifactFile]:
    """Return a file, or all files of a folder, by their paths below it. Blocks for the disk.

    Args:
        place: on this host.
        what: the argument that gave it, for messages.

    Raises:
        SettingError: there is no such file.
    """
    found = {"": place} if place.is_file() else {}
    for file in sorted(place.rglob("*")):
        if file.is_file():
            found[file.relative_to(place).as_posix()] = file
    if not found:
        raise SettingError(f"{what}={str(place)!r}: there is no such file, nor a folder with files")
    return [ArtifactFile(name, file_sha256(file), file.stat().st_size) for name, file in found.items()]
