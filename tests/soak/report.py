"""What a soak says at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.soak.run import Outcome


def as_text(outcome: Outcome) -> str:
    """Return the report for people."""
    books, faults, poison, seconds = outcome.books, outcome.faults, outcome.poison, outcome.seconds
    lines = [
        f"{sum(faults.values())} faults in {seconds / 60:.1f} minutes",
        *(f"  {count:>6,}  {kind}" for kind, count in sorted(faults.items(), key=lambda item: -item[1])),
        f"{sum(books.sessions.values())} logging sessions: "
        + ", ".join(f"{count} {how}" for how, count in books.sessions.items()),
        f"{books.accepted:,} predictions accepted ({books.accepted / seconds:,.0f}/s)",
        f"  {books.landed:,} landed, in {books.rows:,} rows; {books.outcomes:,} outcomes",
        f"  {_reasons(books.abandoned)} given up",
        f"  {books.missing:,} missing, {books.doubled:,} doubled",
        f"  {_reasons(books.dropped)} dropped before they had a number",
        f"{sum(poison.values()):,} records of poison, {books.dead_lettered:,} dead letters",
        *(f"  {count:>6,}  {kind}" for kind, count in sorted(poison.items(), key=lambda item: -item[1])),
    ]
    lines.append(f"{sum(outcome.odd.values()):,} odd events: {_reasons(outcome.odd)}")
    lines.append(
        f"{outcome.largest_lag:,.0f} was the largest lag reported; all landed {outcome.caught_up_s:.0f} s "
        "after the clients ended"
    )
    if books.wrong:
        lines += ["THE BOOKS DO NOT BALANCE", *(f"  {problem}" for problem in books.wrong)]
    else:
        lines.append("The books balance: clients, raw table, every rollup, ledger, dead letters.")
    return "\n".join(lines)


def _reasons(counts: Mapping[str, int]) -> str:
    if not counts:
        return "0"
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
