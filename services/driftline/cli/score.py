"""``driftline score``: many entities at once, by one model or several."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline import PredictionLogger, resolve_model
from driftline.cli.feature_options import definitions_option
from driftline.cli.options import clean_errors, json_option, log_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.domain.streams import PRODUCTION
from driftline.errors import DriftlineError
from driftline.features.files import read_table_file, write_table_file
from driftline.features.loading import load_definitions
from driftline.features.scoring import load_model, read_once, score, service_of, with_scores
from driftline.features.tables import import_arrow

if TYPE_CHECKING:
    from driftline.features.definitions import FeatureService
    from driftline.store.connection import Connection

_FLUSH_S = 60.0


@click.command("score")
@click.argument("models", metavar="MODEL@STAGE...", nargs=-1, required=True)
@click.option(
    "--entities",
    "entities_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Parquet or CSV: keys of entities, and event_time where it is not to be now.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Parquet or CSV: the answers beside the entities."
)
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where the predictions count.")
@definitions_option
@log_option
@store_option
@json_option
@clean_errors
def score_command(
    models: tuple[str, ...],
    entities_file: Path,
    out: Path | None,
    environment: str,
    definitions: Path | None,
    log_url: str,
    store_url: str,
    as_json: bool,
) -> None:
    """Score many entities by the models that serve, and log each prediction; features are read once for all.

    A model is loaded by joblib from the artifact that was registered, if it is still that file.
    """
    entities = read_table_file(entities_file)
    given = list(load_definitions(definitions).services.values()) if definitions else []
    deployed = [resolve_model(each, log=log_url, environment=environment) for each in models]
    trained = [load_model(each) for each in deployed]

    def read(connection: Connection) -> tuple[list[FeatureService], Any]:
        services = [service_of(connection, each.model_name, given) for each in deployed]
        return services, read_once(connection, services, entities, now_s=time.time())

    services, table = ask_store(store_url, read)
    done = []
    with ExitStack() as loggers:
        for model, service, one in zip(deployed, services, trained, strict=True):
            logger = PredictionLogger(
                model_name=model.model_name,
                model_version=model.model_version,
                training_run_id=model.training_run_id,
                log=log_url,
                environment=environment,
            )
            loggers.callback(logger.close, timeout=_FLUSH_S)
            done.append(score(model, service, table, logger, one))
            if not logger.flush(_FLUSH_S):
                raise DriftlineError(f"the log did not take all predictions of {model.model_name} in time")
    if out is not None:
        write_table_file(import_arrow("scoring").table(with_scores(entities, done)), out)
    rows = [
        {
            "model_name": each.model.model_name,
            "model_version": each.model.model_version,
            "service": f"{each.service.name}@{each.service.version}",
            "rows": len(each.scores),
            "logged": sum(event_id is not None for event_id in each.event_ids),
        }
        for each in done
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        echo(
            f"{row['model_name']} {row['model_version']}: {row['rows']} scored, {row['logged']} logged, "
            f"by {row['service']}"
        )
