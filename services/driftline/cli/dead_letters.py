"""``driftline dead-letters``: look at what was refused; send it through again."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, log_option, store_option
from driftline.cli.output import echo, echo_json, echo_table, plain
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.embedded import open_store
from driftline.errors import NotFoundError, WireError
from driftline.lander.replay import replay_dead_letters
from driftline.log import open_log
from driftline.store.dead_letters import DeadLetterFilter, StoredDeadLetter, read_dead_letters
from driftline.wire import decode_record

if TYPE_CHECKING:
    from datetime import datetime

_place = re.compile(r"(?P<topic>[\w.-]+)/(?P<partition>\d+)@(?P<offset>\d+)").fullmatch
_BYTES_A_LINE = 16
_SHOWN_BYTES = 1024


@click.group("dead-letters")
def dead_letters() -> None:
    """Records that could not be landed."""


@dead_letters.command("list")
@store_option
@click.option("--topic", help="Of this topic only.")
@click.option("--reason", help="Refused for this reason only.")
@click.option("--model", "model_name", help="Of this model's sessions only, as far as they are known.")
@since_option("Refused after")
@click.option("--all", "with_replayed", is_flag=True, help="Also those that were landed since.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@json_option
@clean_errors
def list_command(
    store_url: str,
    topic: str | None,
    reason: str | None,
    model_name: str | None,
    since: datetime | None,
    with_replayed: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List them, the newest first: where each stood in the log, and why it was refused."""
    chosen = DeadLetterFilter(
        topic=topic,
        reason=reason,
        waiting=not with_replayed,
        model_name=model_name,
        since=since,
    )
    found = [
        _row(dead_letter)
        for dead_letter in ask_store(store_url, lambda ask: read_dead_letters(ask, chosen, limit=limit))
    ]
    if as_json:
        echo_json(found)
    elif found:
        echo_table(
            found, ["refused_time", "place", "reason", "session_id", "sequence", "replayed_at", "detail"]
        )
    else:
        echo("no dead letters")


@dead_letters.command("show")
@click.argument("place", metavar="TOPIC/PARTITION@OFFSET")
@store_option
@json_option
@clean_errors
def show_command(place: str, store_url: str, as_json: bool) -> None:
    """Show one with its bytes, and what can be read of them."""
    chosen = _filter(place)
    found = ask_store(store_url, lambda connection: read_dead_letters(connection, chosen, limit=10))
    if not found:
        raise NotFoundError(f"no dead letter stood at {place}; `driftline dead-letters list --all` shows all")
    rows = [_row(dead_letter) | {"event": _readable(dead_letter.value)} for dead_letter in found]
    if as_json:
        echo_json(rows)
        return
    for row, dead_letter in zip(rows, found, strict=True):
        for name, value in row.items():
            if name not in {"value_hex", "event"}:
                echo(f"{name:<14}{plain(value)}")
        for name, value in (row["event"] or {}).items():
            echo(f"  {name:<22}{plain(value)}")
        echo(_dump(dead_letter.value), lines=True)


@dead_letters.command("replay")
@click.argument("place", metavar="[TOPIC/PARTITION@OFFSET]", required=False)
@log_option
@store_option
@click.option("--topic", help="Those of this topic only.")
@click.option("--reason", help="Those refused for this reason only.")
@click.option("--limit", default=100_000, show_default=True, help="At most so many.")
@json_option
@clean_errors
def replay_command(
    place: str | None,
    log_url: str,
    store_url: str,
    topic: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Land dead letters again, after the cause was mended: all that wait, or those chosen. Each lands once.

    What is refused again stays a dead letter, with what is wrong now. May be interrupted, and repeated.
    """
    chosen = _filter(place) if place else DeadLetterFilter(topic=topic, reason=reason)
    with open_log(log_url) as log, open_store(store_url, use="write") as store:
        outcome = replay_dead_letters(log, store, chosen, limit=limit)
    if as_json:
        echo_json(dataclasses.asdict(outcome))
    else:
        echo(f"{outcome.landed} landed, {outcome.refused} refused again")


def _filter(place: str) -> DeadLetterFilter:
    match = _place(place)
    if match is None:
        raise click.BadParameter(f"{place!r} is no place in a log, such as driftline.predictions/0@1234")
    return DeadLetterFilter(
        topic=match["topic"], partition=int(match["partition"]), offset=int(match["offset"]), waiting=False
    )


def _row(dead_letter: StoredDeadLetter) -> dict[str, Any]:
    row = {"place": dead_letter.place} | dataclasses.asdict(dead_letter)
    row["value_hex"] = row.pop("value").hex()
    return row


def _readable(value: bytes) -> dict[str, Any] | None:
    try:
        return decode_record(value)[1]
    except WireError:
        return None


def _dump(value: bytes) -> str:
    """Return the beginning of some bytes as hexadecimal digits and text."""
    lines = []
    for start in range(0, min(len(value), _SHOWN_BYTES), _BYTES_A_LINE):
        part = value[start : start + _BYTES_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{3 * _BYTES_A_LINE}} {text}")
    if len(value) > _SHOWN_BYTES:
        lines.append(f"... {len(value):,} bytes in all")
    return "\n".join(lines)
