"""How right models were, as far as it is known by now, or was known at a time."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.performance_drops import DROP_COLUMNS, drop_rows
from driftline.cli.questions import ask_store
from driftline.cli.times import parse_age, parse_time, since_option
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import PRODUCTION
from driftline.performance.business_value import BUSINESS_VALUE
from driftline.performance.intervals import insufficient
from driftline.performance.timeline import read_timeline
from driftline.store.performance import Asked, Moment, read_performance_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from driftline.performance.estimate.reading import Estimate
    from driftline.performance.timeline import Period, Timeline
    from driftline.store.connection import Connection

_BASIS = {
    "final": "final",
    "weighted": "partial",
    "bounds": "partial, bounds",
    "known": "partial, known only",
    "estimated": "estimated",
    "": "-",
}
_CANNOT_SEE = (
    "An estimate is by the scores alone: concept drift, when the same scores come to mean something else, is "
    "what it can't see before truths do. Its error is how far it was off where truths have come."
)


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
@click.option(
    "--drops",
    is_flag=True,
    help="Show which served versions got worse in their newest final week, and in which monitored parts of "
    "the traffic, the largest drop first.",
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
    drops: bool,
    as_json: bool,
) -> None:
    """Show how right models were, period by period: metrics with intervals, and what they rest on.

    A value is final once nearly all truths are there that will come. Before, each truth that came stands for
    those of its kind that are late; where nobody knows how late these are, shares have bounds, and other
    metrics are of what is known alone. What came alone, each counting the same, stands beside as naive.

    The estimate is how right the model is likely to be by its scores, before any truth. It is compared with
    what earlier periods came to, and withdrawn where it errs by more than it says.
    """
    if drops:
        _show_drops(store_url, model_name, as_json=as_json)
        return
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
            "start model_name version metric value low high sample basis naive baseline coverage expected "
            "estimate est_low est_high est_error"
        )
        echo_table([_shown(row) for row in rows], columns.split())
        if any(row["estimate"] is not None for row in rows):
            echo(_CANNOT_SEE)
    else:
        echo("no outcome is known of these; log_outcome and 'driftline outcomes import' log them")


def _show_drops(store_url: str, model_name: str | None, *, as_json: bool) -> None:
    rows = ask_store(store_url, lambda connection: drop_rows(connection, model_name, now_s=time.time()))
    if as_json:
        echo_json(rows)
    elif rows:
        echo_table([{**row, "version": row["model_version"]} for row in rows], DROP_COLUMNS)
    else:
        echo("of no version that serves enough truths are final")


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
    currency = task.business_value.currency if task.business_value else None
    shown = metrics or (None if everything else task.main)
    for period in sorted(timeline.periods, key=lambda each: (each.stream, each.start)):
        known = {**period.values, **period.estimates}
        names = [name for name in known if shown is None or name in shown]
        if shown is not None:
            names.sort(key=list(shown).index)
        for name in names:
            value, estimate = period.values.get(name), period.estimates.get(name)
            is_estimated = estimate is not None and not estimate.trust.is_withdrawn
            yield {
                **_facts(period),
                "task": task.kind,
                "positive": sorted(task.positive),
                "metric": name,
                "currency": currency if name == BUSINESS_VALUE else None,
                **dataclasses.asdict(value.measured if value else insufficient()),
                "basis": value.basis if value else "estimated" if is_estimated else "",
                "naive": value.naive if value else None,
                "estimate": None if estimate is None else _estimate(estimate),
            }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate with what it is worth; what is withdrawn has no value."""
    measured, trust = estimate.measured, estimate.trust
    is_there = not trust.is_withdrawn
    return {
        "value": measured.value if is_there else None,
        "low": measured.low if is_there else None,
        "high": measured.high if is_there else None,
        "is_withdrawn": trust.is_withdrawn,
        "error": trust.error,
        "tested_periods": trust.windows,
        "inside_share": trust.inside,
        "widening": trust.widening,
        "calibrated_by": "reference" if estimate.is_of_reference else "known truths",
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
    estimate = row["estimate"] or dict.fromkeys(("value", "low", "high", "error"))
    is_withdrawn = bool(row["estimate"]) and row["estimate"]["is_withdrawn"]
    return {
        **row,
        "estimate": "withdrawn" if is_withdrawn else estimate["value"],
        "est_low": estimate["low"],
        "est_high": estimate["high"],
        "est_error": estimate["error"],
        "version": row["model_version"],
        "metric": f"{row['metric']} ({row['currency']})" if row["currency"] else row["metric"],
        "value": value,
        "basis": _BASIS[row["basis"]],
        "expected": row["expected_final_coverage"],
        "sample": round(row["sample"]),
    }
