"""Sealing what landed: a digest of each row, the links of each model's chain, and its daily heads.

The digests of a window are a function of the rows that landed in it, so that whoever writes them anew writes
the same, and what a crash left behind without a link does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.domain.chain import Head, Link, Sealed, root_of
from driftline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from driftline.store.connection import Connection

SLOT_MS: Final = 300_000
"""Windows end where five minutes do."""

DIGEST_BYTES: Final = 16
NO_ROW: Final = bytes(DIGEST_BYTES)
"""The digest of a row that is accepted to be gone."""

ONE_CORE: Mapping[str, Any] = {
    "max_threads": 1,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,
    "max_bytes_before_external_group_by": 1 << 30,
}
"""Settings of statements that go through all rows of a window."""

ROW_COLUMNS: Final = (
    *("event_id", "event_time", "landed_at", "log_id", "log_partition", "log_offset"),
    *("model_name", "model_version", "training_run_id", "session_id", "sequence", "environment"),
    *("entity_id", "request_id", "trace_id", "numeric_features", "categorical_features", "missing_features"),
    *("prediction_number", "prediction_label", "class_probabilities", "tags", "latency_us", "compute_us"),
    *("numeric_outputs", "categorical_outputs", "missing_outputs"),
    *("set_aside", "hour"),
)
"""What the digest of a row is made of, in layout 1: all stored columns of `predictions`, in this order."""

DIGEST: Final = (
    f"substring(SHA256(formatRowNoNewline('RowBinary', {', '.join(ROW_COLUMNS)})), 1, {DIGEST_BYTES})"
)
"""SQL: the digest of a raw row."""

LANDED_MS: Final = "toUnixTimestamp64Milli(landed_at)"
_TIME = "fromUnixTimestamp64Milli({%s:Int64}, 'UTC')"
LANDED_WITHIN: Final = (
    f"model_name = {{model:String}} AND landed_at >= {_TIME % 'since_ms'} "
    f"AND landed_at < {_TIME % 'until_ms'}"
)
"""SQL: raw rows of a model that landed in [since_ms, until_ms)."""

_ATTEMPTS = 5
# So many offsets are hashed as one part of a root: what is sorted at once stays small.
_PART_OFFSETS = 65536

_WAITING = f"""
SELECT model_name, intDiv({LANDED_MS}, {SLOT_MS}) AS slot, count() FROM predictions
WHERE landed_at >= {_TIME % "since_ms"} AND landed_at < {_TIME % "until_ms"}
GROUP BY model_name, slot ORDER BY model_name, slot
"""
_DIGEST_ROWS = f"""
INSERT INTO audit_rows (model_name, until, acceptance, log_id, log_partition, log_offset, hour, digest)
SELECT
    model_name,
    fromUnixTimestamp64Milli(
        least(toInt64((intDiv({LANDED_MS}, {SLOT_MS}) + 1) * {SLOT_MS}), {{until_ms:Int64}}), 'UTC'),
    0, log_id, log_partition, log_offset, hour, {DIGEST}
FROM predictions WHERE {LANDED_WITHIN}
"""
_PARTS = f"""
SELECT
    toUnixTimestamp64Milli(until) AS at, acceptance, log_id, log_partition,
    intDiv(log_offset, {_PART_OFFSETS}) AS part, count(),
    intDiv(toUnixTimestamp(min(hour)), 3600), intDiv(toUnixTimestamp(max(hour)), 3600),
    lower(hex(SHA256(arrayStringConcat(arrayMap(each -> each.2, arraySort(groupArray((log_offset,
        formatRowNoNewline('RowBinary', log_id, log_partition, log_offset, hour, digest)))))))))
FROM audit_rows FINAL
WHERE model_name = {{model:String}} AND until >= {_TIME % "since_ms"} AND until <= {_TIME % "until_ms"}
GROUP BY at, acceptance, log_id, log_partition, part ORDER BY at, acceptance, log_id, log_partition, part
"""
_LINK_COLUMNS = (
    *("model_name", "number", "since_ms", "until_ms", "rows", "first_hour", "last_hour", "root", "previous"),
    *("accepted_by", "reason", "layout"),
)
_LINKS = f"SELECT DISTINCT {', '.join(_LINK_COLUMNS)}, hash FROM audit_links"
_LAST = f"""
SELECT {", ".join(_LINK_COLUMNS)} FROM audit_links
WHERE (model_name, number) IN
    (SELECT model_name, max(number) FROM audit_links WHERE until_ms <= {{before_ms:Int64}}
    GROUP BY model_name)
