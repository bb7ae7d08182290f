"""``make soak``: everything at once, for minutes, while everything fails."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from tests.soak.report import as_text
from tests.soak.run import Plan, soak


def main() -> int:
    """Run a soak and report; the exit status says whether the books balance."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--faults", type=int, help="default: one in 3.5 seconds")
    parser.add_argument("--rate", type=float, default=5_000.0, help="predictions a second")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--landers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="this kind of fault only, such as 'broker killed'")
    parser.add_argument("--lasts", type=float, help="each fault lasts so many seconds")
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    parser.add_argument("--json", type=Path, help="write the report there as well")
    options = parser.parse_args()
    seconds = options.minutes * 60
    plan = Plan(
        seconds=seconds,
        faults=options.faults or round(seconds / 3.5),
        rate=options.rate,
        clients=options.clients,
        landers=options.landers,
        seed=options.seed,
        only=options.only,
        lasts_s=options.lasts,
    )
    with tempfile.TemporaryDirectory(prefix="driftline-soak-", ignore_cleanup_errors=True) as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = soak(folder, plan, tell)
    tell(as_text(outcome))
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(outcome), indent=2) + "\n", encoding="utf-8")
    return 1 if outcome.books.wrong else 0


def tell(text: str) -> None:
    """Print at once: a soak is long."""
    print(text, flush=True)  # noqa: T201  its report


if __name__ == "__main__":
    sys.exit(main())
