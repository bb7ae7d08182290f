"""``driftline snapshot``: training sets out of what was logged, which stay what they are."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.access import log_access
from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_age, parse_time
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.snapshots import LeftOut
from driftline.domain.streams import PRODUCTION
from driftline.lifecycle.archive import (
    create_snapshot,
    fetch_snapshot,
    rederive_snapshot,
    settled_time,
    verify_snapshot,
)
from driftline.lifecycle.defining import Wanted, define
from driftline.lifecycle.manifest import Manifest
from driftline.lifecycle.place import Location
from driftline.registry.decisions import somebody
from driftline.store.snapshots import find_snapshot, read_snapshot_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from driftline.store.connection import Connection

    P = ParamSpec("P")
    R = TypeVar("R")


@click.group("snapshot")
def snapshot_group() -> None:
    """Training sets out of what was logged: labelled as of a time, and the same for ever."""


def location_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--to``: where snapshots lie."""
    return click.option(
        "--to",
        "location",
        required=True,
        envvar="DRIFTLINE_SNAPSHOTS",
        help="Where snapshots lie: a folder, or any location that fsspec reaches, such as s3://bucket/sets.",
    )(command)


@snapshot_group.command("create")
@click.argument("model_name", metavar="MODEL")
@location_option
@click.option("--since", required=True, help="Predictions of this time or later (ISO 8601), or age, as 60d.")
@click.option("--until", help="Before this time; default: up to where nearly all truths are known.")
@click.option(
    "--as-of", help="Labels as they were known at this time; default: now, less what is not settled."
)
@click.option("--version", "model_version", default="", help="Of this version only; default: of all.")
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where predictions were made.")
@click.option("--maturity", help="Predictions are so old at least, such as 14d; default: by their delays.")
@click.option("--label-age", help="Only truths that were known so long after the prediction, such as 7d.")
@click.option(
    "--split",
    type=click.Choice(["none", "time", "entity"]),
    default="time",
    show_default=True,
    help="Into what is learned from and what is tested on.",
)
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Of the period, or of the entities, that is tested on.",
)
@click.option(
    "--leave-out", "named", multiple=True, help="Hours as SINCE/UNTIL: no row is taken; repeatable."
)
@click.option("--label", default="", help="What your team calls it.")
@store_option
@json_option
@clean_errors
def create(model_name: str, location: str, store_url: str, label: str, as_json: bool, **asked: Any) -> None:
    """Make a training set out of what was logged of MODEL, with a manifest that says what is in it.

    Hours of incidents, of which too little arrived, or with invalid values are left out, and named. The same
    definition comes to the same rows, whatever lands later.
    """
    place = Location.at(location)

    def make(connection: Connection) -> Manifest:
        settled = settled_time(connection)
        wanted = _wanted(model_name, settled=settled, **asked)
        made = create_snapshot(
            connection, define(connection, wanted), place, author=somebody(), settled=settled, label=label
        )
        detail = f"snapshot {made.snapshot_id}"
        log_access(connection, "snapshot", detail, model_name=model_name, rows=made.rows)
        return made

    manifest = ask_store(store_url, make, use="write")
    if as_json:
        echo_json({**manifest.plain, "uri": manifest.uri, "manifest_sha256": manifest.sha256})
    else:
        _echo(manifest)


def _wanted(model_name: str, *, settled: Any, **asked: Any) -> Wanted:
    times = {name: parse_time(asked[name]) for name in ("since", "until", "as_of") if asked[name]}
    ages = {name: parse_age(asked[name]) for name in ("maturity", "label_age") if asked[name]}
    same = {name: asked[name] for name in ("model_version", "environment", "split", "test_share")}
    left_out = tuple(_left_out(text) for text in asked["named"])
    return Wanted(model_name=model_name, named=left_out, **{"as_of": settled, **times, **ages, **same})


def _left_out(text: str) -> LeftOut:
    since, _, until = text.partition("/")
    if not until:
        raise click.BadParameter(f"{text!r} is no SINCE/UNTIL", param_hint="--leave-out")
    end = parse_time(until)
    return LeftOut(hour_of(parse_time(since)), hour_of(end) + bool(end.timestamp() % 3600), "named", text)


