"""Where snapshots lie: any location that fsspec reaches, a folder of this host or a bucket."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from driftline.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Location:
    """A folder, or what is one in a bucket. Files are written once, in whole or not at all.

    Args:
        url: of the folder, without a slash at its end.
        filesystem: fsspec's.
        path: of the folder in it.
        random_hex: makes names for files that are being written.
    """

    url: str
    filesystem: Any
    path: str
    random_hex: Callable[[], str] = secrets.token_hex

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the location of a URL, or of a path on this host.

        Raises:
            SettingError: fsspec is not installed, or does not reach it.
        """
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415  the extra need not be installed
        except ImportError as error:
            raise SettingError("snapshots need: pip install 'driftline[lifecycle]'") from error
        given = url.rstrip("/")
        if "://" not in given:
            given = Path(given).resolve().as_uri()
        try:
            filesystem, path = url_to_fs(given)
        except (ValueError, ImportError) as error:
            raise SettingError(f"snapshots can't lie at {url}: {error}") from error
        return cls(given, filesystem, path)

    @classmethod
    def of_file(cls, uri: str) -> tuple[Self, str]:
        """Return the location that holds a file, and the file's name in it."""
        folder, _, name = uri.rpartition("/")
        return cls.at(folder or "."), name

    def uri(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.url}/{name}"

    def has(self, name: str) -> bool:
        """Return whether a file is there."""
        return bool(self.filesystem.exists(f"{self.path}/{name}"))

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            NotFoundError: it is not there.
            OSError: it can't be read.
        """
        try:
            return bytes(self.filesystem.cat_file(f"{self.path}/{name}"))
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.uri(name)} is not there") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file, which is there in whole or not at all, also after a crash.

        Raises:
            OSError: it can't be written.
        """
        path = f"{self.path}/{name}"
        folder = path.rpartition("/")[0]
        self.filesystem.makedirs(folder, exist_ok=True)
        if not _is_local(self.filesystem):
            self.filesystem.pipe_file(path, content)  # A bucket shows no half of an object.
            return
        beside = f"{folder}/.{self.random_hex()}"
        with Path(beside).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)


def _is_local(filesystem: Any) -> bool:
    protocol = filesystem.protocol
    return "file" in (protocol if isinstance(protocol, tuple | list) else (protocol,))
