"""``driftline events``: what is planned and makes traffic unlike ordinary traffic, and what was deployed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.ack import user_name
from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import TIME_HELP, parse_time
from driftline.domain.calendars import PlannedEvent
from driftline.store.planned import find_planned_event, read_planned_events, write_planned_event
from driftline.store.registry import read_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

_COLUMNS = ("event_id", "kind", "name", "model_name", "since", "until", "given_by")


@click.group("events")
def events_group() -> None:
    """Planned events, such as a sale, whose hours are judged by their like; and what was deployed."""


@events_group.command("add")
@click.argument("name")
@click.option("--from", "since", required=True, help=f"Its begin {TIME_HELP}.")
@click.option("--until", required=True, help=f"Its end {TIME_HELP}.")
@model_option
@click.option("--by", "given_by", help="Who plans it; default: your user name.")
@store_option
@json_option
@clean_errors
def add(
    name: str,
    since: str,
    until: str,
    model_name: str | None,
    given_by: str | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Add an event, of one model or of all. Events of one NAME are judged by each other."""
    by = user_name() if given_by is None else given_by
    try:
        event = PlannedEvent(
            name,
            parse_time(since).replace(microsecond=0),
            parse_time(until).replace(microsecond=0),
            model_name or "",
            by,
        )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    now = datetime.now(UTC)
    event_id = ask_store(
        store_url, lambda connection: write_planned_event(connection, event, given_at=now), use="write"
    )
    _show([_row(event_id, event)], as_json)


@events_group.command("list")
@model_option
@store_option
@json_option
@clean_errors
def list_events(model_name: str | None, store_url: str, as_json: bool) -> None:
    """List planned events, and deployments as the model registry knows them, the earliest first."""

    def question(connection: Connection) -> list[dict[str, Any]]:
        planned = [_row(event_id, each) for event_id, each in read_planned_events(connection).items()]
        deployed = [row for state in read_registry(connection).values() for row in _deployments(state)]
        return sorted([*planned, *deployed], key=lambda row: (row["since"], row["name"]))

    rows = ask_store(store_url, question)
    _show([row for row in rows if model_name is None or row["model_name"] in ("", model_name)], as_json)


@events_group.command("remove")
@click.argument("event_id", metavar="EVENT")
@store_option
@json_option
@clean_errors
def remove(event_id: str, store_url: str, as_json: bool) -> None:
    """Remove a planned event; EVENT is its id, or as much of its beginning as no other one's begins with."""
    now = datetime.now(UTC)

    def question(connection: Connection) -> dict[str, Any]:
        event = find_planned_event(connection, event_id)
        return _row(write_planned_event(connection, event, given_at=now, is_removed=True), event)

    _show([ask_store(store_url, question, use="write")], as_json)


def _row(event_id: str, event: PlannedEvent) -> dict[str, Any]:
    values = {name: getattr(event, name) for name in ("name", "model_name", "since", "until", "given_by")}
    return {"event_id": event_id, "kind": "planned", **values}


def _deployments(state: ModelState) -> Iterator[dict[str, Any]]:
    """Yield what the registry says was deployed: it excuses nothing, so it changes no verdict."""
    for environment in state.environments:
        for move in state.production_moves(environment):
            version = move.production_after
            yield {
                "event_id": move.event.event_id,
                "kind": "deployment",
                "name": f"version {version} serves" if version else "no version serves",
                "model_name": state.model_name,
                "since": move.event.event_time,
                "until": None,
                "given_by": move.event.written_by,
            }


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        echo_json(rows)
    elif rows:
        shown = [{**row, "model_name": row["model_name"] or "(all)"} for row in rows]
        echo_table(shown, list(_COLUMNS))
    else:
        echo("no events")
