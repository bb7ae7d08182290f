"""``driftline report``: what the pages show, as one file to send around."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click

from driftline.cli.options import clean_errors, store_option
from driftline.cli.output import echo
from driftline.cli.questions import ask_store
from driftline.errors import SettingError
from driftline.web.period import DAYS, DEFAULT_DAYS
from driftline.web.report import write_report


@click.command()
@store_option
@click.option("--model", "model_name", help="Of this model only; default: all, and in full those that paged.")
@click.option(
    "--days",
    type=click.Choice([str(days) for days in DAYS]),
    default=str(DEFAULT_DAYS),
    show_default=True,
    help="Of so many days, up to the newest judged window.",
)
@click.option(
    "--url", default="", help="Of the pages, as https://driftline.example; what is not in the file is linked."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    help="The file; - is standard output.",
)
@clean_errors
def report(store_url: str, model_name: str | None, days: str, url: str, output: Path) -> None:
    """Write what the pages show into one HTML file that needs nothing else."""
    question = partial(
        write_report, model_name=model_name, days=int(days), url=url.rstrip("/"), clock=time.time
    )
    page = ask_store(store_url, question)
    if str(output) == "-":
        click.echo(page, nl=False)
        return
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingError(f"the report can't be written to {output}: {error.strerror}") from error
    echo(f"{output}: {len(page) / 1024:,.0f} KB")
