"""Exporting predictions to Parquet, with a manifest that says what they are, and whether that is all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import REFERENCE, Stream
from driftline.errors import SettingError, StoreError
from driftline.store.chain import read_last_links, read_store_ms
from driftline.store.exporting import (
    NAMES,
    PIECE_ROWS,
    count_piece,
    plan_export,
    read_exported_streams,
    write_piece,
)
from driftline.store.hours import LONGEST_INSERT_S
from driftline.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from driftline.store.connection import Connection
    from driftline.store.exporting import Piece, Selection
    from driftline.store.ledger import LedgerLine

MANIFEST: Final = "manifest.json"
FORMAT: Final = "driftline export 1"
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: the manifest, and where it lies."""

    manifest: Mapping[str, Any]
    path: Path


def export(
    connection: Connection,
    selection: Selection,
    folder: Path,
    *,
    author: str,
    piece_rows: int = PIECE_ROWS,
) -> Exported:
    """Write what is selected into a folder: files of Parquet, and last the manifest.

    What lands meanwhile is not in it. A piece is written at a time, so memory does not grow with the export.

    Args:
        connection: to the store.
        selection: which predictions.
        folder: an empty one, or one to be made.
        author: who exports.
        piece_rows: so many rows a file has about.

    Raises:
        SettingError: the folder holds something.
        StoreError: the store is away.
        OSError: the disk is full, or the folder can't be written to.
    """
    _prepare(folder)
    as_of_ms = read_store_ms(connection)
    as_of = datetime.fromtimestamp(as_of_ms / 1000, UTC)
    fixed = replace(selection, landed_before=as_of)
    files = [
        _write(connection, fixed, piece, folder / f"predictions-{number:05d}.parquet")
        for number, piece in enumerate(plan_export(connection, fixed, piece_rows=piece_rows), 1)
    ]
    manifest = {
        "format": FORMAT,
        "made_at": as_of.isoformat(),
        "made_by": author,
        "selection": {name: value for name, value in asdict(selection).items() if value is not None},
        "query": fixed.query(),
        "parameters": fixed.condition()[1],
        "landed_before": as_of.isoformat(),
        "columns": list(NAMES),
        "rows": sum(file["rows"] for file in files),
        "files": files,
        "completeness": completeness(connection, fixed, as_of),
        "chain": [
            {"model_name": link.model_name, "number": link.number, "hash": link.hash}
            for link in read_last_links(connection).values()
            if selection.model_name in (None, link.model_name)
        ],
    }
    manifest = json.loads(json.dumps(manifest, default=_plain))
    manifest["sha256"] = digest_of(manifest)
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return Exported(manifest, path)


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a manifest says but for itself."""
    content = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty; name a folder that is, or that is not there yet")


def _write(connection: Connection, selection: Selection, piece: Piece, path: Path) -> Mapping[str, Any]:
    """Write one file, again where an insert that was under way became visible meanwhile."""
    for _ in range(_ATTEMPTS):
        rows = count_piece(connection, selection, piece)
        with path.open("wb") as file:
            write_piece(connection, selection, piece, file)
        if count_piece(connection, selection, piece) == rows:
            return {
                "name": path.name,
                "rows": rows,
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
                "first_hour": hour_time(piece.first_hour).isoformat(),
                "end_hour": hour_time(piece.end_hour).isoformat(),
            }
    raise StoreError(f"the rows of {path.name} went on changing while they were written; try again")


def sha256_of(path: Path) -> str:
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def completeness(connection: Connection, selection: Selection, as_of: datetime) -> Mapping[str, Any]:
    """Return what the ledger says of the selected period: whether what is not exported was not there.

    Args:
        connection: to the store.
        selection: which predictions.
        as_of: the time, by the store's clock.
    """
    exported = read_exported_streams(connection, selection)
    ledger = Ledger(connection)
    streams = [
        _of_stream(ledger, line, stream, exported.get(stream, 0), selection)
        for line in ledger.lines()
        if _concerns(stream := _stream(line), selection, exported)
    ]
    doubts = list(_doubts(streams, selection, as_of))
    return {"complete": not doubts, "doubts": doubts, "streams": streams}


def _stream(line: LedgerLine) -> Stream:
    return Stream(line.model_name, line.model_version, line.environment)


def _concerns(stream: Stream, selection: Selection, exported: Mapping[Stream, int]) -> bool:
    """Return whether a stream could hold what is selected."""
    if stream in exported:
        return True
    wanted = (selection.model_name, selection.model_version, selection.environment)
    if any(want not in (None, is_) for want, is_ in zip(wanted, stream, strict=True)):
        return False
    if selection.training_run_id is not None:  # A run's predictions are of the version that it made.
        return selection.model_name is not None and not exported
    return selection.environment is not None or stream.environment != REFERENCE


def _of_stream(
    ledger: Ledger, line: LedgerLine, stream: Stream, rows: int, selection: Selection
) -> Mapping[str, Any]:
    first = hour_of(selection.since) if selection.since else 0
    end = hour_of(selection.until - timedelta(microseconds=1)) + 1 if selection.until else 1 << 40
    missing = ledger.missing(stream, since_hour=first)
    return {
        **stream._asdict(),
        "exported": rows,
        "missing": round(sum(count for hour, count in missing.items() if first <= hour < end), 3),
        "dead_lettered": line.dead_lettered,
        "duplicates": line.duplicates,
    }


def _doubts(streams: Sequence[Mapping[str, Any]], selection: Selection, as_of: datetime) -> Iterator[str]:
    if not streams:
        yield "the ledger knows nothing of what is selected"
    for stream in streams:
        name = f"{stream['model_name']} {stream['model_version']} ({stream['environment']})"
        if stream["missing"]:
            yield f"of {name} {stream['missing']:g} predictions are missing in the period"
        if stream["dead_lettered"]:
            yield f"of {name} {stream['dead_lettered']} predictions are dead letters, whatever their time"
    settled = as_of - timedelta(seconds=LONGEST_INSERT_S)
    if selection.until is None or selection.until > settled:
        yield f"the period is not over: more may land; name an end before {settled:%Y-%m-%dT%H:%M:%SZ}"


def verify_export(path: Path) -> Sequence[str]:
    """Return what of an export is not as its manifest says.

    Args:
        path: of the manifest.

    Raises:
        SettingError: it is no manifest.
        OSError: it can't be read.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = [
            (str(file["name"]), int(file["rows"]), int(file["bytes"]), str(file["sha256"]))
            for file in manifest["files"]
        ]
        is_ours = manifest["format"] == FORMAT
        rows, stated = int(manifest["rows"]), str(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is no manifest of an export: {error}") from error
    if not is_ours:
        raise SettingError(f"{path} is a manifest of another format, {manifest['format']!r}")
    problems = [] if digest_of(manifest) == stated else [f"{path.name}: it was changed after it was written"]
    for name, held, size, sha256 in files:
        problems += _check_file(path.parent / name, held, size, sha256)
    if sum(held for _, held, _, _ in files) != rows:
        problems.append(f"{path.name}: the rows of its files are not {rows}")
    known = {path.name, *(name for name, _, _, _ in files)}
    strange = sorted(entry.name for entry in path.parent.iterdir() if entry.name not in known)
    problems += [f"{name}: it is no part of the export" for name in strange]
    return problems


def _check_file(path: Path, rows: int, size: int, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path.name}: it is missing"
        return
    if path.stat().st_size != size:
        yield f"{path.name}: it has {path.stat().st_size} bytes, and had {size}"
    elif sha256_of(path) != sha256:
        yield f"{path.name}: its content was changed"
    elif (held := _rows_of(path)) not in (None, rows):
        yield f"{path.name}: it has {held} rows, and the manifest says {rows}"


def _rows_of(path: Path) -> int | None:
    """Return how many rows a file has by its own account; None where nothing here can read that."""
    try:
        from pyarrow.parquet import read_metadata  # noqa: PLC0415  the extra need not be installed
    except ImportError:
        return None
    return int(read_metadata(path).num_rows)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
