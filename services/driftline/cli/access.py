"""``driftline audit accesses``, and how commands log that somebody looked at predictions."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.domain.access import BY_PROCESS, Access
from driftline.errors import StoreError
from driftline.registry.decisions import somebody
from driftline.store.access import read_accesses, write_accesses

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.store.connection import Connection


def log_access(
    connection: Connection, how: str, asked: str, *, model_name: str = "", event_id: str = "", rows: int = 0
) -> None:
    """Log that this process's user looked at predictions. Where that can't be, say so; the look goes on.

    Args:
        connection: that answered.
        how: ``trace`` or ``export``.
        asked: the keys that were asked by.
        model_name: which model was asked for; empty: not by model.
        event_id: which event; empty: not by event.
        rows: predictions that were exported.
    """
    access = Access(
        who=somebody(),
        known_by=BY_PROCESS,
        how=how,
        asked=asked,
        model_name=model_name,
        event_id=event_id,
        rows=rows,
    )
    try:
        write_accesses(connection, [access])
    except StoreError as error:
        reason = str(error).partition("\n")[0]
        echo(f"this look at predictions could not be logged: {reason}", err=True)


@click.command()
@since_option("Of looks since")
@click.option("--who", default="", help="By those whose name holds this.")
@click.option("--model", "model_name", default="", help="At predictions of this model.")
@click.option("--event", "event_id", default="", help="At this prediction.")
@click.option("--limit", default=1000, show_default=True, help="At most so many.")
@store_option
@json_option
@clean_errors
def accesses(
    since: datetime | None,
    who: str,
    model_name: str,
    event_id: str,
    limit: int,
    store_url: str,
    as_json: bool,
) -> None:
    """List who looked at single predictions or exported them, the newest first."""
    chosen = partial(
        read_accesses,
        since=since,
        who=who,
        model_name=model_name,
        event_id=event_id,
        limit=limit,
    )
    found = ask_store(store_url, chosen)
    rows = [dataclasses.asdict(each) for each in found]
    if as_json:
        echo_json(rows)
    elif rows:
        echo_table(rows, ["at", "who", "known_by", "how", "asked", "model_name", "rows"])
    else:
        echo("nobody looked at a prediction")
