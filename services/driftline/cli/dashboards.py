"""``driftline dashboards``: brings the dashboards to Grafana."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from driftline.cli.options import clean_errors, json_option
from driftline.cli.output import echo
from driftline.cli.settings import GRAFANA_TOKEN as _TOKEN
from driftline.cli.settings import GRAFANA_TOKEN_FILE as _TOKEN_FILE
from driftline.errors import SettingError
from driftline.store.url import has_secret, read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


@click.group("dashboards")
def dashboards_group() -> None:
    """Dashboards for Grafana."""


def _refuse_visible_secret(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Refuse a password in a flag: every user of the host can read it in the process list."""
    source = context.get_parameter_source(parameter.name or "")
    if url and source is ParameterSource.COMMANDLINE and has_secret(url):
        raise click.UsageError(
            f"{parameter.opts[0]} holds a password, which every user of this host can read in the process "
            "list; name a file that holds it in DRIFTLINE_STORE_PASSWORD_FILE"
        )
    return url


@dashboards_group.command("push")
@click.option(
    "--grafana", "grafana_url", envvar="DRIFTLINE_GRAFANA", required=True, help="As http://grafana:3000."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help=f"File with the token of a service account; or {_TOKEN_FILE}, or {_TOKEN}.",
)
@click.option("--folder", default="driftline", show_default=True, help="Folder that they are to stand in.")
@click.option("--pages-url", help="Where driftline's own pages are, for links. Default: this host's.")
@click.option(
    "--prometheus-url", help="Push this Prometheus as a data source, too: its address as Grafana sees it."
)
@click.option(
    "--clickhouse-url",
    callback=_refuse_visible_secret,
    help="Push this store as a data source, too: clickhouse://user@host:8123/driftline as Grafana sees it; "
    "the password from DRIFTLINE_STORE_PASSWORD_FILE.",
)
@click.option("--overwrite", is_flag=True, help="Also dashboards that somebody changed in Grafana.")
@json_option
@clean_errors
def push_command(
    grafana_url: str,
    token_file: Path | None,
    folder: str,
    pages_url: str | None,
    prometheus_url: str | None,
    clickhouse_url: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Create the dashboards in a Grafana, or bring them up to date."""
    # Only here: what they stand on takes its time to import.
    from driftline.grafana.client import Grafana  # noqa: PLC0415  see above
    from driftline.grafana.push import push, read_dashboards  # noqa: PLC0415  see above

    done = []
    grafana = Grafana(grafana_url, _token(token_file, os.environ))
    for pushed in push(
        grafana,
        read_dashboards(pages_url),
        folder=folder,
        sources=_sources(prometheus_url, clickhouse_url, os.environ),
        overwrite=overwrite,
    ):
        done.append(dataclasses.asdict(pushed))
        if not as_json:
            echo(f"{pushed.done:<9} {pushed.kind} {pushed.uid}")
    if as_json:
        echo(json.dumps(done, indent=2), lines=True)


def _token(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the token from a file, or from the environment.

    Raises:
        SettingError: there is none, or the file can't be read.
    """
    given = {**environ, _TOKEN: "", _TOKEN_FILE: str(file)} if file else environ
    token = read_secret(given, _TOKEN, _TOKEN_FILE)
    if not token:
        raise SettingError(
            "no token for Grafana: make a service account there, and name a file with its token in "
            f"{_TOKEN_FILE}"
        )
    return token


def _sources(
    prometheus_url: str | None, clickhouse_url: str | None, environ: Mapping[str, str]
) -> Sequence[Mapping[str, Any]]:
    from driftline.grafana.sources import clickhouse_source, prometheus_source  # noqa: PLC0415  as above

    sources = [prometheus_source(prometheus_url)] if prometheus_url else []
    return [*sources, clickhouse_source(clickhouse_url, environ)] if clickhouse_url else sources
