"""What looking at the pages costs landing: `driftline up` lands a backlog, with browsers and without.

With --half-requests, others besides open so many connections at a time and send half a request on each.

Run: python -m bench.pages [--records 200000] [--browsers 50] [--half-requests 0] [--rounds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from bench.landing import an_event
from driftline.log import Record, open_log
from driftline.up import Up
from driftline.wire import PREDICTIONS_TOPIC

_APPENDED = 5_000
_PATHS = ("/", "/models/bench", "/models/bench/features/feature_01", "/models/bench/predictions")


def append(log_url: str, numbers: range) -> None:
    """Append events to a log."""
    chance = random.Random(numbers.start)
    with open_log(log_url) as log:
        writer = log.writer()
        for first in range(numbers.start, numbers.stop, _APPENDED):
            run = range(first, min(first + _APPENDED, numbers.stop))
            writer.append([Record(PREDICTIONS_TOPIC, b"", an_event(number, chance)) for number in run])


def look(url: str, number: int, stop: threading.Event, took_s: list[float]) -> None:
    """Look at one page after the other, each at once when the last one has come."""
    while not stop.is_set():
        number += 1
        address = f"{url}{_PATHS[number % len(_PATHS)]}?days={(1, 7, 30)[number % 3]}"
        begun = time.perf_counter()
        try:
            with urllib.request.urlopen(address, timeout=120) as answer:
                answer.read()
        except OSError:
            stop.wait(1)
        took_s.append(time.perf_counter() - begun)


def annoy(url: str, count: int, stop: threading.Event) -> None:
    """Hold so many connections with half a request on each, and open those anew that are ended."""
    port = int(url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        while not stop.is_set():
            stack.close()
            for _ in range(count):
                with contextlib.suppress(OSError):
                    half = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                    half.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            stop.wait(1)


def browse(url: str, count: int, halves: int) -> None:
    """Look with many browsers until standard input ends; print what each page took, seconds, rising."""
    stop, took_s = threading.Event(), list[float]()
    threads = [threading.Thread(target=annoy, args=(url, halves, stop))] if halves else []
    threads += [threading.Thread(target=look, args=(url, number, stop, took_s)) for number in range(count)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps(sorted(took_s)))


def land(up: Up, log_url: str, numbers: range, browsers: int, halves: int) -> str:
    """Land events while browsers look; say how fast that was."""
    line = [sys.executable, "-m", "bench.pages", "--browse", up.url, "--browsers", str(browsers)]
    line += ["--half-requests", str(halves if browsers else 0)]
    looking = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    reader = up.log.reader("lander", [PREDICTIONS_TOPIC])
    append(log_url, numbers)
    begun, left = time.perf_counter(), reader.lag()[PREDICTIONS_TOPIC]
    while reader.lag()[PREDICTIONS_TOPIC]:
        time.sleep(0.05)
    speed = left / (time.perf_counter() - begun)
    took = json.loads(looking.communicate()[0])
    seen = f"; {len(took)} pages, half of them in {took[len(took) // 2]:.2f} s" if took else ""
    return f"{browsers:3} browsers: {speed:8,.0f} events/s{seen}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--half-requests", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--browse", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.browse:
        browse(options.browse, options.browsers, options.half_requests)
        return
    with tempfile.TemporaryDirectory() as folder:
        log_url = (Path(folder) / "log").as_uri()
        append(log_url, range(20_000))
        with Up(log_url=log_url, store_url=f"chdb://{folder}/store") as up:
            end = 20_000
            for browsers in (0, options.browsers) * options.rounds:
                numbers = range(end, end + options.records)
                print(land(up, log_url, numbers, browsers, options.half_requests), flush=True)
                end = numbers.stop


if __name__ == "__main__":
    main()
