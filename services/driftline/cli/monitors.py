"""``driftline monitors``: check the files that say what is monitored, before they are used."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.cli.settings import FlagOnly
from driftline.drift import DriftSettings
from driftline.monitors import MonitorsError, read_monitors
from driftline.monitors.explain import as_plain, explain
from driftline.monitors.known import unmatched
from driftline.monitors.schema import json_schema
from driftline.store.inventory import read_known_models
from driftline.store.monitored import follow_monitors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.monitors import ModelMonitor
    from driftline.monitors.known import KnownModel
    from driftline.monitors.problems import Problem


@click.group("monitors")
def monitors_group() -> None:
    """What is monitored, and how: files of monitors."""


@monitors_group.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--model", "names", multiple=True, help="Show what applies to this model; may be repeated.")
@click.option(
    "--store",
    "known_in",
    cls=FlagOnly,
    metavar="URL",
    help="Warn of models, features and segments that this store does not know.",
)
@json_option
@clean_errors
def check(files: tuple[Path, ...], names: tuple[str, ...], known_in: str | None, as_json: bool) -> None:
    """Check files of monitors, and show what would apply to each model.

    Ends with status 1 if anything in them is wrong.
    """
    known = None if known_in is None else ask_store(known_in, read_known_models)
    reports = [_read(file, names, known) for file in files]
    if as_json:
        echo_json([_as_plain(report) for report in reports])
    else:
        for report in reports:
            _echo(report)
    if any(report.problems for report in reports):
        raise click.exceptions.Exit(1)


@monitors_group.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@store_option
@clean_errors
def apply(file: Path, store_url: str) -> None:
    """Have the store count by the segments and rules of a file.

    The lander then counts all rows anew in new segments, and what lands from now on by new rules. How models
    are judged is not in the store: give the file to 'driftline watch' or 'driftline up', which also do this.
    """
    monitors = read_monitors(file, DriftSettings())
    for warning in ask_store(store_url, lambda connection: follow_monitors(connection, monitors), use="make"):
        echo(f"warning: {warning}", err=True)
    echo(f"the store follows {file}")


@monitors_group.command("schema")
def schema() -> None:
    """Print the JSON schema of a file of monitors, which editors check against."""
    echo(json.dumps(json_schema(), ensure_ascii=False, indent=2), lines=True)


@dataclass(frozen=True, slots=True)
class _Report:
    """What is to be reported of one file.

    Args:
        file: its name.
        problems: what is wrong with it.
        warnings: what no model in the store has.
        monitors: what applies, by model or pattern; '' stands for every model that is not named.
    """

    file: str
    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()
    monitors: Mapping[str, ModelMonitor[DriftSettings]] = field(default_factory=dict)


def _read(file: Path, names: Sequence[str], known: Mapping[str, KnownModel] | None) -> _Report:
    try:
        monitors = read_monitors(file, DriftSettings())
    except MonitorsError as error:
        return _Report(str(file), problems=error.problems)
    shown = {name: monitors.of(name) for name in names} or {**monitors.entries, "": monitors.others}
    warnings = () if known is None else tuple(unmatched(monitors, known))
    return _Report(str(file), warnings=warnings, monitors=shown)


def _as_plain(report: _Report) -> Mapping[str, Any]:
    return {
        "file": report.file,
        "ok": not report.problems,
        "problems": [dataclasses.asdict(problem) for problem in report.problems],
        "warnings": report.warnings,
        "models": [{"model": name or None, **as_plain(monitor)} for name, monitor in report.monitors.items()],
    }


def _echo(report: _Report) -> None:
    """Print what applies; what is wrong goes to standard error."""
    for problem in report.problems:
        echo(problem.line_in(report.file), err=True)
    for warning in report.warnings:
        echo(f"{report.file}: warning: {warning}", err=True)
    if report.problems:
        return
    echo(f"{report.file}: nothing is wrong")
    usual = frozenset(_cells(report.monitors[""])) if "" in report.monitors else frozenset()
    for name, monitor in report.monitors.items():
        rows = [row for row in _cells(monitor) if not name or row not in usual]
        if name and usual:
            rows.append(("the rest", "as every other model", ""))
        echo()
        echo(name or ("every other model" if len(report.monitors) > 1 else "every model"), bold=True)
        widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
        for key, shown, where in rows:
            echo(f"  {key:<{widths[0]}}  {shown:<{widths[1]}}  {where}".rstrip())


def _cells(monitor: ModelMonitor[DriftSettings]) -> Sequence[tuple[str, str, str]]:
    return [
        (row.key, row.shown, "default" if row.line is None else f"line {row.line}")
        for row in explain(monitor)
    ]
