"""``driftline gate``: whether a candidate may take production's place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from driftline.cli.models import opened_registry
from driftline.cli.options import clean_errors, json_option, log_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.cli.snapshot import read_named
from driftline.cli.times import parse_age, parse_time
from driftline.domain.snapshots import TEST
from driftline.domain.streams import PRODUCTION
from driftline.errors import NotFoundError, SettingError
from driftline.lifecycle.archive import settled_time
from driftline.lifecycle.defining import TooEarlyError, Wanted, define
from driftline.lifecycle.gate import MARGIN_OF, GateRules
from driftline.lifecycle.gating import Comparison, GateReport, report_as_markdown, report_as_plain, run_gate
from driftline.lifecycle.keeping import line_of
from driftline.lifecycle.overlap import learned_of
from driftline.lifecycle.scores import read_scores
from driftline.registry.decisions import known_version
from driftline.store.gates import write_gate
from driftline.store.runs import read_run_of

if TYPE_CHECKING:
    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

EXIT_CODES = {"pass": 0, "fail": 1, "hold": 2}


@click.command("gate")
@click.argument("model_name", metavar="MODEL")
@click.argument("candidate", metavar="CANDIDATE")
@click.option("--against", "production", help="This version; default: the one in production.")
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where production answers.")
@click.option("--since", help="Rows of this time or later (ISO 8601), or age, such as 14d.")
@click.option("--until", help="Before this time; default: up to where nearly all truths are known.")
@click.option("--as-of", help="Truths as they were known at this time; default: now.")
@click.option("--maturity", help="Rows are so old at least, such as 7d; default: by their delays.")
@click.option("--on", "snapshot", help="On the test part of this snapshot, in place of --since.")
@click.option(
    "--scores",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The candidate's answers by event_id, CSV or Parquet; default: what it logged in shadow or canary.",
)
@click.option("--metric", type=click.Choice(sorted(MARGIN_OF)), help="That decides; default: by the task.")
@click.option("--margin", type=float, help="It may be worse by less than this; of errors, a share.")
@click.option("--slice", "slices", multiple=True, help="Look at this part, too, key=value; may be repeated.")
@click.option("--slice-margin", type=float, help="The same of each slice; default: three margins.")
@click.option("--least-rows", type=click.IntRange(min=2), help="Fewer rows hold; default: 200.")
@click.option(
    "--report", "report_path", type=click.Path(path_type=Path), help="Write the report as Markdown."
)
@log_option
@store_option
@json_option
@clean_errors
def gate(
    model_name: str,
    candidate: str,
    production: str | None,
    report_path: Path | None,
    log_url: str,
    store_url: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Decide whether version CANDIDATE of MODEL may take production's place, on the same rows for both.

    Exit status 0: it passes, 1: it fails, 2: it holds, since there is too little to say.
    """
    with opened_registry(log_url) as registry:
        state = registry.model(model_name)
    known_version(state, candidate)
    against = production or state.in_production(asked["environment"])
    if against is None:
        raise NotFoundError(f"no version of {model_name} is in production; name one with --against")
    rules = rules_of(asked)

    def compare(connection: Connection) -> GateReport:
        comparison = _comparison(connection, state, candidate, against, asked, store_url)
        made = run_gate(connection, comparison, rules, report_id=uuid4().hex, now=datetime.now(UTC))
        write_gate(connection, line_of(made))
        return made

    try:
        report = ask_store(store_url, compare, use="write")
    except TooEarlyError as error:
        echo(f"hold: {error}", err=True)
        raise click.exceptions.Exit(EXIT_CODES["hold"]) from error
    if report_path is not None:
        report_path.write_text(report_as_markdown(report), encoding="utf-8")
    if as_json:
        echo_json(report_as_plain(report))
    else:
        echo(report_as_markdown(report), lines=True)
    raise click.exceptions.Exit(EXIT_CODES[report.verdict.decision])


def rules_of(asked: dict[str, Any]) -> GateRules:
    """Return the rules of what was asked for; what was not given has its default."""
    names = ("metric", "margin", "slices", "slice_margin", "least_rows")
    given = {name: asked[name] for name in names if asked[name] not in (None, ())}
    return replace(GateRules(), **given)


def _comparison(
    connection: Connection,
    state: ModelState,
    candidate: str,
    production: str,
    asked: dict[str, Any],
    store_url: str,
) -> Comparison:
    runs = [read_run_of(connection, state, version) for version in (candidate, production)]
    common: dict[str, Any] = {
        "candidate": candidate,
        "production": production,
        "learned": [learned_of(run, state.versions[run.model_version].registered_at) for run in runs],
        "features": sorted(runs[0].features),
        "scores": read_scores(asked["scores"]) if asked["scores"] else None,
    }
    if asked["snapshot"]:
        definition = read_named(store_url, asked["snapshot"]).definition
        if definition.split.kind == "none":
            raise SettingError(f"snapshot {asked['snapshot']} has no part to test on")
        return Comparison(definition=replace(definition, model_version=production), part=TEST, **common)
    if not asked["since"]:
        raise click.UsageError("say on which rows: --since, or --on a snapshot")
    wanted = Wanted(
        model_name=state.model_name,
        model_version=production,
        environment=asked["environment"],
        since=parse_time(asked["since"]),
        until=parse_time(asked["until"]) if asked["until"] else None,
        as_of=parse_time(asked["as_of"]) if asked["as_of"] else settled_time(connection),
        maturity=parse_age(asked["maturity"]) if asked["maturity"] else None,
        split="none",
    )
    return Comparison(definition=define(connection, wanted), **common)
