"""``driftline features consistency`` and ``import-feast``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.domain.streams import PRODUCTION, Stream
from driftline.features.consistency import SAMPLE, compare_window
from driftline.features.feast.importing import import_feast as read_feast
from driftline.store.feature_events import Window

if TYPE_CHECKING:
    from driftline.features.compare import Consistency
    from driftline.features.consistency import Report

CONSISTENCY_COLUMNS = (
    "feature view compared share equal stale different missing extra misread smape behind_s change".split()
)


@click.command()
@click.option("--model", "model_name", required=True, help="Of this model.")
@click.option("--version", "model_version", default="", help="Of this version only.")
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where it served.")
@since_option("Of predictions after")
@click.option("--limit", default=SAMPLE, show_default=True, help="Compare at most so many predictions.")
@store_option
@json_option
@clean_errors
def consistency(
    model_name: str,
    model_version: str,
    environment: str,
    since: datetime | None,
    limit: int,
    store_url: str,
    as_json: bool,
) -> None:
    """Show, feature by feature, how many values differ from what was stored when they were read, and how.

    Of the last day, unless --since says otherwise. Predictions are sampled by what they are about.
    """
    now = datetime.now(UTC)
    window = Window(Stream(model_name, model_version, environment), since or now - timedelta(days=1), now)
    report = ask_store(store_url, lambda connection: compare_window(connection, window, limit=limit))
    if as_json:
        echo_json(report_row(report))
        return
    echo_report(report)


def report_row(report: Report) -> dict[str, Any]:
    """Return a report for programs."""
    return {
        "events": report.events,
        "with_provenance": report.with_provenance,
        "sampled": report.sampled,
        "services": dict(report.services),
        "unregistered": dict(report.unregistered),
        "features": [
            {**consistency_row(each), "examples": [dataclasses.asdict(one) for one in each.examples]}
            for each in report.features
        ],
    }


def consistency_row(found: Consistency) -> dict[str, Any]:
    """Return one feature's consistency as it is listed."""
    return {
        "feature": found.feature,
        "view": found.view,
        "versions": list(found.versions),
        "compared": found.compared,
        "share": found.share,
        **{str(name): count for name, count in found.counts.items()},
        "smape": found.smape,
        "behind_s": found.behind_s,
        "change": None if found.change is None else found.change.text,
        "constant": found.constant,
    }


def echo_report(report: Report) -> None:
    """Print a report for people."""
    if report.features:
        echo_table([consistency_row(each) for each in report.features], CONSISTENCY_COLUMNS)
    unknown = report.events - report.with_provenance
    echo(
        f"{report.sampled} of {report.events} predictions compared; "
        f"{unknown} do not say what they were made from"
    )
    for name, count in report.unregistered.items():
        echo(f"{count} name {name}, which nobody registered")


@click.command("import-feast")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File of Python to be written; default: printed."
)
@json_option
@clean_errors
def import_feast(folder: Path, out: Path | None, as_json: bool) -> None:
    """Read a Feast repository's definitions, without running them, and write them as driftline's.

    What has no counterpart is left out, and named in the file and here.
    """
    found = read_feast(folder)
    text = found.text(folder.name)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if as_json:
        echo_json(
            {
                **{
                    name: list(getattr(found, name))
                    for name in ("entities", "views", "on_demand", "services")
                },
                "left_out": found.left_out,
                "notes": found.notes,
                "out": None if out is None else str(out),
                "text": text,
            }
        )
        return
    if out is None:
        echo(text, lines=True)
    for each in found.left_out:
        echo(f"left out: {each}", err=True)
    for each in found.notes:
        echo(each, err=True)
    if out is not None:
        echo(
            f"{out}: {len(found.views)} views, {len(found.services)} services; {len(found.left_out)} left out"
        )