@snapshot_group.command("list")
@model_option
@store_option
@json_option
@clean_errors
def list_snapshots(model_name: str | None, store_url: str, as_json: bool) -> None:
    """List snapshots, the newest first."""
    found = ask_store(store_url, partial(read_snapshot_lines, model_name=model_name or ""))
    rows = [dataclasses.asdict(line) for line in found]
    if as_json:
        echo_json(rows)
    elif rows:
        echo_table(rows, "snapshot_id label model_name rows since until as_of split made_at".split())
    else:
        echo("no snapshot was made; 'driftline snapshot create' makes one")


def read_named(store_url: str, snapshot: str) -> Manifest:
    """Return the manifest of a snapshot by its address, its id, the beginning of that, or its label.

    Raises:
        NotFoundError: there is none.
        SettingError: it is no manifest.
    """
    if snapshot.endswith(".json"):
        return Manifest.read(snapshot)
    line = ask_store(store_url, partial(find_snapshot, wanted=snapshot))
    return Manifest.read(line.uri)


@snapshot_group.command("show")
@click.argument("snapshot", metavar="SNAPSHOT")
@store_option
@json_option
@clean_errors
def show(snapshot: str, store_url: str, as_json: bool) -> None:
    """Show what a snapshot holds. SNAPSHOT is its id, its label, or the address of its manifest."""
    manifest = read_named(store_url, snapshot)
    if as_json:
        echo_json({**manifest.plain, "uri": manifest.uri, "manifest_sha256": manifest.sha256})
    else:
        _echo(manifest)


@snapshot_group.command("verify")
@click.argument("snapshot", metavar="SNAPSHOT")
@click.option("--again", is_flag=True, help="Ask the store for the same rows, too: it may hold them no more.")
@store_option
@clean_errors
def verify(snapshot: str, again: bool, store_url: str) -> None:
    """Verify that a snapshot is as its manifest says, file by file and row by row."""
    manifest = read_named(store_url, snapshot)
    problems = list(verify_snapshot(manifest))
    if again:
        problems += ask_store(store_url, partial(rederive_snapshot, manifest=manifest))
    for problem in problems:
        echo(problem)
    if problems:
        raise click.exceptions.Exit(1)
    echo(f"{manifest.snapshot_id}: {manifest.rows} rows, as they were made")


@snapshot_group.command("fetch")
@click.argument("snapshot", metavar="SNAPSHOT")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@store_option
@clean_errors
def fetch(snapshot: str, folder: Path, store_url: str) -> None:
    """Copy a snapshot's files into FOLDER: those to learn from into train, those to test on into test."""
    manifest = read_named(store_url, snapshot)
    files = fetch_snapshot(manifest, folder)
    echo(f"{manifest.rows} rows in {len(files)} files, below {folder}")


def _echo(manifest: Manifest) -> None:
    plain, definition = manifest.plain, manifest.definition
    echo(f"snapshot {manifest.snapshot_id}: {manifest.rows} rows of {definition.model_name}", bold=True)
    parts: dict[str, int] = {}
    for file in manifest.files:
        parts[file.part] = parts.get(file.part, 0) + file.rows
    shown = {
        "label": plain["label"] or "-",
        "manifest": manifest.uri,
        "fingerprint": f"sha256:{manifest.sha256}",
        "period": f"{definition.since:%Y-%m-%d %H:%M} to {definition.until:%Y-%m-%d %H:%M}",
        "labels as of": f"{definition.as_of:%Y-%m-%d %H:%M:%S}",
        "rows": ", ".join(f"{count} to {part}" for part, count in sorted(parts.items(), reverse=True)),
        "not taken": ", ".join(
            f"{count} {name}" for name, count in plain["counts"].items() if name != "taken"
        )
        or "none",
        "served by": ", ".join(f"version {each['model_version']}" for each in plain["served_by"]),
        "hash of rows": manifest.row_hash,
    }
    for name, value in shown.items():
        echo(f"  {name:<14}{value}")
    for each in definition.left_out:
        first, end = hour_time(each.first_hour), hour_time(each.end_hour)
        echo(f"  left out      {first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, {each.reason}: {each.detail}")
    for doubt in plain["completeness"]["doubts"]:
        echo(f"  doubt         {doubt}")
