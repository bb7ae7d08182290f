"""``driftline explain``: which part of the traffic carries an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.domain.parts import part_text
from driftline.driver.explain import explain_incident
from driftline.store.incidents import find_incident
from driftline.store.parts import MOST_ROWS

if TYPE_CHECKING:
    from driftline.domain.incidents import Incident
    from driftline.domain.parts import Counts, Part
    from driftline.driver.explain import Explanation
    from driftline.store.connection import Connection


@click.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--limit", default=MOST_ROWS, show_default=True, help="Count at most so many rows a side.")
@store_option
@json_option
@clean_errors
def explain(incident_id: str, limit: int, store_url: str, as_json: bool) -> None:
    """Find which part of the traffic carries an incident, by all tags and categories, configured or not.

    INCIDENT is its id, or the beginning of it. Its rows are compared with those of its reference.
    """

    def question(connection: Connection) -> tuple[Incident, Explanation]:
        incident = find_incident(connection, incident_id)
        return incident, explain_incident(connection, incident, limit=limit)

    incident, found = ask_store(store_url, question)
    if as_json:
        echo_json({"incident_id": incident.incident_id, **_row(found)})
        return
    echo(incident.headline, bold=True)
    echo(f"  {found.sentence}")
    if found.lines:
        echo_table(
            [
                {
                    "rows": line.name,
                    "of traffic before": f"{line.share_before:.1%}",
                    "now": f"{line.share:.1%}",
                    "expected": f"{line.counts.expected():.1%}",
                    "observed": f"{line.counts.observed():.1%}",
                }
                for line in found.lines
            ],
            ["rows", "of traffic before", "now", "expected", "observed"],
        )
    for note in found.notes:
        echo(f"  {note}")


def _row(found: Explanation) -> dict[str, Any]:
    driver = found.driver
    return {
        "found": driver.found,
        "sentence": found.sentence,
        "feature": found.finding.feature if found.finding else None,
        "part": _conditions(driver.part),
        "part_text": part_text(driver.part),
        "carried": driver.carried,
        "z": driver.z,
        "critical": driver.critical,
        "looked_at": driver.looked_at,
        "also": [_conditions(part) for part in driver.also],
        "whole": _counts(driver.whole),
        "inside": None if driver.counts is None else _counts(driver.counts),
        "rest": None if driver.rest is None else _counts(driver.rest),
        "rows": found.rows,
        "rows_before": found.rows_before,
        "left_out": list(found.left_out),
    }


def _conditions(part: Part) -> list[dict[str, Any]]:
    return [{"key": condition.key, "values": list(condition.values)} for condition in part]


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "rows": counts.rows,
        "observed": counts.observed(),
        "rows_before": counts.rows_before,
        "expected": counts.expected(),
    }
