"""How long a caller waits for the logger, and how much the logger and the local log carry.

Run: python bench/log_latency.py [--features 15] [--calls 200000] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random

from driftline import PredictionLogger
from driftline.log import Record, open_log

IDENTITY = {"model_name": "bench", "model_version": "1", "training_run_id": "run"}
PACED_CALLS_PER_S = 1_000


def a_row(random: Random, feature_count: int) -> dict[str, float | str]:
    """Return features of which a fifth are categories."""
    carriers = ("UA", "DL", "AA", "B6", "WN")
    return {
        f"feature_{i:02}": random.choice(carriers) if i % 5 == 4 else random.gauss(0, 1)
        for i in range(feature_count)
    }


def percentiles_us(nanoseconds: list[int]) -> dict[str, float]:
    """Return the median, the far tail and the worst, microseconds."""
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: round(ordered[int(share * last)] / 1e3, 1) for name, share in shares.items()}


def time_calls(url: str, feature_count: int, calls: int, pause_s: float) -> dict[str, float]:
    """Return how long single calls of ``log`` take, while the background thread does its work."""
    rows = [a_row(Random(seed), feature_count) for seed in range(1_000)]
    durations: list[int] = []
    with PredictionLogger(**IDENTITY, log=url, queue_bytes=1 << 30) as logger:
        for number in range(calls):
            row = rows[number % len(rows)]
            began = time.perf_counter_ns()
            logger.log(features=row, prediction=0.5, label="late", entity_id="N14228", tags={"origin": "EWR"})
            durations.append(time.perf_counter_ns() - began)
            if pause_s:
                time.sleep(pause_s)
        assert not logger.stats().dropped
    return percentiles_us(durations)


def time_batch(url: str, feature_count: int, rows: int) -> int:
    """Return how many rows per second ``log_batch`` takes and the log gets."""
    table = [a_row(Random(seed), feature_count) for seed in range(rows)]
    columns = {name: [row[name] for row in table] for name in table[0]}
    with PredictionLogger(**IDENTITY, log=url) as logger:
        began = time.perf_counter()
        logger.log_batch(features=columns, predictions=[0.5] * rows)
        assert logger.flush(60)
        return int(rows / (time.perf_counter() - began))


def time_log(url: str, records: int) -> tuple[int, int]:
    """Return how many records of 400 bytes per second the local log takes, and gives."""
    run = [Record("bench", b"k" * 36, os.urandom(400)) for _ in range(1_000)]
    with (
        open_log(url) as log,
        closing(log.writer()) as writer,
        closing(log.reader("bench", ["bench"])) as reader,
    ):
        began = time.perf_counter()
        for _ in range(records // len(run)):
            writer.append(run)
        appended_s = time.perf_counter() - began
        began = time.perf_counter()
        while (batch := reader.fetch("bench")) is not None:
            reader.intend(batch)
            reader.commit(batch)
        return int(records / appended_s), int(records / (time.perf_counter() - began))


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    gc.collect()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paced = options.calls // 20
        found: dict[str, object] = {
            f"log(), {PACED_CALLS_PER_S} calls/s at most, us": time_calls(
                (folder / "paced").as_uri(), options.features, paced, 1 / PACED_CALLS_PER_S
            ),
            "log(), as fast as it goes, us": time_calls(
                (folder / "fast").as_uri(), options.features, options.calls, 0
            ),
            "log_batch(), until in the log, rows/s": time_batch(
                (folder / "batch").as_uri(), options.features, options.calls
            ),
        }
        appended, read = time_log((folder / "log").as_uri(), 200_000)
        found["local log, appended, records/s"] = appended
        found["local log, read, records/s"] = read
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:45} {value}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
