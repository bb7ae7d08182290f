"""How right models were, as far as it is known by now, or was known at a time."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_age, parse_time, since_option
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import PRODUCTION
from driftline.performance.task import MAIN
from driftline.performance.timeline import read_timeline
from driftline.store.performance import Asked, Moment, read_performance_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from driftline.performance.timeline import Period, Timeline
    from driftline.store.connection import Connection

_BASIS = {
    "final": "final",
    "weighted": "partial",
    "bounds": "partial, bounds",
    "known": "partial, known only",
}


@click.command()
@store_option
@model_option
@click.option("--version", "model_version", default="", help="Of this version only.")
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where it served.")
@click.option("--segment", default="", help="Of this part of the traffic, key=value of a monitored segment.")
@since_option("Of predictions after")
@click.option("--period", default="7d", show_default=True, help="How long a period is, in whole hours.")
@click.option("--metric", "metrics", multiple=True, help="This one only, such as roc_auc; may be repeated.")
@click.option(
    "--as-of",
    help="As it was known at this time or so long ago, by what had landed then; reads the rows anew.",
)
@click.option(
    "--age", help="By what was known so long after each prediction at most, such as 6h; reads likewise."
)
@json_option
@clean_errors
def performance(
    store_url: str,
    model_name: str | None,
    model_version: str,
    environment: str,
    segment: str,
    since: datetime | None,
    period: str,
    metrics: tuple[str, ...],
    as_of: str | None,
    age: str | None,
    as_json: bool,
) -> None:
    """Show how right models were, period by period: metrics with intervals, and what they rest on.

    A value is final once nearly all truths are there that will come. Before, each truth that came stands for
    those of its kind that are late; where nobody knows how late these are, shares have bounds, and other
    metrics are of what is known alone. What came alone, each counting the same, stands beside as naive.
    """
    hours = round(parse_age(period).total_seconds() / 3600)
    if hours < 1:
        raise click.BadParameter(f"{period!r} is shorter than an hour", param_hint="--period")
    moment = _moment(as_of, age)
    asked = Asked(
        model_name=model_name or "",
        environment=environment,
        model_version=model_version,
        segment=segment,
        since=hour_of(since) if since else 0,
        hours=hours,
    )

    def question(connection: Connection) -> Mapping[str, Timeline]:
        models = [model_name] if model_name else list(read_performance_models(connection, environment))
        return {
            name: read_timeline(
                connection, dataclasses.replace(asked, model_name=name), now_s=time.time(), moment=moment
            )
            for name in models
        }

    found = ask_store(store_url, question)
    rows = [row for timeline in found.values() for row in _rows(timeline, metrics, everything=as_json)]
    if as_json:
        echo_json(rows)
    elif rows:
        columns = (
            "start model_name version metric value low high sample basis naive baseline coverage expected"
        )
        echo_table([_shown(row) for row in rows], columns.split())
    else:
        echo("no outcome is known of these; log_outcome and 'driftline outcomes import' log them")


def _moment(as_of: str | None, age: str | None) -> Moment | None:
    if as_of is None and age is None:
        return None
    given: dict[str, Any] = {}
    if as_of is not None:
        given["as_of"] = parse_time(as_of)
    if age is not None:
        given["age"] = parse_age(age)
    return Moment(**given)


def _rows(timeline: Timeline, metrics: Sequence[str], *, everything: bool) -> Iterator[dict[str, Any]]:
    """Yield one row a period and metric, the newest period last."""
    task = timeline.task
    if task is None:
        return
    shown = metrics or (None if everything else MAIN[task.kind])
    for period in sorted(timeline.periods, key=lambda each: (each.stream, each.start)):
        names = [name for name in period.values if shown is None or name in shown]
        if shown is not None:
            names.sort(key=list(shown).index)
        for name in names:
            value = period.values[name]
            yield {
                **_facts(period),
                "task": task.kind,
                "positive": sorted(task.positive),
                "metric": name,
                **dataclasses.asdict(value.measured),
                "basis": value.basis,
                "naive": value.naive,
            }


def _facts(period: Period) -> dict[str, Any]:
    known, final = period.expected
    askable = period.predictions - period.acted_on
    return {
        **period.stream._asdict(),
        "start": hour_time(period.start),
        "end": hour_time(period.end),
        "predictions": period.predictions,
        "known": period.known,
        "unknown": period.unknown,
        "acted_on": period.acted_on,
        "coverage": period.known / askable if askable else None,
        "expected_coverage": known,
        "expected_final_coverage": final,
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is listed."""
    value = "insufficient_data" if row["value"] is None else row["value"]
    return {
        **row,
        "version": row["model_version"],
        "value": value,
        "basis": _BASIS[row["basis"]],
        "expected": row["expected_final_coverage"],
        "sample": round(row["sample"]),
    }
