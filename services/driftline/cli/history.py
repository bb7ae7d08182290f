"""``driftline models history``: what was declared, and what in fact answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.models import decisions, environment_option
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import TIME_HELP, parse_time
from driftline.registry.client import known_model
from driftline.registry.history import declared_periods, was_declared
from driftline.store.answered import read_answered
from driftline.store.registry import read_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.registry.history import Declared
    from driftline.registry.state import ModelState
    from driftline.store.answered import Answered
    from driftline.store.connection import Connection

_WINDOW = timedelta(hours=1)


@click.command()
@click.argument("model_name", metavar="MODEL")
@click.option("--at", help=f"At this moment {TIME_HELP}: what answered is taken from the hour before it.")
@click.option("--since", default="7d", show_default=True, help=f"From this time {TIME_HELP}.")
@click.option("--until", help="To this time; default: now.")
@environment_option
@store_option
@json_option
@clean_errors
def history(
    model_name: str,
    at: str | None,
    since: str,
    until: str | None,
    environment: str,
    store_url: str,
    as_json: bool,
) -> None:
    """Show which version was declared to be in production, and which in fact answered, side by side."""
    moment = parse_time(at) if at else None
    end = moment or (parse_time(until) if until else datetime.now(UTC))
    start = moment - _WINDOW if moment else parse_time(since)
    if start >= end:
        raise click.UsageError(f"the period from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is none")
    ask = partial(
        _read, model_name=model_name, since=start, until=end, environment=environment, by_hour=moment is None
    )
    state, answered = ask_store(store_url, ask)
    if moment is not None:
        declared = declared_periods(state, moment, moment + timedelta(microseconds=1), environment)
    else:
        declared = declared_periods(state, start, end, environment)
    rows = [_answered_row(each, state, environment) for each in answered]
    if as_json:
        found = {"declared": [_declared_row(each) for each in declared], "answered": rows}
        names = {"model_name": model_name, "environment": environment, "since": start, "until": end}
        echo_json({**names, **found, "decisions": decisions(state)})
        return
    echo(f"declared to be in production in {environment}", bold=True)
    for each in declared:
        when = f"at {moment:%Y-%m-%d %H:%M:%S}" if moment else f"{_short(each.since)} to {_short(each.until)}"
        echo(f"  {when}  {each.version or 'nothing'}  {each.decided or ''}".rstrip())
    echo("answered", bold=True)
    if rows:
        columns = "version first last events declared"
        echo_table(_joined(rows), columns.split())
    else:
        echo("  nothing: no prediction of that time has landed")


def _read(
    connection: Connection, *, model_name: str, environment: str, **period: Any
) -> tuple[ModelState, Sequence[Answered]]:
    state = known_model(read_registry(connection), model_name)
    return state, read_answered(connection, model_name, environment=environment, **period)


def _declared_row(each: Declared) -> dict[str, Any]:
    event = each.decided.event if each.decided else None
    return {
        "version": each.version or None,
        "since": each.since,
        "until": each.until,
        "decided_at": event.event_time if event else None,
        "by": event.written_by if event else None,
        "why": event.reason if event else None,
    }


def _answered_row(each: Answered, state: ModelState, environment: str) -> dict[str, Any]:
    """Return what answered, and whether that version was declared at any moment while it did."""
    return {
        "version": each.version,
        "hour": each.hour,
        "events": each.events,
        "first": each.first,
        "last": each.last,
        "declared": was_declared(state, each.version, each.first, each.last, environment),
        "registered": each.version in state.versions,
    }


def _joined(rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return rows of hours that follow each other, of one version, as one."""
    found: list[dict[str, Any]] = []
    open_rows: dict[str, dict[str, Any]] = {}
    for row in rows:
        earlier = open_rows.get(row["version"])
        if earlier and earlier["declared"] == row["declared"] and row["hour"] - earlier["hour"] <= _WINDOW:
            earlier.update(hour=row["hour"], last=row["last"], events=earlier["events"] + row["events"])
        else:
            open_rows[row["version"]] = dict(row)
            found.append(open_rows[row["version"]])
    return found


def _short(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
