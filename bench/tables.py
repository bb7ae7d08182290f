"""Results as markdown."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TRAFFIC = {
    "iid": "independent rows",
    "season": "season",
    "noise": "season and window noise",
    "uneven": "season and uneven noise",
    "brief": "season and brief noise",
    "shocks": "heavy-tailed shocks",
    "wander": "slow wander",
}
_HELD = ("without the controller", "with it")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a markdown table."""
    print(f"| {' | '.join(header)} |")
    print(f"|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


def at_most(pages: int, hours: int) -> float:
    """Return the upper end of the 95 % interval of pages per 1000 hours, if they come one by one."""
    return float(1000 * chi2.ppf(0.95, 2 * pages + 2) / 2 / hours)


def print_simulation(streams: Mapping[str, Mapping[str, Any]]) -> None:
    """Print false pages, delays and hard regimes of a simulation's streams, by ``kind/rows/stream``."""
    cells: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for key, result in sorted(streams.items()):
        kind, rows, _ = key.split("/")
        cells[kind, int(rows)].append(result)
    calm = {cell: results for cell, results in cells.items() if "held" not in results[0]}
    hard = {cell: results for cell, results in cells.items() if "held" in results[0]}
    if calm:
        _print_false_pages(calm)
        _print_delays(calm)
    if hard:
        _print_hard(hard)


def _sizes(cells: Iterable[tuple[str, int]]) -> list[int]:
    return sorted({rows for _, rows in cells})


def _kinds(cells: Iterable[tuple[str, int]]) -> list[str]:
    held = {kind for kind, _ in cells}
    return [kind for kind in TRAFFIC if kind in held]


def _print_false_pages(cells: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]) -> None:
    print(
        "Pages per 1000 hours without faults (95 % upper bound; hours with a page per 1000; hours judged)\n"
    )
    rows = []
    for kind in _kinds(cells):
        row = [TRAFFIC[kind]]
        for size in _sizes(cells):
            results = cells.get((kind, size), ())
            pages = sum(len(result["starts"]) for result in results)
            hours = sum(result["hours"] for result in results)
            paging = sum(result["paging_hours"] for result in results)
            rate = f"{1000 * pages / hours:.2f} (< {at_most(pages, hours):.2f}" if hours else ""
            row.append(f"{rate}; {1000 * paging / hours:.1f}; {hours:,})" if hours else "–")
        rows.append(row)
    print_table(["traffic", *(f"{size:,} rows an hour" for size in _sizes(cells))], rows)
    times = [result["judge_ms"] for results in cells.values() for result in results]
    print(f"Judging an hour takes {np.median(times):.1f} ms of one core (median of streams).\n")


def _print_delays(cells: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]) -> None:
    names = list(next(iter(cells.values()))[0]["delays"])
    print("Hours until the page: median / 90th percentile (faults injected)\n")
    rows = []
    for name in names:
        for kind in _kinds(cells):
            row = [name, TRAFFIC[kind]]
            for size in _sizes(cells):
                delays = [result["delays"][name] for result in cells.get((kind, size), ())]
                row.append(
                    f"{quantile(delays, 0.5)} / {quantile(delays, 0.9)} ({len(delays)})" if delays else "–"
                )
            rows.append(row)
    print_table(["fault", "traffic", *(f"{size:,} rows" for size in _sizes(cells))], rows)


def quantile(delays: Sequence[int | None], share: float) -> str:
    """Return a quantile of delays, some of which may be never."""
    found = sorted(np.inf if delay is None else delay for delay in delays)
    value = found[min(int(np.ceil(share * len(found))), len(found)) - 1]
    return "never" if np.isinf(value) else f"{value:.0f}"


def _print_hard(cells: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]) -> None:
    thousands = max(result["hours"] for results in cells.values() for result in results) // 1000 or 1
    print("Hard regimes: pages per 1000 hours, thousand by thousand\n")
    rows = []
    for (kind, size), results in cells.items():
        for label, starts in zip(
            _HELD,
            ([r["starts"] for r in results], [r["held"]["starts"] for r in results]),
            strict=True,
        ):
            row = [f"{TRAFFIC[kind]}, {size:,} rows, {len(results)} streams", label]
            for thousand in range(thousands):
                hours = sum(min(max(r["hours"] - 1000 * thousand, 0), 1000) for r in results)
                pages = sum(start // 1000 == thousand for each in starts for start in each)
                row.append(f"{1000 * pages / hours:.1f}" if hours else "–")
            rows.append(row)
    print_table(["regime", "", *(f"{i + 1}." for i in range(thousands))], rows)
