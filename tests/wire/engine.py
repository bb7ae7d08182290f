"""ClickHouse's engine in a process of its own: a process can hold only one, and other tests need theirs."""

from __future__ import annotations

from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from fastavro import schemaless_writer

from driftline.wire import event_schema

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

COLUMNS = {
    "event_id": "UUID",
    "event_time": "DateTime64(6, 'UTC')",
    "model_name": "String",
    "model_version": "String",
    "training_run_id": "String",
    "session_id": "String",
    "sequence": "Int64",
    "environment": "String",
    "entity_id": "Nullable(String)",
    "request_id": "Nullable(String)",
    "trace_id": "Nullable(String)",
    "numeric_features": "Map(String, Float64)",
    "categorical_features": "Map(String, String)",
    "missing_features": "Array(String)",
    "prediction_number": "Nullable(Float64)",
    "prediction_label": "Nullable(String)",
    "class_probabilities": "Map(String, Float64)",
    "tags": "Map(String, String)",
    "latency_us": "Nullable(Int64)",
    "compute_us": "Nullable(Int64)",
    "numeric_outputs": "Map(String, Float64)",
    "categorical_outputs": "Map(String, String)",
    "missing_outputs": "Array(String)",
}
"""How ClickHouse reads a PredictionEvent."""

_EXACT = {"event_id": "toString(event_id)", "event_time": "toUnixTimestamp64Micro(event_time)"}
_SYNC = bytes(range(16))


def container(name: str, datums: list[bytes]) -> bytes:
    """Return datums behind one Avro object-container header, as one block (Avro specification)."""
    buffer = BytesIO(b"Obj\x01")
    buffer.seek(4)
    metadata = {"avro.schema": event_schema(name).text.encode(), "avro.codec": b"null"}
    schemaless_writer(buffer, {"type": "map", "values": "bytes"}, metadata)
    buffer.write(_SYNC)
    schemaless_writer(buffer, "long", len(datums))
    schemaless_writer(buffer, "bytes", b"".join(datums))
    buffer.write(_SYNC)
    return buffer.getvalue()


class Engine:
    """Reads Avro containers with ClickHouse."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._file = Path(self._folder.name) / "events.avro"
        context = get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end,), daemon=True)
        self._process.start()
        far_end.close()

    def read(self, avro: bytes) -> list[dict[str, Any]]:
        """Return the predictions in a container; times in microseconds, maps as lists of pairs."""
        self._file.write_bytes(avro)
        structure = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()).replace("'", "''")
        select = ", ".join(f"{_EXACT.get(name, name)} AS read_{name}" for name in COLUMNS)
        self._pipe.send(f"SELECT {select} FROM file('{self._file}', Avro, '{structure}')")
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        rows = pa.ipc.open_file(answer).read_all().to_pylist()
        return [{name.removeprefix("read_"): value for name, value in row.items()} for row in rows]

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(10)
        self._pipe.close()
        self._folder.cleanup()


def _serve(pipe: Connection) -> None:
    import chdb  # noqa: PLC0415 - only this process may load the engine.

    settings = " SETTINGS output_format_arrow_string_as_string = 1, engine_file_skip_empty_files = 0"
    while (query := pipe.recv()) is not None:
        try:
            pipe.send(chdb.query(query + settings, "Arrow").bytes())
        except Exception as error:  # noqa: BLE001 - the test shows it.
            pipe.send(RuntimeError(str(error)))
