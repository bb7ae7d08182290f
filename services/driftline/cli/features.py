"""``driftline features``: what is defined, how fresh it is, training sets, and values online."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.feature_options import definitions_option, online_option
from driftline.cli.feature_sets import training_set
from driftline.cli.feature_tables import consistency, import_feast
from driftline.cli.options import clean_errors, interval_option, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.embedded import open_store
from driftline.features.history import backfill
from driftline.features.listing import list_features, show_feature
from driftline.features.loading import load_definitions
from driftline.features.metrics import FEATURE_METRICS
from driftline.features.online import open_online
from driftline.features.registering import find_view, register
from driftline.features.service import INTERVAL_S, Materializer
from driftline.health import Health, Pulse
from driftline.metrics import Metrics
from driftline.registry.decisions import somebody
from driftline.store.ready import check_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.store.connection import Connection


@click.group("features")
def features_group() -> None:
    """The feature store: what is defined, training sets, values online, and logged beside stored."""


@features_group.command("register")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "author", help="Who registers; default: your user name and host.")
@store_option
@json_option
@clean_errors
def register_command(file: Path, author: str | None, store_url: str, as_json: bool) -> None:
    """Register what a file of Python defines: views and services, each under the hash of its definition."""
    wanted = load_definitions(file).all
    who = author or somebody()
    changed = ask_store(store_url, lambda connection: register(connection, wanted, author=who), use="make")
    if as_json:
        echo_json([{"name": each.name, "version": each.version} for each in changed])
        return
    for each in changed:
        echo(f"{each.name}: version {each.version}")
    echo(f"{len(changed)} registered, {len(wanted) - len(changed)} as they were")


@features_group.command("list")
@store_option
@json_option
@clean_errors
def list_command(store_url: str, as_json: bool) -> None:
    """List views and services: their version, who uses them, and how fresh their values are."""
    found = ask_store(store_url, lambda connection: list_features(connection, now_s=time.time()))
    rows = [each.row() for each in found]
    if as_json:
        echo_json(rows)
    elif rows:
        shown = [
            {**row, "features": len(row["features"]), "used_by": ", ".join(row["used_by"])} for row in rows
        ]
        echo_table(shown, "kind name version features ttl age rows owner used_by".split())
    else:
        echo("no feature is registered; `driftline features register FILE` registers what a file defines")


@features_group.command("show")
@click.argument("name")
@store_option
@json_option
@clean_errors
def show(name: str, store_url: str, as_json: bool) -> None:
    """Show one view or service: its definition, all of its versions, and what its history holds."""
    found = ask_store(store_url, lambda connection: show_feature(connection, name, now_s=time.time()))
    if as_json:
        echo_json(found.row())
        return
    row = found.row()
    echo(f"{row['kind']} {name}", bold=True)
    for key in "version features ttl age rows entities entity owner tags used_by model".split():
        if row.get(key):
            echo(f"  {key:<10}{_text(row[key])}")
    echo("versions, the newest first", bold=True)
    for version in row["versions"]:
        echo(
            f"  {version['version']}  {version['registered_at']:%Y-%m-%d %H:%M} by {version['registered_by']}"
        )
    if row["transform"]:
        echo("transform", bold=True)
        echo(row["transform"], lines=True)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} ({item})" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@features_group.command("backfill")
@click.argument("names", metavar="VIEW...", nargs=-1, required=True)
@definitions_option
@store_option
@json_option
@clean_errors
def backfill_command(names: tuple[str, ...], definitions: Path | None, store_url: str, as_json: bool) -> None:
    """Write all rows of views' sources into their history; name those that can't be taken.

    A view with a transform needs its code, in the file that --definitions names.
    """
    loaded = load_definitions(definitions) if definitions else None

    def fill(connection: Connection) -> list[dict[str, Any]]:
        rows = []
        for name in names:
            view = loaded.view(name) if loaded else find_view(connection, name)
            done = backfill(connection, view)
            refusals = [{"row": each.row, "why": each.why} for each in done.refusals]
            rows.append({"view": name, "rows": done.rows, "refused": done.refused, "refusals": refusals})
        return rows

    rows = ask_store(store_url, fill, use="make")
    if as_json:
        echo_json(rows)
    else:
        for row in rows:
            echo(f"{row['view']}: {row['rows']} rows written, {row['refused']} refused")
            for each in row["refusals"]:
                echo(f"  row {each['row']}: {each['why']}", err=True)
    if any(row["refused"] for row in rows):
        raise click.exceptions.Exit(1)


@features_group.command("materialize")
@click.argument("names", metavar="[VIEW]...", nargs=-1)
@online_option
@click.option("--watch", is_flag=True, help="Go on, and bring what arrives online until SIGTERM.")
@interval_option(INTERVAL_S, "With --watch: how often to look, seconds.")
@metrics_port_option
@allowed_host_option
@store_option
@json_option
@clean_errors
def materialize_command(
    names: tuple[str, ...],
    online_url: str,
    watch: bool,
    interval_s: float,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
    store_url: str,
    as_json: bool,
) -> None:
    """Bring the newest values of all views, or of some, online: what came since the last time, also late."""
    metrics, pulse = Metrics(FEATURE_METRICS), Pulse("features", time.monotonic)
    with (
        open_store(store_url, use="read") as store,
        closing(open_online(online_url)) as online,
        closing(Materializer(store, online, names=names, metrics=metrics, pulse=pulse)) as materializer,
    ):
        if not watch:
            _echo_done(materializer.step(), as_json=as_json)
            return
        stop = stop_on_signals()
        ready = {"store": lambda: check_store(store), "materializing": pulse.check_work}
        health = Health(alive={"features": pulse.check}, ready=ready, pulses={"features": pulse})
        with exposed_metrics(metrics, health, metrics_port, allowed_hosts):
            materializer.run(stop, interval_s=interval_s)


def _echo_done(done: Sequence[Any], *, as_json: bool) -> None:
    if as_json:
        rows = [{"view": each.view, "entities": each.entities, "is_whole": each.is_whole} for each in done]
        echo_json(rows)
        return
    for each in done:
        whole = ", of everything" if each.is_whole else ""
        echo(f"{each.view}: {each.entities} entities brought online{whole}")
    if not done:
        echo("no feature view is registered")


for _command in (training_set, consistency, import_feast):
    features_group.add_command(_command)
