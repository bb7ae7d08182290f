"""How soon a running service sees that another version is in production.

``python -m bench.rollback`` (a minute) has a process serve ``model@production`` with a `ModelWatch`,
beside a log on this host, moves production ten times between three versions, back and forth, and prints how
long after the decision the service was called back.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage, roll_back
from driftline.registry.events import Kind, Stage

if TYPE_CHECKING:
    from driftline.registry.events import RegistryEvent
    from driftline.registry.state import ModelState

MODEL: Final = "fare"
AUTHOR: Final = Author("bench")
SERVICE: Final = """
import sys, threading, time
from driftline import ModelWatch, resolve_model

url, reference = sys.argv[1:]
known = resolve_model(reference, log=url)
def moved(before, now):
    print(now.model_version, time.time(), flush=True)
with ModelWatch(reference, moved, log=url, known=known):
    print(known.model_version, time.time(), flush=True)
    sys.stdin.read()
"""


def decision(state: ModelState, number: int) -> RegistryEvent:
    """Return the next decision: by turns the newest version is promoted, and rolled back."""
    if number % 2:
        return roll_back(state, author=AUTHOR, reason="it is worse")
    version = "3" if state.in_production() == "2" else "2"
    return give_stage(state, version, Stage.PRODUCTION, author=AUTHOR, reason="it is better")


def measure(url: str, moves: int) -> list[float]:
    """Return how long after each decision the service was called back, seconds."""
    with open_log(url) as log, closing(Registry(log)) as registry:
        for version in "123":
            names = {"model_version": version, "training_run_id": f"run-{version}"}
            registry.submit(AUTHOR.event(MODEL, Kind.VERSION, **names))
        for version in "12":
            state = registry.model(MODEL)
            registry.submit(give_stage(state, version, Stage.PRODUCTION, author=AUTHOR, reason="first"))
        command = [sys.executable, "-c", SERVICE, url, f"{MODEL}@production"]
        delays = []
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as service:
            assert service.stdin is not None
            assert service.stdout is not None
            service.stdout.readline()
            for number in range(moves):
                time.sleep(0.7 * number % 3)  # A watch looks every three seconds: at all places between.
                state = registry.submit(decision(registry.model(MODEL), number))
                decided_s = state.moves[-1].event.event_time.timestamp()
                seen, at_s = service.stdout.readline().split()
                if seen != state.in_production():
                    raise SystemExit(f"the service saw {seen}, and {state.in_production()} is in production")
                delays.append(float(at_s) - decided_s)
            service.stdin.close()
        return delays


def main() -> None:
    """Print the delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        delays = measure((Path(folder) / "log").as_uri(), asked.moves)
    print(f"{len(delays)} moves: p50 {statistics.median(delays):.2f} s, max {max(delays):.2f} s")


if __name__ == "__main__":
    main()
