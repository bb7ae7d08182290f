"""Commands that ask the store: they answer while ``driftline up`` runs, and when it does not."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.store import ask, open_store
from driftline.store.ledger import read_ledger
from driftline.store.trace import trace as trace_prediction
from driftline.store.url import EmbeddedUrl, parse_store_url
from driftline.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.store.connect import Use


T = TypeVar("T")


def ask_store(store_url: str, question: Callable[[Client], T], *, use: Use = "read") -> T:
    """Answer a question out of a store; without ``make``, one that is there.

    Raises:
        DriftlineError: as ``open_store`` and ``ask``.
    """
    with open_store(store_url, use=use) as store:
        return ask(store, question, use=use, patience_s=patience_with(store_url))


def patience_with(store_url: str) -> float:
    """Return for how many seconds a command tries again: an embedded store's owner may be changing now."""
    return 10.0 if isinstance(parse_store_url(store_url), EmbeddedUrl) else 0.0


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: times in ISO 8601 (UTC), the rest as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def echo_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False))


def echo_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as aligned columns under a heading."""
    cells = [list(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


@click.command()
@click.argument("event_id")
@store_option
@json_option
@clean_errors
def trace(event_id: str, store_url: str, as_json: bool) -> None:
    """Show one prediction, back to its training run."""
    found = ask_store(store_url, lambda client: trace_prediction(client, event_id))
    if as_json:
        echo_json(found)
        return
    for title in ("prediction", "training_run"):
        click.secho(title.replace("_", " "), bold=True)
        if found[title] is None:
            click.echo(f"  run {found['prediction']['training_run_id']!r} was never registered")
        for name, value in (found[title] or {}).items():
            if value not in (None, {}, [], ""):
                click.echo(f"  {name:<22}{json.dumps(plain(value), ensure_ascii=False)}")
    click.secho("outcomes", bold=True)
    for outcome in found["outcomes"]:
        actual = outcome["actual_label"] if outcome["actual_number"] is None else outcome["actual_number"]
        click.echo(f"  {outcome['observed_time']:%Y-%m-%d %H:%M:%S}   {actual}")
    click.secho("findings in its windows", bold=True)
    for verdict in found["verdicts"]:
        click.echo(f"  {verdict['verdict']:<5} {verdict['scale_hours']:>3} h  {verdict['reason']}")


@click.command()
@store_option
@json_option
@clean_errors
def completeness(store_url: str, as_json: bool) -> None:
    """Show, per model version, what was sent, landed, is missing or doubled."""
    lines = [dataclasses.asdict(line) for line in ask_store(store_url, read_ledger)]
    if as_json:
        echo_json(lines)
    elif lines:
        echo_table(lines, list(lines[0]))
    else:
        click.echo("nothing has landed yet")


@click.command()
@store_option
@click.option("--model", "model_name", help="Of this model only.")
@click.option(
    "--since", help="Of windows that ended after this time (ISO 8601; UTC unless it says otherwise)."
)
@click.option("--verdict", "names", multiple=True, help="Of this name only, such as page; may be repeated.")
@click.option("--limit", default=1000, show_default=True, help="At most so many.")
@json_option
@clean_errors
def verdicts(
    store_url: str,
    model_name: str | None,
    since: str | None,
    names: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List drift verdicts, the newest first."""
    after = parse_time(since) if since else None
    chosen = partial(read_verdicts, model_name=model_name, since=after, verdicts=names, limit=limit)
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


def parse_time(text: str) -> datetime:
    """Return a time that was given as text; UTC unless it says otherwise."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time in ISO 8601, such as 2026-01-31T12:00") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
