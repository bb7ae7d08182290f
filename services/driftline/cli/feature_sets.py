"""``driftline features training-set``: rows with the features that could be known at each row's time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.feature_options import definitions_option
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.features.files import read_table_file, write_table_file
from driftline.features.loading import load_definitions
from driftline.features.registering import find_service
from driftline.features.training import get_training_set

if TYPE_CHECKING:
    from driftline.store.connection import Connection


@click.command("training-set")
@click.argument("service")
@click.option(
    "--entities",
    "entities_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Parquet or CSV: keys of entities, the time of each row, and whatever else is to stay.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Parquet or CSV, by its name, to be written.",
)
@click.option(
    "--event-time", default="event_time", show_default=True, help="The column that says as of when."
)
@click.option("--times", is_flag=True, help="Add when the values of each view came true: null where missing.")
@definitions_option
@store_option
@json_option
@clean_errors
def training_set(
    service: str,
    entities_file: Path,
    out: Path,
    event_time: str,
    times: bool,
    definitions: Path | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Write a training set: each row with a service's features as they could be known at its time."""
    entities = read_table_file(entities_file)
    loaded = load_definitions(definitions).service(service) if definitions else None

    def joined(connection: Connection) -> tuple[object, str]:
        chosen = loaded or find_service(connection, service)
        table = get_training_set(connection, chosen, entities, event_time=event_time, times=times)
        return table, chosen.version

    table, version = ask_store(store_url, joined)
    rows = write_table_file(table, out)
    if as_json:
        echo_json({"service": service, "version": version, "rows": rows, "out": str(out)})
    else:
        echo(f"{out}: {rows} rows, {service}@{version}")
