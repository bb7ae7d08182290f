"""What a thousand models cost while one of them is served: processor time, and how long a stop takes.

Run: python bench/many_models.py [--models 1000] [--hours 30] [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from driftline import PredictionLogger
from driftline.embedded import open_store
from driftline.store import ready_connection
from driftline.up import Up

_LITTLE = 0.4
"""Of a core."""

_ROWS = """
INSERT INTO prediction_inbox (event_id, event_time, model_name, model_version, training_run_id, session_id,
    sequence, environment, numeric_features, prediction_number)
SELECT
    generateUUIDv4(), toStartOfHour(now('UTC')) - INTERVAL intDiv(number, {per:UInt32}) + 1 HOUR
        + INTERVAL 60 * (number % {per:UInt32}) SECOND,
    concat('model-', toString(m)), '1', 'run', concat('session-', toString(m)), number + 1, 'production',
    map('amount', randNormal(100, 10, number * 10000 + m)), rand(number * 10000 + m) / 4294967295
FROM numbers({hours:UInt32} * {per:UInt32}) AS n
CROSS JOIN (SELECT number AS m FROM numbers({models:UInt32})) AS k
SETTINGS max_insert_threads = 1
"""


def fill(store_url: str, models: int, hours: int) -> None:
    """Put traffic of many models into a store, ten predictions an hour each."""
    with open_store(store_url) as store:
        client = ready_connection(store)
        client.command(_ROWS, parameters={"models": models, "hours": hours, "per": 10})
        client.close()


def measure(folder: Path, models: int, hours: int, seconds: float) -> dict[str, float]:
    """Return what it costs to watch them, in seconds of one core and of the clock."""
    log, store = f"file://{folder}/log", f"chdb://{folder}/store"
    fill(store, models, hours)
    found: dict[str, float] = {"models": models}
    began_s = time.monotonic()
    with Up(log_url=log, store_url=store) as up:
        found["started_s"] = time.monotonic() - began_s
        settle(up, models)
        found["judged_s"] = time.monotonic() - began_s
        rest()
        found["settled_s"] = time.monotonic() - began_s
        cpu_s, clock_s = time.process_time(), time.monotonic()
        with PredictionLogger(
            model_name="model-7", model_version="1", training_run_id="run", log=log
        ) as logger:
            while time.monotonic() < clock_s + seconds:
                logger.log({"amount": 100.0}, 0.5)
                time.sleep(1.0)
        found["cores"] = (time.process_time() - cpu_s) / (time.monotonic() - clock_s)
        began_s = time.monotonic()
    found["stop_s"] = time.monotonic() - began_s
    return found


def settle(up: Up, models: int) -> None:
    """Wait until verdicts of every model were given, and no more for a while."""
    given, quiet = 0.0, 0
    while quiet < 20 or given < models:
        time.sleep(1.0)
        exposed = up.metrics.expose().decode().splitlines()
        now = sum(float(line.split()[-1]) for line in exposed if line.startswith("driftline_verdicts_total{"))
        given, quiet = now, quiet + 1 if now == given else 0


def rest() -> None:
    """Wait until this takes little for ten seconds: what arrived of each is read after its verdicts."""
    quiet = 0
    while quiet < 10:
        cpu_s = time.process_time()
        time.sleep(1.0)
        quiet = quiet + 1 if time.process_time() - cpu_s < _LITTLE else 0


def main() -> None:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), asked.models, asked.hours, asked.seconds), indent=2))


if __name__ == "__main__":
    main()
