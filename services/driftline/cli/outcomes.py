"""Outcomes from files: what became of predictions, as a warehouse or a spreadsheet has it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from driftline.cli.options import clean_errors, json_option, log_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.times import parse_age
from driftline.embedded import open_store
from driftline.log import open_log
from driftline.performance.files import read_rows
from driftline.performance.importing import COLUMNS, Importer
from driftline.wire import OUTCOMES_TOPIC

_SHOWN = 20


@click.group("outcomes")
def outcomes_group() -> None:
    """What became of predictions: the ground truth, from files."""


@outcomes_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", "model_name", required=True, help="Whose predictions these are outcomes of.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help=f"What the file calls one of {', '.join(COLUMNS)}; may be repeated.",
)
@click.option(
    "--within",
    default="24h",
    show_default=True,
    help="By entity and time: the newest prediction counts that was made up to so long before the time.",
)
@click.option("--labels", is_flag=True, help="Actuals are labels, also where they look like numbers.")
@log_option
@store_option
@json_option
@clean_errors
def import_command(
    file: Path,
    model_name: str,
    columns: tuple[str, ...],
    within: str,
    labels: bool,
    log_url: str,
    store_url: str,
    as_json: bool,
) -> None:
    """Import outcomes from a CSV or Parquet file: by event_id, or by entity_id and time.

    Each row has an actual, or acted_on, and may have an observed_time (default: now) and a revision. Rows
    that can't be imported are named and cost no other; then the exit status is 1. They land like all
    outcomes. Importing a file again changes nothing.
    """
    names = dict(_pair(text) for text in columns)
    rows = read_rows(file, names)
    with (
        open_log(log_url) as log,
        open_store(store_url, use="read") as store,
        store.connect() as connection,
    ):
        log.ensure_topics([OUTCOMES_TOPIC])
        importer = Importer(
            model_name=model_name,
            writer=log.writer(),
            connection=connection,
            within=parse_age(within),
            labels=labels,
            clock=time.time,
        )
        done = importer.run(rows)
    if as_json:
        bad = [each._asdict() for each in done.bad]
        echo_json({"rows": done.rows, "outcomes": done.outcomes, "bad": bad})
    else:
        for each in done.bad[:_SHOWN]:
            echo(f"row {each.row}: {each.reason}", err=True)
        if len(done.bad) > _SHOWN:
            echo(f"and {len(done.bad) - _SHOWN} more; --json lists them all", err=True)
        echo(f"{done.rows} rows, {done.outcomes} outcomes logged, {len(done.bad)} rows not imported")
    if done.bad:
        raise click.exceptions.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, sign, column = text.partition("=")
    if name not in COLUMNS or not sign or not column:
        raise click.BadParameter(f"{text!r} is not NAME=COLUMN with one of {', '.join(COLUMNS)}")
    return name, column
