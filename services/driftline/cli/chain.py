"""``driftline audit seal``, ``verify``, ``head`` and ``accept``: the chain of what landed."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import UTC, date, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import click

from driftline.audit import SEALER_METRICS, Sealer
from driftline.audit.accept import accept, acceptable
from driftline.audit.verify import verify
from driftline.cli.exposing import allowed_host_option, exposed_metrics, metrics_port_option, stop_on_signals
from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_time, since_option
from driftline.domain.chain import Head, day_root
from driftline.embedded import open_store
from driftline.errors import SettingError
from driftline.health import Health, Pulse
from driftline.metrics import Metrics
from driftline.registry.decisions import somebody
from driftline.store.chain import read_heads, read_last_links
from driftline.store.ready import check_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.audit.verify import Report
    from driftline.domain.chain import Finding, Link
    from driftline.store.connection import Connection

_SHOWN = 50


@click.command()
@store_option
@click.option("--until-idle", is_flag=True, help="End when all windows that have ended are sealed.")
@click.option(
    "--now",
    "everything",
    is_flag=True,
    help="Seal also what landed a moment ago, and end: only while nothing lands.",
)
@metrics_port_option
@allowed_host_option
@clean_errors
def seal(
    store_url: str,
    until_idle: bool,
    everything: bool,
    metrics_port: int | None,
    allowed_hosts: tuple[str, ...],
) -> None:
    """Seal what has landed in the chain of its model, window by window. `up` does so by itself."""
    stop = stop_on_signals()
    metrics, pulse = Metrics(SEALER_METRICS), Pulse("sealer", time.monotonic)
    with open_store(store_url) as store:
        ready = {"store": lambda: check_store(store), "sealing": pulse.check_work}
        health = Health(alive={"sealer": pulse.check}, ready=ready)
        sealer = Sealer(store, metrics=metrics, pulse=pulse)
        try:
            with exposed_metrics(metrics, health, metrics_port, allowed_hosts):
                if everything:
                    echo(f"{sealer.seal_everything()} links made")
                elif until_idle:
                    echo(f"{sealer.step()} links made")
                else:
                    sealer.run(stop)
        finally:
            sealer.close()


@click.command("verify")
@store_option
@model_option
@since_option("Compare only rows that landed since")
@click.option("--expired-before", help="Rows of hours before this time may be gone, as if they had expired.")
@click.option(
    "--heads",
    "heads_file",
    type=click.File(),
    help="Heads that were kept elsewhere: what `audit head --json` printed.",
)
@json_option
@clean_errors
def verify_command(
    store_url: str,
    model_name: str | None,
    since: datetime | None,
    expired_before: str | None,
    heads_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Verify that nothing that landed was changed, or name each row that was: then the exit status is 1."""
    kept = read_kept(heads_file) if heads_file else []
    ask = partial(
        verify,
        model_name=model_name or "",
        since=since,
        expired_before=parse_time(expired_before) if expired_before else None,
        kept=[head for head in kept if model_name in (None, head.model_name)],
    )
    reports = ask_store(store_url, lambda connection: list(ask(connection)))
    if as_json:
        echo_json([_row(report) for report in reports])
    else:
        _echo_reports(reports)
    if any(report.findings for report in reports):
        raise click.exceptions.Exit(1)


def _row(report: Report) -> dict[str, Any]:
    row = dataclasses.asdict(report)
    number, hash_ = report.head or (0, "")
    findings = [
        {**dataclasses.asdict(found), "place": found.place._asdict() if found.place else None}
        for found in report.findings
    ]
    return {**row, "head": {"number": number, "hash": hash_} if number else None, "findings": findings}


