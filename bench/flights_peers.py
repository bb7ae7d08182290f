"""Other monitors on the real flights of New York, 2013: on how many days each alarms, with nothing injected.

Run: python -m bench.flights_peers [--days 337] [--output .cache/bench/flights_peers.json] [--table]

Each day is judged against the four weeks before it, with each tool's own defaults. Every batch of days is
written as it comes, evenly spread over the year, and a later run goes on there.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.flights_drift import CATEGORICAL, NUMERIC, days_of, load_flights
from bench.peers import PEERS, PeerError, ask, daily
from bench.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

REFERENCE_DAYS = 28
BATCH_DAYS = 8
DAILY_PEERS = (
    replace(PEERS[0], label="evidently, 1,000 rows of these weeks", reference_rows=1_000),
    replace(PEERS[1], label="evidently, all rows of these weeks", reference_rows=0),
    replace(PEERS[2], label="nannyml, univariate, daily chunks"),
    replace(PEERS[3], label="alibi-detect, TabularDrift", reference_rows=0),
)
Results = dict[str, dict[str, Any]]
"""By peer: `version` and `days`, by day of the year its verdict; or `error`."""


def batches(days: list[int]) -> Iterator[list[int]]:
    """Cut days into batches that each spread over all of them."""
    count = -(-len(days) // BATCH_DAYS)
    # Batches that follow each other lie far apart, too: a run that is cut short has something of each month.
    for first in np.argsort([int(f"{i:016b}"[::-1], 2) for i in range(count)]).tolist():
        yield days[first::count]


def ask_all(days: list[int], path: Path) -> Results:
    """Ask every peer about the days that the file lacks; write every batch of answers as it comes."""
    frame = load_flights()
    day = days_of(frame["event_hour"].to_numpy())
    columns = {name: frame[name].to_numpy(dtype=float) for name in NUMERIC}
    columns |= {name: frame[name].to_numpy(dtype=str) for name in CATEGORICAL}
    results: Results = json.loads(path.read_text()) if path.exists() else {}
    for batch in batches(days):
        for peer in DAILY_PEERS:
            known = results.setdefault(peer.label, {"days": {}})
            asked = [one for one in batch if str(one) not in known["days"]]
            if not asked or "error" in known:
                continue
            question = daily(columns, day, asked, weeks=REFERENCE_DAYS // 7, sample=peer.reference_rows)
            try:
                answered = ask(peer, question)
            except PeerError as error:
                known["error"] = str(error)
            else:
                known["version"] = answered["version"]
                known["days"] |= dict(zip(map(str, asked), answered["answers"], strict=True))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(results))
            print(f"{peer.label}: {len(known['days'])} days", file=sys.stderr, flush=True)
    return results


def rows_of(results: Mapping[str, Mapping[str, Any]], paging: Iterable[int] = ()) -> list[list[str]]:
    """Return a row per monitor: on how many days it alarms for any column, and for the data set.

    Args:
        results: of the peers.
        paging: days of the year on which driftline has a page; it is counted on the same days.
    """
    pages, rows = set(paging), []
    for label, known in results.items():
        days = known["days"]
        if "error" in known:
            rows.append([label, known["error"], "", ""])
            continue
        flagged = sum(answer["flagged"] > 0 for answer in days.values())
        whole = [answer["dataset"] for answer in days.values() if answer["dataset"] is not None]
        rows.append(
            [
                f"{label} ({known['version']})",
                f"{flagged} of {len(days)}",
                f"{sum(whole)} of {len(whole)}" if whole else "",
                f"{len(pages & {int(one) for one in days})} of {len(days)}",
            ]
        )
    return rows


def main() -> None:
    """Ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=337, help="evenly spread over the year")
    parser.add_argument("--output", type=Path, default=Path(".cache/bench/flights_peers.json"))
    parser.add_argument("--year", type=Path, default=Path(".cache/bench/flights.json"))
    parser.add_argument("--table", action="store_true", help="ask nobody, print what the file holds")
    options = parser.parse_args()
    last = int(days_of(load_flights()["event_hour"].to_numpy()[-1:])[0])
    days = np.unique(np.linspace(REFERENCE_DAYS, last, options.days).round().astype(int)).tolist()
    results = json.loads(options.output.read_text()) if options.table else ask_all(days, options.output)
    paging = json.loads(options.year.read_text())["paging_days"] if options.year.exists() else ()
    print_table(
        ["monitor, its defaults", "days on which any column alarms", "the data set", "driftline incidents"],
        rows_of(results, paging),
    )


if __name__ == "__main__":
    main()
