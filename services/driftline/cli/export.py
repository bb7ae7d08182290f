"""``driftline audit export`` and ``verify-export``: predictions as files that prove what they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.audit.export import MANIFEST, export, verify_export
from driftline.cli.access import log_access
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_time, since_option
from driftline.registry.decisions import somebody
from driftline.store.exporting import Selection

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.audit.export import Exported
    from driftline.store.connection import Connection


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", "model_name", help="Of this model.")
@click.option("--version", "model_version", help="Of this version.")
@click.option("--run", "training_run_id", help="Of this training run.")
@click.option("--entity", "entity_id", help="Of this entity.")
@click.option("--environment", help="Of this environment; default: of all.")
@since_option("Of events since")
@click.option("--until", help="Before this time.")
@store_option
@json_option
@clean_errors
def export_command(
    folder: Path,
    model_name: str | None,
    model_version: str | None,
    training_run_id: str | None,
    entity_id: str | None,
    environment: str | None,
    since: datetime | None,
    until: str | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Export predictions as Parquet into FOLDER, with a manifest that says whether that is all of them."""
    selection = Selection(
        model_name=model_name,
        model_version=model_version,
        training_run_id=training_run_id,
        entity_id=entity_id,
        environment=environment,
        since=since,
        until=parse_time(until) if until else None,
    )
    if selection == Selection(environment=environment):
        raise click.UsageError("name at least one of --model, --run, --entity, --since and --until")
    if model_version is not None and model_name is None:
        raise click.UsageError("--version needs --model beside it")
    exported = ask_store(store_url, partial(_export, selection=selection, folder=folder), use="write")
    manifest = exported.manifest
    if as_json:
        echo_json(dict(manifest))
        return
    echo(f"{manifest['rows']} predictions in {len(manifest['files'])} files, {exported.path}")
    if manifest["completeness"]["complete"]:
        echo("by the ledger that is all that there was: what is not in here was not predicted")
    for doubt in manifest["completeness"]["doubts"]:
        echo(f"not all: {doubt}")


def _export(connection: Connection, *, selection: Selection, folder: Path) -> Exported:
    made = export(connection, selection, folder, author=somebody())
    asked = ", ".join(f"{name} {value}" for name, value in made.manifest["selection"].items())
    model_name = selection.model_name or ""
    log_access(connection, "export", asked, model_name=model_name, rows=made.manifest["rows"])
    return made


@click.command("verify-export")
@click.argument("path", metavar="MANIFEST", type=click.Path(path_type=Path, exists=True))
@clean_errors
def verify_export_command(path: Path) -> None:
    """Verify that an export is as its manifest says. Asks no store."""
    manifest = path / MANIFEST if path.is_dir() else path
    problems = verify_export(manifest)
    for problem in problems:
        echo(problem)
    if problems:
        raise click.exceptions.Exit(1)
    echo(f"{manifest}: as it was exported")
