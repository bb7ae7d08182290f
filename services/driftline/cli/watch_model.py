"""``driftline models watch``: what a reference names, and each time that it moves."""

from __future__ import annotations

import dataclasses
import json
import threading
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.models import environment_option
from driftline.cli.options import clean_errors, interval_option, json_option, log_option
from driftline.cli.output import echo, plain
from driftline.errors import NotFoundError
from driftline.log import open_log
from driftline.sdk.deployed import WATCH_INTERVAL_S, ModelWatch, resolve_model

if TYPE_CHECKING:
    from driftline.sdk.deployed import DeployedModel


@click.command("watch")
@click.argument("reference", metavar="MODEL@NAME")
@click.option(
    "--once", is_flag=True, help="End when it has moved: for a script that then restarts a service."
)
@interval_option(WATCH_INTERVAL_S, "How often to look, seconds.")
@environment_option
@log_option
@json_option
@clean_errors
def watch_model(
    reference: str, once: bool, interval_s: float, environment: str, log_url: str, as_json: bool
) -> None:
    """Print which version MODEL@production, or MODEL@ALIAS, names; and again each time that it moves."""
    has_moved = threading.Event()

    def tell(before: DeployedModel | None, now: DeployedModel | None) -> None:
        _echo(reference, before, now, as_json=as_json)
        if once:
            has_moved.set()

    with open_log(log_url) as log:
        try:
            known = resolve_model(reference, log=log, environment=environment)
            _echo(reference, None, known, as_json=as_json)
        except NotFoundError as error:
            known = None
            echo(f"{error}", err=True)
        with ModelWatch(
            reference, tell, log=log, environment=environment, known=known, interval_s=interval_s
        ):
            has_moved.wait()


def _echo(reference: str, before: DeployedModel | None, now: DeployedModel | None, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = {
            "reference": reference,
            "version": None if now is None else dataclasses.asdict(now),
            "before": None if before is None else before.model_version,
        }
        click.echo(json.dumps(plain(shown)))
        return
    version = "nothing" if now is None else f"version {now.model_version} (run {now.training_run_id})"
    moved = f", before it was {before.model_version}" if before else ""
    echo(f"{reference}: {version}{moved}")
