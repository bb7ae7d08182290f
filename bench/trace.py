"""How long it takes to find a prediction among many: by its event, its entity, its request, and with its run.

Rows are made by the store itself and land through its inbox: eight streams over sixty days, three features
each, an entity for every fifty rows. They stay in ``.cache/trace``, a store for each ``--rows``, so that it
can be asked again.

Run: python -m bench.trace [--rows 10000000] [--questions 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from driftline.embedded import open_store
from driftline.store import migrate
from driftline.store.lineage import ENTITY, REQUEST, TRACE, find_predictions, read_lineage
from driftline.store.trace import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.store import Connection

CACHE = Path(__file__).resolve().parent.parent / ".cache"
BEGIN_S = 1_764_547_200
DAYS = 60
CHUNK_ROWS = 1_000_000
ROWS_AN_ENTITY = 50

# A UUIDv7 of the row's own time, as the logger makes it.
_EVENT_ID = (
    "toUUID(concat(substring(ms, 1, 8), '-', substring(ms, 9, 4), '-7', substring(bits, 1, 3), '-8', "
    "substring(bits, 4, 3), '-', substring(bits, 5, 12)))"
)
_INSERT = """
INSERT INTO prediction_inbox (log_id, log_partition, log_offset, event_id, event_time, model_name,
    model_version, training_run_id, session_id, sequence, environment, entity_id, request_id, trace_id,
    numeric_features, categorical_features, prediction_number)
WITH
    {begin} * 1000 + intDiv(number * {span_ms}, {rows}) AS time_ms,
    lower(leftPad(hex(toUInt64(time_ms)), 12, '0')) AS padded, substring(padded, length(padded) - 11) AS ms,
    lower(leftPad(hex(rand64(1)), 16, '0')) AS bits
SELECT 'bench', 0, number, {event_id}, fromUnixTimestamp64Milli(toInt64(time_ms)),
    concat('model-', toString(rand(2) % 4)), toString(1 + rand(3) % 2), 'run', 'session', number + 1,
    'production', concat('customer-', toString(rand64(4) % {entities})), lower(hex(rand64(5))),
    lower(concat(hex(rand64(6)), hex(rand64(7)))),
    map('amount', rand(8) / 1e6, 'age', toFloat64(rand(9) % 90)),
    map('city', concat('c', toString(rand(10) % 100))), rand(11) / 4294967295
FROM numbers({first}, {count})
"""
_SAMPLE = """
SELECT toString(event_id), entity_id, request_id, trace_id FROM predictions
WHERE hour = toStartOfHour(toDateTime({at:UInt32}, 'UTC')) LIMIT 1
"""


def fill(connection: Connection, rows: int) -> None:
    """Land rows, from where an earlier run stopped."""
    first = int(connection.rows("SELECT count() FROM predictions")[0][0])
    for begin in range(first, rows, CHUNK_ROWS):
        query = _INSERT.format(
            begin=BEGIN_S,
            span_ms=DAYS * 86_400_000,
            rows=rows,
            entities=max(1, rows // ROWS_AN_ENTITY),
            event_id=_EVENT_ID,
            first=begin,
            count=min(CHUNK_ROWS, rows - begin),
        )
        connection.command(query, settings={"max_threads": 2, "max_insert_threads": 1})
        print(f"{min(begin + CHUNK_ROWS, rows):,} rows", flush=True)


def sample(connection: Connection, questions: int) -> Sequence[tuple[str, str, str, str]]:
    """Return what to ask for: of rows of random hours."""
    chance = Random(0)
    found: list[tuple[str, str, str, str]] = []
    while len(found) < questions:
        at = BEGIN_S + int(chance.random() * DAYS * 86_400)
        found += connection.rows(_SAMPLE, {"at": at})
    return found


def measure(
    ask: Callable[[str], object], asked: Sequence[tuple[str, str, str, str]], place: int
) -> Sequence[float]:
    """Return how long each question takes, seconds."""
    times = []
    for row in asked:
        began_s = time.perf_counter()
        ask(row[place])
        times.append(time.perf_counter() - began_s)
    return times


def _by_event(connection: Connection, event_id: str) -> None:
    read_lineage(connection, trace(connection, event_id)["prediction"])


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    url = f"chdb://{CACHE / 'trace' / str(options.rows)}"
    with open_store(url) as store, closing(store.connect()) as connection:
        migrate(connection)
        fill(connection, options.rows)
        asked = sample(connection, options.questions)

        times = {
            "by event, with its run, stage and outcomes": measure(partial(_by_event, connection), asked, 0)
        }
        for place, key in enumerate((ENTITY, REQUEST, TRACE), 1):
            times[f"by {key}"] = measure(partial(find_predictions, connection, key), asked, place)
        ((parts, size),) = connection.rows(
            "SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE table = 'predictions' AND active"
        )
    found = {
        name: {
            "p50_ms": statistics.median(each) * 1000,
            "p99_ms": statistics.quantiles(each, n=100)[98] * 1000,
        }
        for name, each in times.items()
    }
    print(f"{options.rows:,} rows in {parts} parts, {size / options.rows:.0f} bytes a row")
    for name, figures in found.items():
        print(f"{name:<45} p50 {figures['p50_ms']:6.1f} ms   p99 {figures['p99_ms']:6.1f} ms")
    if options.json:
        options.json.write_text(json.dumps({"rows": options.rows, "parts": parts, "found": found}, indent=2))


if __name__ == "__main__":
    main()