ORDER BY model_name, hash LIMIT 1 BY model_name
"""
_HEADS = "SELECT model_name, day, number, hash FROM audit_heads FINAL"


def read_waiting(
    connection: Connection, since_ms: int, until_ms: int
) -> Mapping[str, Sequence[tuple[int, int]]]:
    """Return what landed in a window: by model, slots of `SLOT_MS` with how many rows each holds."""
    found: dict[str, list[tuple[int, int]]] = {}
    for model, slot, rows in connection.rows(_WAITING, {"since_ms": since_ms, "until_ms": until_ms}):
        found.setdefault(str(model), []).append((int(slot), int(rows)))
    return found


def digest_rows(connection: Connection, model_name: str, since_ms: int, until_ms: int) -> None:
    """Write the digests of what landed of a model in [since_ms, until_ms). Doing it again changes nothing."""
    bound = {"model": model_name, "since_ms": since_ms, "until_ms": until_ms}
    connection.insert_selected(_DIGEST_ROWS, bound, settings=ONE_CORE)


def read_sealed(
    connection: Connection, model_name: str, since_ms: int, until_ms: int
) -> Mapping[tuple[int, int], Sealed]:
    """Return what the digests of a model come to, whose windows end in [since_ms, until_ms].

    They stand by the window's end, and by the number of the link that accepts them, or 0.
    """
    bound = {"model": model_name, "since_ms": since_ms, "until_ms": until_ms}
    parts: dict[tuple[int, int], list[Sequence[Any]]] = {}
    for at, acceptance, _, _, _, *part in connection.rows(_PARTS, bound, settings=ONE_CORE):
        parts.setdefault((int(at), int(acceptance)), []).append(part)
    return {
        key: Sealed(
            key[0],
            sum(int(rows) for rows, _, _, _ in found),
            min(int(first) for _, first, _, _ in found),
            max(int(last) for _, _, last, _ in found),
            root_of(str(digest) for _, _, _, digest in found),
        )
        for key, found in parts.items()
    }


def add_links(connection: Connection, links: Sequence[Link]) -> bool:
    """Write links that follow the last one; return whether they are there, and not others in their place.

    Two that write links of the same numbers at once have the same token: the engine takes one of the two.
    A token alone can lie, where the engine was killed between noting it and writing: then the next is tried.
    """
    first = links[0]
    rows = [[*(getattr(link, name) for name in _LINK_COLUMNS), link.hash] for link in links]
    for attempt in range(_ATTEMPTS):
        token = f"{first.model_name} {first.number} {attempt}"
        settings = {"insert_deduplicate": 1, "insert_deduplication_token": token}
        connection.insert("audit_links", rows, column_names=[*_LINK_COLUMNS, "hash"], settings=settings)
        head = read_last_links(connection).get(first.model_name)
        if head is not None and head.number >= first.number:
            return head == links[-1]
    raise StoreError(f"the store takes link {first.number} of {first.model_name} and does not hold it")


def read_last_links(connection: Connection, *, before_ms: int | None = None) -> Mapping[str, Link]:
    """Return the last link of each model's chain, or the last that ends at a time or before."""
    bound = {"before_ms": (1 << 62) if before_ms is None else before_ms}
    return {link.model_name: link for link in (_link(row) for row in connection.rows(_LAST, bound))}


def read_links(connection: Connection, model_name: str) -> Sequence[tuple[Link, str]]:
    """Return the links of a model, by number, each with the hash that stands beside it."""
    query = f"{_LINKS} WHERE model_name = {{model:String}} ORDER BY number, hash"
    rows = connection.rows(query, {"model": model_name})
    return [(_link(row[:-1]), _text(row[-1])) for row in rows]


def read_sealed_models(connection: Connection) -> Sequence[str]:
    """Return the models that have a chain, or rows of one, by name."""
    query = (
        "SELECT DISTINCT model_name FROM (SELECT model_name FROM audit_links UNION ALL "
        "SELECT model_name FROM audit_heads UNION ALL SELECT DISTINCT model_name FROM predictions) ORDER BY 1"
    )
    return [str(row[0]) for row in connection.rows(query)]


def write_heads(connection: Connection, heads: Sequence[Head]) -> None:
    """Keep daily heads."""
    rows = [(head.model_name, head.day, head.number, head.hash) for head in heads]
    connection.insert("audit_heads", rows, column_names=["model_name", "day", "number", "hash"])


def read_heads(connection: Connection, model_name: str = "", *, since: date | None = None) -> Sequence[Head]:
    """Return daily heads, by model and day; of one model only where it is named."""
    query = f"""{_HEADS}
        WHERE ({{model:String}} = '' OR model_name = {{model:String}}) AND day >= {{since:Date}}
        ORDER BY model_name, day"""
    bound = {"model": model_name, "since": str(since or "1970-01-01")}
    return [
        Head(str(name), day, int(number), _text(hash_))
        for name, day, number, hash_ in connection.rows(query, bound)
    ]


def _link(row: Sequence[Any]) -> Link:
    fields: dict[str, Any] = dict(zip(_LINK_COLUMNS, row, strict=True))
    return Link(**{**fields, "root": _text(fields["root"])})


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def read_store_ms(connection: Connection) -> int:
    """Return the store's time, by which rows are stamped as they land, milliseconds since the Unix epoch."""
    return int(connection.rows("SELECT toUnixTimestamp64Milli(now64(3))")[0][0])
