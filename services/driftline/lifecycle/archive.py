"""Making snapshots, and proving that they are what they were.

Files are named by what they hold, and the manifest is written last. So making one again writes nothing new,
a crash leaves no half of one, and nothing that lands later changes what one holds.
"""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from driftline.audit.export import completeness
from driftline.domain.snapshots import SnapshotLine
from driftline.errors import SettingError
from driftline.lifecycle.manifest import FORMAT, Manifest, SnapshotFile, manifest_bytes, snapshot_id_of
from driftline.lifecycle.place import Location
from driftline.lifecycle.rows import RowHash, read_table, schema_of, table_bytes, widened
from driftline.store.chain import read_store_ms
from driftline.store.exporting import PIECE_ROWS, Selection
from driftline.store.hours import LONGEST_INSERT_S
from driftline.store.snapshots import (
    count_snapshot,
    count_streams,
    plan_snapshot,
    read_map_keys,
    snapshot_query,
    write_snapshot_line,
    write_snapshot_piece,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from driftline.domain.snapshots import Definition
    from driftline.store.connection import Connection

SETTLES: Final = timedelta(seconds=LONGEST_INSERT_S)
"""What landed so long ago is all visible: before, an insert under way would be in it, or would not."""


def settled_time(connection: Connection) -> datetime:
    """Return the newest time as of which a snapshot can be made, by the store's clock."""
    return datetime.fromtimestamp(read_store_ms(connection) / 1000, UTC) - SETTLES


def check_definition(definition: Definition, settled: datetime) -> None:
    """Refuse what would not come to the same rows later.

    Args:
        definition: of the snapshot.
        settled: what landed by then is all visible.

    Raises:
        SettingError: it looks at what is still to come, or is no period.
    """
    if definition.since >= definition.until:
        raise SettingError(
            f"a snapshot from {definition.since:%Y-%m-%dT%H:%M} until {definition.until:%Y-%m-%dT%H:%M} "
            "holds nothing: the period ends before it begins"
        )
    if definition.as_of > settled:
        raise SettingError(
            f"a snapshot as of {definition.as_of:%Y-%m-%dT%H:%M:%SZ} would look at what is still to land: "
            f"what is settled is as of {settled:%Y-%m-%dT%H:%M:%SZ} or earlier"
        )
    if definition.until > definition.as_of:
        raise SettingError(
            f"a snapshot as of {definition.as_of:%Y-%m-%dT%H:%M:%SZ} can't hold predictions until "
            f"{definition.until:%Y-%m-%dT%H:%M:%SZ}: that was still to come"
        )
    split = definition.split
    if split.kind == "time" and not (split.boundary and definition.since < split.boundary < definition.until):
        raise SettingError("a split by time needs a boundary within the period")
    if split.kind == "entity" and not 0 < split.share < 1:
        raise SettingError(f"a split by entity needs a share between 0 and 1, and no {split.share:g}")


def create_snapshot(
    connection: Connection,
    definition: Definition,
    location: Location,
    *,
    author: str,
    settled: datetime,
    label: str = "",
    piece_rows: int = PIECE_ROWS,
) -> Manifest:
    """Write what a definition comes to; return its manifest. Again writes nothing new.

    A piece is held in memory at a time, so memory does not grow with the snapshot.

    Args:
        connection: to the store; the snapshot is noted there, too.
        definition: what is in it.
        location: where it goes.
        author: who makes it.
        settled: what landed by then is all visible: `settled_time`.
        label: what the team calls it.
        piece_rows: so many rows a file has about.

    Raises:
        SettingError: it would look at what is still to come, holds no row, or an extra is missing.
        StoreError: the store is away.
        OSError: the location does not take it.
    """
    check_definition(definition, settled)
    counts = count_snapshot(connection, definition)
    if not counts.get("taken"):
        raise SettingError(f"no row is left for a snapshot: {_why_none(counts)}")
    keys, hashed, columns = read_map_keys(connection, definition), RowHash(), dict[str, str]()
    files = []
    for part, piece in plan_snapshot(connection, definition, piece_rows=piece_rows):
        held = io.BytesIO()
        write_snapshot_piece(connection, definition, part, piece, held)
        table = widened(read_table(held.getvalue()), keys)
        hashed.add(table, part)
        columns = schema_of(table)
        files.append(_write_file(location, table_bytes(table), part, table.num_rows))
    snapshot_id = snapshot_id_of(definition, hashed.hexdigest(), hashed.rows, columns)
    name = f"manifests/{definition.model_name.replace('/', '_')}-{snapshot_id}.json"
    if not location.has(name):  # The first one stays: a run may name the digest of its bytes.
        query, parameters = snapshot_query(definition)
        plain: Mapping[str, Any] = {
            "format": FORMAT,
            "snapshot_id": snapshot_id,
            "label": label,
            "made_at": (settled + SETTLES).isoformat(),
            "made_by": author,
            "definition": definition.as_plain(),
            "query": query,
            "parameters": {key: _plain(value) for key, value in parameters.items()},
            "columns": columns,
            "rows": hashed.rows,
            "row_hash": hashed.hexdigest(),
            "counts": dict(counts),
            "served_by": [
                {**stream._asdict(), "rows": rows}
                for stream, rows in count_streams(connection, definition).items()
            ],
            "completeness": _plain(completeness(connection, _selection(definition), definition.as_of)),
            "files": [_as_plain(file) for file in files],
        }
        location.write(name, manifest_bytes(plain))
    manifest = Manifest.parse(location.uri(name), location.read(name))
    write_snapshot_line(connection, _line(manifest, author))
    return manifest


def _why_none(counts: Mapping[str, int]) -> str:
    why = {
        "left_out": "in hours that are left out",
        "too_young": "too young",
        "acted_on": "acted on",
        "no_truth": "without a truth as of then",
        "known_too_late": "with a truth that came too late",
    }
    named = [f"{count} {why[name]}" for name, count in counts.items() if name in why]
    return ", ".join(named) if named else "nothing was predicted in the period"


def _write_file(location: Location, content: bytes, part: str, rows: int) -> SnapshotFile:
    digest = hashlib.sha256(content).hexdigest()
    name = f"files/{digest[:2]}/{digest}.parquet"
    if not location.has(name):
        location.write(name, content)
    return SnapshotFile(name, part, rows, len(content), digest)


def _selection(definition: Definition) -> Selection:
    return Selection(
        model_name=definition.model_name,
        model_version=definition.model_version or None,
        environment=definition.environment,
        since=definition.since,
        until=definition.until,
        landed_before=definition.as_of,
    )


def _line(manifest: Manifest, author: str) -> SnapshotLine:
    definition = manifest.definition
    return SnapshotLine(
        snapshot_id=manifest.snapshot_id,
        label=str(manifest.plain["label"]),
        model_name=definition.model_name,
        uri=manifest.uri,
        manifest_sha256=manifest.sha256,
        rows=manifest.rows,
        row_hash=manifest.row_hash,
        since=definition.since,
        until=definition.until,
        as_of=definition.as_of,
        split=definition.split.kind,
        made_by=author,
    )


def verify_snapshot(manifest: Manifest) -> Sequence[str]:
    """Return what of a snapshot is not as its manifest says. Reads every file; asks no store.

    Raises:
        SettingError: an extra is missing.
        OSError: a file can't be read.
    """
    location, problems, hashed = location_of(manifest), list[str](), RowHash()
    for file in manifest.files:
        if not location.has(file.name):
            problems.append(f"{file.name}: it is missing")
            continue
        content = location.read(file.name)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            problems.append(f"{file.name}: its content was changed")
            continue
        table = read_table(content)
        if table.num_rows != file.rows:
            problems.append(f"{file.name}: it has {table.num_rows} rows, and the manifest says {file.rows}")
        hashed.add(table, file.part)
    if not problems and (hashed.rows, hashed.hexdigest()) != (manifest.rows, manifest.row_hash):
        problems.append("the rows of its files are not those of the manifest")
    return problems


def rederive_snapshot(connection: Connection, manifest: Manifest) -> Sequence[str]:
    """Return what the store holds now that differs from the snapshot: rows that expired, or were changed."""
    definition, hashed = manifest.definition, RowHash()
    keys = read_map_keys(connection, definition)
    for part, piece in plan_snapshot(connection, definition):
        held = io.BytesIO()
        write_snapshot_piece(connection, definition, part, piece, held)
        hashed.add(widened(read_table(held.getvalue()), keys), part)
    if (hashed.rows, hashed.hexdigest()) == (manifest.rows, manifest.row_hash):
        return []
    difference = (
        f"the store has {hashed.rows} rows of this definition, with hash {hashed.hexdigest()[:12]}; the "
        f"snapshot {manifest.rows}, with {manifest.row_hash[:12]}: rows expired there, or were changed"
    )
    return [difference]


def fetch_snapshot(manifest: Manifest, folder: Path) -> Sequence[Path]:
    """Copy the files of a snapshot into folders ``train`` and ``test``; return them.

    Raises:
        SettingError: a file is not as the manifest says.
        OSError: the disk is full, or a file can't be read.
    """
    return list(_fetched(manifest, location_of(manifest), folder))


def _fetched(manifest: Manifest, location: Location, folder: Path) -> Iterator[Path]:
    for number, file in enumerate(manifest.files, 1):
        content = location.read(file.name)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise SettingError(f"{location.uri(file.name)} is not what snapshot {manifest.snapshot_id} holds")
        path = folder / file.part / f"part-{number:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        yield path


def location_of(manifest: Manifest) -> Location:
    """Return where a manifest's files lie."""
    return Location.at(manifest.uri.rpartition("/manifests/")[0])


def _as_plain(file: SnapshotFile) -> Mapping[str, Any]:
    return {
        "name": file.name,
        "part": file.part,
        "rows": file.rows,
        "bytes": file.bytes,
        "sha256": file.sha256,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value == float("inf"):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
