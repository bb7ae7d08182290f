"""How fast a lander lands, what ranges and marks cost, and how long settling a repeated batch takes.

Run: python bench/landing.py [--records 200000] [--keys 0] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.lander.ranges import Ranges
from driftline.store.rollups import IS_MARK, ROLLUPS

from driftline.lander.schemas import WriterSchemas
from driftline.lander.service import BATCH_BYTES, BATCH_RECORDS, make_inserters
from driftline.log import Record, open_log
from driftline.store import migrate, open_store
from driftline.store.segments import follow_segments, name_segments
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from driftline.lander.insert import Inserter
    from driftline.log import Batch
    from driftline.log.base import LogReader

BEGIN_US = 1_769_860_800_000_000
STEP_US = 3_000


def an_event(number: int, chance: random.Random) -> bytes:
    """Return an event of 15 features, a third of them categories."""
    event = {
        "event_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "event_time": BEGIN_US + number * STEP_US,
        "model_name": "bench",
        "model_version": "1",
        "training_run_id": "run",
        "session_id": f"session {number % 4}",
        "sequence": number // 4 + 1,
        "environment": "production",
        "numeric_features": {f"feature_{i:02}": chance.gauss(10 * i, 3) for i in range(10)},
        "categorical_features": {f"word_{i}": f"v{chance.randrange(20)}" for i in range(5)},
        "prediction_number": chance.random(),
        "prediction_label": "late",
        "tags": {f"tag_{i}": f"v{chance.randrange(10)}" for i in range(3)},
    }
    return encode_record(PREDICTION, event)


def median_ms(calls: list[float]) -> float:
    """Return the median of durations in seconds, in milliseconds."""
    return round(1000 * statistics.median(calls), 1)


def measure(folder: Path, records: int, keys: int) -> dict[str, float]:
    """Land so many records, in segments of the ten values of each of so many tags; repeat the last batch."""
    chance = random.Random(1)
    with open_log((folder / "log").as_uri()) as log, open_store(f"chdb://{folder / 'store'}") as store:
        writer = log.writer()
        for first in range(0, records, 5_000):
            numbers = range(first, min(first + 5_000, records))
            writer.append([Record(PREDICTIONS_TOPIC, b"", an_event(number, chance)) for number in numbers])
        with closing(store.client()) as client, closing(log.reader("bench", [PREDICTIONS_TOPIC])) as reader:
            migrate(client)
            name_segments(
                client, "bench", [f"tag_{key}=v{value}" for key in range(keys) for value in range(10)]
            )
            follow_segments(client)
            schema_of = WriterSchemas(log)
            ranges = Ranges(client, [PREDICTIONS_TOPIC], schema_of=schema_of)
            inserter = make_inserters(client, store.database, schema_of)[PREDICTIONS_TOPIC]
            figures, last = land(reader, ranges, inserter)
            for rollup in ROLLUPS:
                rows = f"SELECT countIf({IS_MARK}), count() FROM {rollup.table} FINAL"
                marks, total = client.query(rows).result_rows[0]
                figures[f"marks_share_{rollup.table}"] = round(marks / total, 5)
            return figures | settle(client, inserter, last)


def land(reader: LogReader, ranges: Ranges, inserter: Inserter) -> tuple[dict[str, float], Batch]:
    """Land everything as a lander does; return the speed, what recording ranges took, and the last batch."""
    batches, recorded, records = [], [], 0
    bounds = {"max_records": BATCH_RECORDS, "max_bytes": BATCH_BYTES}
    began = time.perf_counter()
    while piece := ranges.fetch(reader, PREDICTIONS_TOPIC, **bounds):
        reader.intend(piece.batch)
        noting = time.perf_counter()
        ranges.record(piece)
        inserting = time.perf_counter()
        inserter.land(piece.batch)
        finishing = time.perf_counter()
        ranges.finish(piece)
        recorded.append(inserting - noting + time.perf_counter() - finishing)
        reader.commit(piece.batch)
        records, last = records + len(piece.batch.values), piece.batch
        batches.append(time.perf_counter() - began)
        began = time.perf_counter()
    speed = {"events_per_s": round(records / sum(batches)), "batch_ms": median_ms(batches)}
    return {**speed, "ranges_ms": median_ms(recorded)}, last


def settle(client: Client, inserter: Inserter, batch: Batch) -> dict[str, float]:
    """Repeat a batch: as it stands, and with the marks gone, so that every rollup is counted again."""
    figures = {}
    for name in ("repeated_ms", "settled_ms"):
        began = time.perf_counter()
        inserter.land(replace(batch, repeated=True))
        figures[name] = round(1000 * (time.perf_counter() - began), 1)
        for rollup in ROLLUPS:
            client.command(f"DELETE FROM {rollup.table} WHERE {IS_MARK}")
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--keys", type=int, default=0, help="tags, of ten values each, to count segments by")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.records, options.keys)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:35} {figure:>12,}")


if __name__ == "__main__":
    main()
