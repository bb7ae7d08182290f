"""Commands that ask the store: they answer while ``driftline up`` runs, and when it does not."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.times import since_option
from driftline.embedded import open_store
from driftline.store import ask
from driftline.store.ledger import read_ledger
from driftline.store.url import EmbeddedUrl, parse_store_url
from driftline.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from driftline.store.connect import Use
    from driftline.store.connection import Connection


T = TypeVar("T")


def ask_store(store_url: str, question: Callable[[Connection], T], *, use: Use = "read") -> T:
    """Answer a question out of a store; without ``make``, one that is there.

    Raises:
        DriftlineError: as ``open_store`` and ``ask``.
    """
    with open_store(store_url, use=use) as store:
        return ask(store, question, use=use, patience_s=patience_with(store_url))


def patience_with(store_url: str) -> float:
    """Return for how many seconds a command tries again: an embedded store's owner may be changing now."""
    return 10.0 if isinstance(parse_store_url(store_url), EmbeddedUrl) else 0.0


@click.command()
@store_option
@model_option
@since_option("Of sessions that logged after")
@json_option
@clean_errors
def completeness(store_url: str, model_name: str | None, since: datetime | None, as_json: bool) -> None:
    """Show, per model version, what was sent, landed, is missing or doubled."""
    found = ask_store(store_url, partial(read_ledger, model_name=model_name or "", since=since))
    lines = [dataclasses.asdict(line) for line in found]
    if as_json:
        echo_json(lines)
    elif lines:
        echo_table([{**line, "set_aside": _counts(line["set_aside"])} for line in lines], list(lines[0]))
    else:
        echo("nothing has landed yet")


def _counts(counts: Mapping[str, int]) -> str:
    """Return counts by name as a short text."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "0"


@click.command()
@store_option
@model_option
@since_option("Of windows that ended after")
@click.option("--verdict", "names", multiple=True, help="Of this name only, such as page; may be repeated.")
@click.option("--limit", default=1000, show_default=True, help="At most so many.")
@json_option
@clean_errors
def verdicts(
    store_url: str,
    model_name: str | None,
    since: datetime | None,
    names: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List drift verdicts, the newest first."""
    chosen = partial(read_verdicts, model_name=model_name, since=since, verdicts=names, limit=limit)
    found = ask_store(store_url, chosen)
    if as_json:
        echo_json(found)
        return
    columns = "window_end model_name model_version feature reference scale_hours verdict revision effect"
    echo_table([_shown(row) for row in found], [*columns.split(), "sample_size", "completeness", "reason"])


def _shown(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a verdict as it is listed: the reason of its revision behind its own."""
    because = row["revised_because"]
    return {**row, "reason": f"{row['reason']} [revised: {because}]"} if because else row
