"""``driftline models compare``: two versions side by side, on the same rows where both answered such."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import TIME_HELP, parse_time, since_option
from driftline.domain.hours import hour_of, hour_time
from driftline.performance.answers import QUANTILES
from driftline.performance.compare import compare_versions, two_versions

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.performance.compare import Compared, Comparison, Side
    from driftline.store.connection import Connection


@click.command()
@click.argument("model_name", metavar="MODEL")
@click.argument("one", metavar="ONE")
@click.argument("other", metavar="OTHER")
@since_option("Of predictions from the hour of")
@click.option("--until", help=f"Of predictions before the hour of this time {TIME_HELP}.")
@store_option
@json_option
@clean_errors
def compare(
    model_name: str,
    one: str,
    other: str,
    since: datetime | None,
    until: str | None,
    store_url: str,
    as_json: bool,
) -> None:
    """Compare versions ONE and OTHER: traffic, how right each was, what each answered, how fast.

    Where both answered the same rows, as in shadow, they are compared row by row, by the tests of the gate;
    else by the intervals of both, and it says which. Without a time: the newest 28 days of either.
    """
    end = None if until is None else hour_of(parse_time(until))

    def question(connection: Connection) -> Comparison:
        first = None if since is None else hour_of(since)
        two = two_versions(connection, model_name, one, other, since=first, until=end)
        return compare_versions(connection, two, now_s=time.time())

    found = ask_store(store_url, question)
    if as_json:
        echo_json(as_plain(found))
        return
    two = found.two
    echo(
        f"{model_name}: version {one} and version {other}, {hour_time(two.since):%Y-%m-%d %H:%M} until "
        f"{hour_time(two.until):%Y-%m-%d %H:%M} UTC",
        bold=True,
    )
    for side in found.sides:
        echo(f"  version {side.version}: {_side(side)}")
    echo(found.how, bold=True)
    if found.metrics:
        echo_table([_row(each) for each in found.metrics], "metric one other gain low high is how".split())
    else:
        echo("  no truth is known of either; log_outcome and 'driftline outcomes import' log them")
    if found.answers is not None:
        drift = found.answers
        same = "" if drift.same_share is None else f"; {drift.same_share:.1%} of rows answered by both alike"
        apart = "" if drift.apart is None else f", {drift.apart:.4g} apart on average"
        echo(f"answers: {drift.statistic} {drift.distance:.4f}{same}{apart}")


def _side(side: Side) -> str:
    listed = ", ".join(f"{each.predictions:,} in {each.environment}" for each in side.traffic)
    if side.latency is None:
        return f"{listed}; no latency logged"
    taken = ", ".join(
        f"{quantile:.0%} within {value / 1000:.3g} ms"
        for quantile, (value, _, _) in zip(QUANTILES, side.latency.quantiles_us, strict=True)
    )
    return f"{listed}; {taken}"


def _row(each: Compared) -> dict[str, Any]:
    percent = 100 if each.is_relative else 1
    unit = "%" if each.is_relative else ""

    def shown(value: float | None) -> str | None:
        return None if value is None else f"{value * percent:+.4g}{unit}"

    return {
        "metric": each.metric,
        "one": each.one,
        "other": each.other,
        "gain": shown(each.gain),
        "low": shown(each.low),
        "high": shown(each.high),
        "is": each.verdict or None,
        "how": each.method,
    }


def as_plain(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON can hold it."""
    return {
        "model_name": found.two.model_name,
        "since": hour_time(found.two.since),
        "until": hour_time(found.two.until),
        "versions": [_side_as_plain(side) for side in found.sides],
        "how": found.how,
        "rows_of_both": found.both,
        "sampled_share": found.share,
        "metrics": [
            {**dataclasses.asdict(each), "is_relative": each.is_relative, "verdict": each.verdict}
            for each in found.metrics
        ],
        "answers": None if found.answers is None else dataclasses.asdict(found.answers),
    }


def _side_as_plain(side: Side) -> dict[str, Any]:
    period, latency = side.period, side.latency
    return {
        "version": side.version,
        "predictions": side.predictions,
        "traffic": [dataclasses.asdict(each) for each in side.traffic],
        "performance_of": side.environment,
        "known": period.known if period else 0,
        "performance": {
            name: {**dataclasses.asdict(value.measured), "basis": value.basis}
            for name, value in (period.values if period else {}).items()
        },
        "latency_us": None
        if latency is None
        else {
            f"p{quantile * 100:g}": dict(zip(("value", "low", "high"), bounds, strict=True))
            for quantile, bounds in zip(QUANTILES, latency.quantiles_us, strict=True)
        },
    }
