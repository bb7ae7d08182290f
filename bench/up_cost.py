"""What `driftline up` costs at a given traffic: CPU of a core, memory, and how soon an event is found.

Run: python bench/up_cost.py [--rates 0 1 10 100 1000 5000] [--seconds 30] [--json]

Each rate has a log and a store of its own, and a client process that is not counted. CPU is taken while
nobody asks; freshness afterwards, since asking costs as well: from the call of ``log()`` until a query finds
the event. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline import PredictionLogger
from driftline.embedded import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

WARM_UP_S = 8.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FOUND = "SELECT count() FROM predictions WHERE event_id = {event:UUID}"


def an_event(chance: random.Random) -> dict[str, Any]:
    """Return the arguments of ``log`` for an event of 15 features, a third of them categories."""
    numbers = {f"feature_{place:02}": chance.gauss(10 * place, 3) for place in range(10)}
    categories = {f"category_{place}": f"v{chance.randrange(20)}" for place in range(5)}
    tags = {f"tag_{place}": f"v{chance.randrange(10)}" for place in range(3)}
    return {"features": numbers | categories, "prediction": chance.random(), "label": "late", "tags": tags}


def send(log_url: str, rate: float, seconds: float) -> None:
    """Log events at a rate, in step with the clock."""
    chance = random.Random(1)
    events = [an_event(chance) for _ in range(1_000)]
    names = {"model_name": "bench", "model_version": "1", "training_run_id": "run"}
    with closing(PredictionLogger(**names, log=log_url)) as logger:
        began, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            while sent < elapsed * rate:
                logger.log(**events[sent % len(events)])
                sent += 1
            time.sleep(min(0.01, 1 / rate))


def cpu_s(process_id: int) -> float:
    """Return the CPU time that a process has used, all its threads, in seconds."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(process_id: int) -> float:
    """Return how much memory of its own a process holds, MB."""
    return int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 1e6


def freshness_s(log_url: str, store_url: str, seconds: float) -> list[float]:
    """Return for some events how long it took from ``log()`` until a query found them."""
    chance, waits = random.Random(2), []
    names = {"model_name": "bench", "model_version": "1", "training_run_id": "run"}
    with (
        closing(PredictionLogger(**names, log=log_url)) as logger,
        open_store(store_url) as store,
        closing(store.connect()) as client,
    ):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            event_id = logger.log(**an_event(chance))
            while not client.rows(_FOUND, parameters={"event": event_id})[0][0]:
                time.sleep(0.02)
            waits.append(time.monotonic() - began)
            time.sleep(chance.uniform(0, 0.5))
    return waits


def measure(rate: float, seconds: float) -> Mapping[str, float]:
    """Run ``driftline up`` under a traffic; return what it costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log_url, store_url = (folder / "log").as_uri(), f"chdb://{folder / 'store'}"
        where = ["--log", log_url, "--store", store_url]
        up = subprocess.Popen(
            [sys.executable, "-m", "driftline.cli", "up", *where, "--port", "0"], stdout=subprocess.PIPE
        )
        if up.stdout is None or not up.stdout.readline():
            raise SystemExit("driftline up did not come up")
        drain = threading.Thread(target=up.stdout.read, daemon=True)
        drain.start()
        total_s = WARM_UP_S + seconds * 1.5 + 5
        client = (
            subprocess.Popen([sys.executable, __file__, "--send", log_url, str(rate), str(total_s)])
            if rate
            else None
        )
        try:
            time.sleep(WARM_UP_S)
            began, used = time.monotonic(), cpu_s(up.pid)
            time.sleep(seconds)
            percent = 100 * (cpu_s(up.pid) - used) / (time.monotonic() - began)
            memory = memory_mb(up.pid)
            waits = freshness_s(log_url, store_url, seconds / 2)
        finally:
            if client is not None:
                client.kill()
                client.wait()
            up.terminate()
            up.wait()
    return {
        "events_per_s": rate,
        "cpu_percent": round(percent, 1),
        "memory_mb": round(memory),
        "fresh_median_s": round(statistics.median(waits), 2),
        "fresh_p99_s": round(sorted(waits)[int(0.99 * (len(waits) - 1))], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 1, 10, 100, 1_000, 5_000])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--send", nargs=3, metavar=("LOG", "RATE", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        send(options.send[0], float(options.send[1]), float(options.send[2]))
        return
    figures = [measure(rate, options.seconds) for rate in options.rates]
    if options.json:
        print(json.dumps(figures))
        return
    print(" ".join(f"{name:>15}" for name in figures[0]))
    for line in figures:
        print(" ".join(f"{value:>15}" for value in line.values()))


if __name__ == "__main__":
    main()