def _echo_reports(reports: Sequence[Report]) -> None:
    for report in reports:
        verdict = f"{len(report.findings)} findings" if report.findings else "as it was sealed"
        echo(f"{report.model_name}: {verdict}", bold=True)
        if report.head:
            echo(f"  {report.rows} rows in {report.links} links, head {report.head[0]} {report.head[1]}")
        if report.expired:
            echo(f"  {report.expired} rows are gone since their time was over")
        if report.unsealed:
            since = f"{report.unsealed_since:%Y-%m-%d %H:%M:%S}"
            echo(f"  {report.unsealed} rows are not sealed yet, which landed since {since}")
        for found in report.findings[:_SHOWN]:
            echo(f"  {found}")
        more = len(report.findings) - _SHOWN + report.unnamed
        if more > 0:
            echo(f"  and {more} more; --json names {len(report.findings)}")
    if not reports:
        echo("nothing has landed yet")


@click.command()
@store_option
@click.option("--day", help="As it was kept when this day, such as 2026-01-31, had ended, UTC.")
@json_option
@clean_errors
def head(store_url: str, day: str | None, as_json: bool) -> None:
    """Print the last link of each model's chain, and one hash over all: to be kept or signed elsewhere."""
    heads = ask_store(store_url, partial(_heads, day=_parse_day(day) if day else None))
    root = day_root((each.model_name, each.number, each.hash) for each in heads)
    if as_json:
        echo_json({"root": root, "heads": [dataclasses.asdict(each) for each in heads]})
        return
    if heads:
        echo_table([dataclasses.asdict(each) for each in heads], ["model_name", "day", "number", "hash"])
    echo(f"root {root}")


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no day, such as 2026-01-31") from error


def _heads(connection: Connection, *, day: date | None) -> Sequence[Head]:
    if day is None:
        links = read_last_links(connection).values()
        return [Head(link.model_name, datetime.now(UTC).date(), link.number, link.hash) for link in links]
    newest: dict[str, Head] = {}
    for each in read_heads(connection):
        if each.day <= day:
            newest[each.model_name] = each
    return list(newest.values())


def read_kept(file: IO[str]) -> Sequence[Head]:
    """Return heads that `audit head --json` printed.

    Raises:
        SettingError: the file holds something else.
    """
    try:
        read = json.load(file)
        heads = [
            Head(each["model_name"], date.fromisoformat(each["day"]), int(each["number"]), str(each["hash"]))
            for each in read["heads"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{file.name} holds no heads as `driftline audit head --json` prints them: {error}"
        ) from error
    if read.get("root") != day_root((each.model_name, each.number, each.hash) for each in heads):
        raise SettingError(f"{file.name} was changed: its root is not that of its heads")
    return heads


@click.command("accept")
@click.argument("model_name", metavar="MODEL")
@click.option("--event", "event_ids", multiple=True, help="The row of this event; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All rows that `audit verify` names.")
@click.option("--why", "reason", required=True, help="Why; it is kept in the chain, and shown to others.")
@click.option("--by", "author", help="Who accepts them; default: your user name and host.")
@store_option
@json_option
@clean_errors
def accept_command(
    model_name: str,
    event_ids: tuple[str, ...],
    everything: bool,
    reason: str,
    author: str | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Accept that rows differ from what was sealed, such as deleted ones; who did and why joins the chain."""
    if everything == bool(event_ids):
        raise click.UsageError("name the rows by --event, or say --all")

    def decide(connection: Connection) -> tuple[Link, Sequence[Finding]]:
        found = acceptable(connection, model_name)
        chosen = [each for each in found if everything or each.event_id in event_ids]
        if missing := set(event_ids) - {each.event_id for each in chosen}:
            raise SettingError(f"`audit verify` names no row of {', '.join(sorted(missing))} in {model_name}")
        by = somebody() if author is None else author
        return accept(connection, model_name, chosen, author=by, reason=reason), chosen

    link, chosen = ask_store(store_url, decide, use="write")
    if as_json:
        echo_json({**dataclasses.asdict(link), "hash": link.hash, "accepted": [str(each) for each in chosen]})
        return
    for each in chosen:
        echo(f"  {each}")
    echo(f"{model_name}: {link.rows} rows accepted by {link.accepted_by} in link {link.number}: {reason}")
