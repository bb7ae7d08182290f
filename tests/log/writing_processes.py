"""What tests run in processes of their own: these functions can be pickled."""

from __future__ import annotations

import sys
from contextlib import closing

from driftline.log import Record, open_log


def append_runs(url: str, name: str, runs: int, run_length: int) -> None:
    """Append runs of records that say whose they are, which run and which place in it."""
    with open_log(url) as log, closing(log.writer()) as writer:
        for run in range(runs):
            values = (f"{name}/{run}/{place}".encode() for place in range(run_length))
            writer.append([Record("t", name.encode(), value) for value in values])


def append_until_killed(url: str) -> None:
    """Append runs of 10, telling each run's number once it is appended, until someone kills the process."""
    with open_log(url) as log, closing(log.writer()) as writer:
        run = 0
        while True:
            writer.append([Record("t", b"", f"{run}/{place}".encode()) for place in range(10)])
            sys.stdout.write(f"{run}\n")
            sys.stdout.flush()
            run += 1


if __name__ == "__main__":
    append_until_killed(sys.argv[1])
