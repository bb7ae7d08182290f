"""``driftline incidents`` and ``driftline ack``: what paged, and how the engineer on call acknowledges it."""

from __future__ import annotations

import dataclasses
import getpass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.domain.channels import ChannelKind, channel_row
from driftline.domain.hours import hour_time
from driftline.domain.incidents import MEANINGS, STATES
from driftline.store.incidents import (
    read_acknowledgements,
    read_incidents,
    write_acknowledgement,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.incidents import Acknowledgement, Finding, Incident
    from driftline.store.connection import Connection


_SAYS_ALL = frozenset({ChannelKind.STUCK, ChannelKind.UNIT_CHANGED})


@click.command("incidents")
@store_option
@model_option
@since_option("Paged after")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="In this state only.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@json_option
@clean_errors
def incidents(
    store_url: str,
    model_name: str | None,
    since: datetime | None,
    states: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List incidents, the newest first: what each found, since when, and how it was acknowledged."""
    _list(store_url, as_json, model_name=model_name, since=since, states=states, limit=limit)


@click.command()
@click.argument("incident_id", metavar="[INCIDENT]", required=False)
@click.option("--real", is_flag=True, help="A fault: confirmed, its hours stay out of the reference.")
@click.option("--noise", is_flag=True, help="A false page: its hours are as good a reference as any.")
@click.option("--accept", is_flag=True, help="The new normal: judge against it from now on.")
@click.option("--by", "given_by", help="Who decides; default: your user name.")
@click.option("--note", default="", help="Why.")
@click.option("--list", "as_list", is_flag=True, help="List incidents, as `driftline incidents` does.")
@store_option
@json_option
@clean_errors
def ack(
    incident_id: str | None,
    real: bool,
    noise: bool,
    accept: bool,
    given_by: str | None,
    note: str,
    as_list: bool,
    store_url: str,
    as_json: bool,
) -> None:
    """Acknowledge an incident: it steers how sure incidents have to be, and what counts as reference.

    INCIDENT is an incident's id, or as much of its beginning as no other one's begins with. The last
    acknowledgement counts; what was accepted stays accepted.
    """
    if as_list:
        _list(store_url, as_json, limit=100)
        return
    chosen = [each for each, is_given in zip(MEANINGS, (real, noise, accept), strict=True) if is_given]
    if incident_id is None or len(chosen) != 1:
        raise click.UsageError(
            "give one incident and one of --real, --noise, --accept; `driftline incidents` lists them"
        )
    name = user_name() if given_by is None else given_by
    now = datetime.now(UTC)

    def acknowledge(connection: Connection) -> tuple[Incident, Acknowledgement]:
        return write_acknowledgement(
            connection, incident_id, name=chosen[0], given_by=name, note=note, given_at=now
        )

    incident, given = ask_store(store_url, acknowledge, use="write")
    if as_json:
        echo_json(_row(incident, [given]))
        return
    echo(f"incident {incident.incident_id} of {_whose(incident)}: {incident.headline}")
    echo(f"  {given.name}: {MEANINGS[given.name].meaning}")


def user_name() -> str:
    """Return the name of who runs this; empty where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return ""


def _list(store_url: str, as_json: bool, **chosen: Any) -> None:
    def question(connection: Connection) -> tuple[Sequence[Incident], Sequence[Acknowledgement]]:
        found = read_incidents(connection, **chosen)
        given = read_acknowledgements(connection) if found else {}
        return found, list(chain.from_iterable(given.values()))

    found, acknowledgements = ask_store(store_url, question)
    of_incident = {
        incident.incident_id: [one for one in acknowledgements if one.incident_id == incident.incident_id]
        for incident in found
    }
    if as_json:
        echo_json([_row(incident, of_incident[incident.incident_id]) for incident in found])
    elif not found:
        echo("no incidents")
    for incident in found if not as_json else ():
        _echo(incident, of_incident[incident.incident_id])


def _row(incident: Incident, given: Sequence[Acknowledgement]) -> dict[str, Any]:
    return {
        **incident.stream._asdict(),
        "incident_id": incident.incident_id,
        "detected": hour_time(incident.detected),
        "since": hour_time(incident.since),
        "last": hour_time(incident.last),
        "state": incident.state,
        "accepted_at": _at(incident.accepted_at),
        "headline": incident.headline,
        "findings": [_finding_row(finding) for finding in incident.findings],
        "acknowledged": given[-1].name if given else incident.acknowledged,
        "revision": incident.revision,
        "quiet_hours": incident.quiet_hours,
        "acknowledgements": [_acknowledgement_row(one) for one in given],
    }


def _acknowledgement_row(one: Acknowledgement) -> dict[str, Any]:
    return {
        "acknowledgement": one.name,
        "given_by": one.given_by,
        "note": one.note,
        "given_at": one.given_at,
        "known_from": hour_time(one.known_from),
    }


def _finding_row(finding: Finding) -> dict[str, Any]:
    kind, value, feature = channel_row(finding.channel)
    text = None if finding.channel is None else finding.channel.text
    channel = {"channel": text, "channel_kind": kind, "channel_value": value, "channel_feature": feature}
    row = dataclasses.asdict(finding)
    times = {name: _at(row[name]) for name in ("since", "detected", "last", "accepted_at")}
    return {**row, **channel, **times}


def _at(hour: int | None) -> datetime | None:
    return None if hour is None else hour_time(hour)


def _echo(incident: Incident, given: Sequence[Acknowledgement]) -> None:
    echo(f"{incident.incident_id}  {incident.state:<9}  {_whose(incident)}", bold=True)
    echo(f"  {incident.headline}")
    accepted = "" if incident.accepted_at is None else f", the new normal from {_time(incident.accepted_at)}"
    echo(
        f"  since {_time(incident.since)}, detected {_time(incident.detected)}, "
        f"last {_time(incident.last)} UTC{accepted}"
    )
    for finding in incident.findings:
        echo(f"    {_finding_line(finding)}")
    for one in given:
        note = f": {one.note}" if one.note else ""
        echo(f"  {one.name}, by {one.given_by or 'somebody'} at {_given(one)}{note}")


def _finding_line(finding: Finding) -> str:
    where = f" in {finding.segment}" if finding.segment else ""
    moved = f"{finding.expected:.2%} -> {finding.observed:.2%}"
    channel = "" if finding.channel is None else finding.channel.text
    says_all = finding.channel is not None and finding.channel.kind in _SAYS_ALL
    moved = "" if says_all else f" {moved}"
    against = f"{finding.scale_hours} h against {finding.reference}"
    return f"{finding.feature}{where}: {channel}{moved}  ({against}, since {_time(finding.since)})"


def _whose(incident: Incident) -> str:
    model, version, environment = incident.stream
    return f"{model} {version} ({environment})"


def _given(one: Acknowledgement) -> str:
    return f"{one.given_at:%Y-%m-%d %H:%M}" if one.given_at else "some time"


def _time(hour: int) -> str:
    return f"{hour_time(hour):%Y-%m-%d %H:%M}"
