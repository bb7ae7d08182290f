"""The demo on a terminal: progress while it runs, a summary at its end."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from driftline.demo.run import MONITORS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from driftline.demo.run import Progress as Situation


class ProgressScreen:
    """Progress bars on standard error, which leave standard output to the summary.

    Args:
        url: where the pages are.
    """

    def __init__(self, url: str) -> None:
        self._console = Console(stderr=True)
        self._console.print(f"Pages: {url}/   Metrics: {url}/metrics   (while this runs)")
        self._bars = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._served = self._bars.add_task("served", total=None, note="starting")
        self._landed = self._bars.add_task("landed", total=None, note="events")
        self._judged = self._bars.add_task("judged", total=None, note="hours")

    def show(self, now: Situation) -> None:
        """Draw how far the demo is."""
        total = now.events or None
        day = f"{datetime.fromisoformat(now.until):%d %b %Y}" if now.until else ""
        self._bars.update(self._served, completed=now.served, total=total, note=f"{now.phase} {day}".strip())
        self._bars.update(self._landed, completed=now.landed, total=total)
        self._bars.update(self._judged, completed=now.judged, total=now.hours or None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


def print_summary(summary: Mapping[str, Any], *, serving: bool) -> None:
    """Print the summary for a person."""
    console = Console(highlight=False)
    console.print()
    console.print("[bold]What arrived[/]")
    console.print(
        f"  {summary['served']:,} predictions served, {summary['landed']:,} landed, "
        f"{summary['missing']:,} missing, {summary['duplicates']:,} duplicates, "
        f"{summary['dropped']:,} dropped, {summary['dead_letters']:,} dead letters"
    )
    console.print(
        f"  {summary['reference_rows']:,} reference rows, {summary['outcomes']:,} outcomes, "
        f"{summary['verdicts']:,} verdicts, {summary['seconds']:.0f} s"
    )
    console.print()
    console.print(_faults(summary))
    console.print()
    hours = summary["hours_before_faults"]
    console.print(f"[bold]Pages in the {hours:,.0f} judged hours before the first fault[/]")
    _print_pages(console, summary["pages_before_faults"])
    console.print(
        f"  {summary['pages_per_1000_hours_before_faults']:.2f} pages per 1000 hours, "
        "the feed's own errors aside; the budget is 1"
    )
    console.print()
    console.print("[bold]Pages afterwards that no fault explains[/]")
    _print_pages(console, summary["pages_after_first_fault_without_fault"])
    console.print()
    if serving:
        console.print(f"Pages    {summary['page']}")
        console.print(f"Metrics  {summary['page']}metrics")
    else:
        console.print("To see its pages and metrics again:")
        console.print(f"  {see_again(summary)}", soft_wrap=True, markup=False)


def see_again(summary: Mapping[str, Any]) -> str:
    """Return the command line that serves the pages of a demo that has ended."""
    arguments = ("up", "--monitors", str(MONITORS), "--log", summary["log"], "--store", summary["store"])
    return f"{summary['command']} {shlex.join(arguments)}"


def _faults(summary: Mapping[str, Any]) -> Table:
    table = Table(
        title="Faults injected into the upstream", title_justify="left", title_style="bold", box=None
    )
    for name in ("fault", "injected (UTC)", "paged (UTC)", "after", "feature", "what moved"):
        table.add_column(name, overflow="fold")
    for fault in summary["faults"]:
        found = fault["paged_at"] is not None
        table.add_row(
            fault["fault"],
            _time(fault["injected_at"]),
            _time(fault["paged_at"]) if found else "[red]not found[/]",
            f"{fault['delay_hours']:.0f} h" if found else "-",
            fault["feature"] or "-",
            fault["channel"] or "-",
        )
    return table


def _print_pages(console: Console, pages: list[dict[str, Any]]) -> None:
    if not pages:
        console.print("  none")
    for page in pages:
        cause = page["found_in_the_data"]
        found = f" - found in the data: {cause}" if cause else ""
        others = len(page["features"]) - 1
        more = f" and {others} more" if others else ""
        console.print(f"  {_time(page['time'])}  {page['feature']}{more}: {page['channel']}{found}")


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %b %H:%M}"
