"""``driftline triage``: who is to blame for an incident."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.feature_tables import consistency_row, echo_report, report_row
from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.domain.streams import PRODUCTION, Stream
from driftline.features.consistency import SAMPLE
from driftline.features.triage import triage_incident, triage_window
from driftline.store.feature_events import Window
from driftline.store.incidents import find_incident

if TYPE_CHECKING:
    from driftline.features.triage import Triage
    from driftline.store.connection import Connection


@click.command()
@click.argument("incident_id", metavar="[INCIDENT]", default="")
@click.option("--model", "model_name", default="", help="Without an incident: what this model did.")
@click.option("--version", "model_version", default="", help="Of this version.")
@click.option("--environment", default=PRODUCTION, show_default=True, help="Where it served.")
@since_option("Without an incident: of predictions after")
@click.option("--limit", default=SAMPLE, show_default=True, help="Compare at most so many predictions.")
@store_option
@json_option
@clean_errors
def triage(
    incident_id: str,
    model_name: str,
    model_version: str,
    environment: str,
    since: datetime | None,
    limit: int,
    store_url: str,
    as_json: bool,
) -> None:
    """Find who is to blame for an incident: upstream, serving or the model, or that nothing says so.

    The values that the model got are compared with those that were stored as of when it got them.
    """
    if bool(incident_id) == bool(model_name):
        raise click.UsageError("name an incident, or with --model a model")
    now = datetime.now(UTC)

    def question(connection: Connection) -> Triage:
        if incident_id:
            incident = find_incident(connection, incident_id)
            return triage_incident(connection, incident, now_s=time.time(), limit=limit)
        stream = Stream(model_name, model_version, environment)
        window = Window(stream, since or now - timedelta(days=1), now)
        return triage_window(connection, window, now_s=time.time(), limit=limit)

    found = ask_store(store_url, question)
    if as_json:
        echo_json(_row(found))
        return
    echo(f"{found.blame}: {found.why}", bold=True)
    window = found.window
    echo(f"  {window.stream.model_name}, {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M}")
    for each in found.features:
        moved = "" if each.effect is None else f", moved by {each.effect:+.1%}"
        echo(f"  {each.feature}{moved}: {each.blame}, {each.why}")
    if found.drops:
        echo(f"  got worse: {', '.join(found.drops)}")
    echo_report(found.report)


def _row(found: Triage) -> dict[str, Any]:
    return {
        "blame": found.blame,
        "why": found.why,
        **found.window.stream._asdict(),
        "since": found.window.since,
        "until": found.window.until,
        "drops": list(found.drops),
        "features": [
            {
                "feature": each.feature,
                "blame": each.blame,
                "why": each.why,
                "effect": each.effect,
                "consistency": None if each.consistency is None else consistency_row(each.consistency),
            }
            for each in found.features
        ],
        "report": report_row(found.report),
    }
