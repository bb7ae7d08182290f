"""The manifest of a snapshot: what it holds, what was left out and why, and what proves it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.audit.export import digest_of
from driftline.domain.snapshots import Definition
from driftline.errors import SettingError
from driftline.lifecycle.place import Location
from driftline.sdk.data import DataReference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT: Final = "driftline snapshot 1"


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A file of a snapshot.

    Args:
        name: in the snapshot's location; it holds the digest.
        part: of the split, ``train`` or ``test``.
        rows: how many.
        bytes: its size.
        sha256: its digest.
    """

    name: str
    part: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, as it was read.

    Args:
        uri: where it lies.
        sha256: digest of its bytes.
        plain: all of it.
        definition: what is in the snapshot.
        files: of which it is made.
    """

    uri: str
    sha256: str
    plain: Mapping[str, Any]
    definition: Definition
    files: Sequence[SnapshotFile]

    @property
    def snapshot_id(self) -> str:
        """Identity of definition and rows."""
        return str(self.plain["snapshot_id"])

    @property
    def row_hash(self) -> str:
        """Of the rows, whatever their order."""
        return str(self.plain["row_hash"])

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.plain["rows"])

    @classmethod
    def read(cls, uri: str) -> Self:
        """Return the manifest at an address.

        Raises:
            NotFoundError: it is not there.
            SettingError: it is no manifest of a snapshot.
            OSError: it can't be read.
        """
        location, name = Location.of_file(uri)
        return cls.parse(location.uri(name), location.read(name))

    @classmethod
    def parse(cls, uri: str, content: bytes) -> Self:
        """Return a manifest.

        Raises:
            SettingError: it is none of a snapshot.
        """
        try:
            plain = json.loads(content)
            if plain["format"] != FORMAT:
                raise SettingError(f"{uri} is a manifest of another format, {plain['format']!r}")
            files = [SnapshotFile(**file) for file in plain["files"]]
            definition = Definition.from_plain(plain["definition"])
            if digest_of(plain) != plain["sha256"]:
                raise SettingError(f"{uri} was changed after it was written")
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, SettingError):
                raise
            raise SettingError(f"{uri} is no manifest of a snapshot: {error}") from error
        return cls(uri, hashlib.sha256(content).hexdigest(), plain, definition, files)

    def reference(self, name: str = "training") -> DataReference:
        """Return what a training run names as its data, to be registered with it."""
        return DataReference(
            self.uri,
            name,
            fingerprint=f"sha256:{self.sha256}",
            rows=self.rows,
            columns={str(column): str(kind) for column, kind in self.plain["columns"].items()},
        )


def manifest_bytes(plain: Mapping[str, Any]) -> bytes:
    """Return a manifest as it is written, with the digest of all that it says."""
    held = json.loads(json.dumps(plain))
    held["sha256"] = digest_of(held)
    return (json.dumps(held, indent=2, ensure_ascii=False) + "\n").encode()


def snapshot_id_of(definition: Definition, row_hash: str, rows: int, columns: Mapping[str, str]) -> str:
    """Return the id of a snapshot: the same definition and rows have the same."""
    content = {
        "definition": definition.as_plain(),
        "row_hash": row_hash,
        "rows": rows,
        "columns": dict(columns),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
