"""Landing under load: steady events from several clients, with browsers on the pages and idle connections.

Says how long events took from `log()` until a query saw them, what was dropped, and what the pages took. An
event counts as seen when a look at the store, twice a second, finds its session at or beyond it.

Run: python -m bench.load [--rate 10000] [--clients 4] [--seconds 120] [--browsers 50] [--idle 1000]
"""

from __future__ import annotations

import argparse
import json
import random
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from driftline import PredictionLogger
from driftline.up import Up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

MODEL = "bench"
_LOOK_S = 0.5
_REOPEN_S = 5.0
_TICK_S = 0.02
_SETTLE_S = 60.0
_SEEN = """
SELECT session_id, max(sequence) FROM predictions
WHERE landed_at > now64(3) - INTERVAL 30 SECOND GROUP BY session_id
"""


def log_steadily(log_url: str, rate: float, seconds: float) -> None:
    """Log events of 15 features at a rate; print its session, counts, and when it logged which."""
    chance = random.Random(rate)
    rows = [
        {f"feature_{i:02}": chance.gauss(10 * i, 3) for i in range(10)}
        | {f"category_{i}": f"v{chance.randrange(20)}" for i in range(5)}
        for _ in range(1_000)
    ]
    logger = PredictionLogger(model_name=MODEL, model_version="1", training_run_id="run", log=log_url)
    marks: list[tuple[float, int]] = []
    number, began_s = 0, time.time()
    while (passed_s := time.time() - began_s) < seconds:
        due = int(passed_s * rate)
        for place in range(number, due):
            logger.log(rows[place % len(rows)], prediction=0.5, tags={"region": f"r{place % 5}"})
        number = due
        marks.append((time.time(), logger.stats().accepted))
        time.sleep(_TICK_S)
    logger.close(timeout=_SETTLE_S)
    stats = logger.stats()
    counts = {
        "accepted": stats.accepted,
        "dropped": sum(stats.dropped.values()),
        "cpu_s": time.process_time(),
    }
    print(json.dumps({"session": logger.session_id, "marks": marks, **counts}))


def hold(url: str, count: int, stop: threading.Event) -> None:
    """Hold so many connections that send nothing, and open those anew that are ended."""
    port = int(url.rpartition(":")[2])
    with selectors.DefaultSelector() as chosen:
        while True:
            for key, _ in chosen.select(0):
                chosen.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]  # these are sockets
            for _ in range(count - len(chosen.get_map())):
                try:
                    chosen.register(socket.create_connection(("127.0.0.1", port), 5), selectors.EVENT_READ)
                except OSError:
                    break
            if stop.wait(_REOPEN_S):
                return


def look_often(client: Client, seen: list[tuple[float, Mapping[str, int]]], stop: threading.Event) -> None:
    """Note again and again up to which number each session is to be seen in the store."""
    while not stop.wait(_LOOK_S):
        rows = client.rows(_SEEN)
        seen.append((time.time(), {session: int(newest) for session, newest in rows}))


def delays(
    marks: Sequence[tuple[float, int]], session: str, seen: Sequence[tuple[float, Mapping[str, int]]]
) -> list[float]:
    """Return how long the events between two marks took to be seen, once for each of them, in seconds."""
    found: list[float] = []
    looks = iter(seen)
    when_s, newest = 0.0, 0
    before = 0
    for logged_s, accepted in marks:
        while newest < accepted:
            look = next(looks, None)
            if look is None:
                return found
            when_s, newest = look[0], max(newest, look[1].get(session, 0))
        found += [max(when_s - logged_s, 0.0)] * (accepted - before)
        before = accepted
    return found


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else float("nan")


def _start(*arguments: object) -> subprocess.Popen[str]:
    line = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measure(options: argparse.Namespace, folder: str) -> dict[str, float]:
    """Run all of it; return its figures."""
    log_url = (Path(folder) / "log").as_uri()
    began_cpu_s = time.process_time()
    with Up(log_url=log_url, store_url=f"chdb://{folder}/store") as up, closing(up.store.connect()) as client:
        stop, seen = threading.Event(), list[tuple[float, "Mapping[str, int]"]]()
        threads = [
            threading.Thread(target=look_often, args=(client, seen, stop)),
            threading.Thread(target=hold, args=(up.url, options.idle, stop)),
        ]
        browsing = _start("-m", "bench.pages", "--browse", up.url, "--browsers", options.browsers)
        logging = [
            _start(
                *("-m", "bench.load", "--log", log_url, "--rate", options.rate / options.clients),
                *("--seconds", options.seconds),
            )
            for _ in range(options.clients)
        ]
        for thread in threads:
            thread.start()
        reports = [json.loads(process.communicate()[0]) for process in logging]
        accepted = sum(each["accepted"] for each in reports)
        deadline = time.monotonic() + _SETTLE_S
        while (landed := count_landed(up)) < accepted and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        time.sleep(2 * _LOOK_S)
        stop.set()
        took = json.loads(browsing.communicate()[0])
        for thread in threads:
            thread.join()
    late = [delay for each in reports for delay in delays(each["marks"], each["session"], seen)]
    return {
        "events_s": accepted / options.seconds,
        "accepted": accepted,
        "dropped": sum(each["dropped"] for each in reports),
        "landed": landed,
        "seen_p50_s": _share(late, 0.5),
        "seen_p99_s": _share(late, 0.99),
        "seen_worst_s": max(late, default=float("nan")),
        "pages": len(took),
        "page_p50_s": _share(took, 0.5),
        "page_p99_s": _share(took, 0.99),
        "up_cpu_s": time.process_time() - began_cpu_s,
        "clients_cpu_s": sum(each["cpu_s"] for each in reports),
    }


def count_landed(up: Up) -> int:
    """Return how many of the events are in the store."""
    with closing(up.store.connect()) as client:
        return int(client.rows("SELECT count() FROM predictions")[0][0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--idle", type=int, default=1_000)
    parser.add_argument("--log", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.log:
        log_steadily(options.log, options.rate, options.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, value in measure(options, folder).items():
            print(f"{name:14}{value:12,.2f}", flush=True)


if __name__ == "__main__":
    main()
