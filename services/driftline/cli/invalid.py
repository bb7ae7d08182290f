"""What is invalid, and by which rules."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

from driftline.cli.options import clean_errors, json_option, model_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.cli.times import since_option
from driftline.store.invalid import read_invalid
from driftline.store.rules import read_rules, set_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from driftline.store.connection import Connection
    from driftline.store.rules import Rule


@click.command()
@store_option
@model_option
@click.option("--version", "model_version", help="Of this version only.")
@since_option("Of events since")
@json_option
@clean_errors
def invalid(
    store_url: str, model_name: str | None, model_version: str | None, since: datetime | None, as_json: bool
) -> None:
    """Count values that broke a rule, by feature and reason, with events to trace."""
    question = partial(read_invalid, model_name=model_name, model_version=model_version, since=since)
    found = [dataclasses.asdict(count) for count in ask_store(store_url, question)]
    if as_json:
        echo_json(found)
    elif not found:
        echo("nothing invalid has landed; 'driftline rules MODEL' shows what is checked")
    else:
        columns = "model_name model_version environment feature reason count rows newest example"
        echo_table([{**line, "example": line["examples"][0]} for line in found], columns.split())


@click.command()
@click.argument("model_name")
@store_option
@click.option(
    "--set",
    "overrides",
    type=click.File(encoding="utf-8"),
    help="JSON: an object of features, each an object of fields, or null to check nothing; - reads it from "
    "standard input.",
)
@json_option
@clean_errors
def rules(model_name: str, store_url: str, overrides: TextIO | None, as_json: bool) -> None:
    """Show the rules of a model's versions, or set some by hand."""
    given = _read_overrides(overrides) if overrides else None

    def answer(connection: Connection) -> Mapping[str, Mapping[str, Rule]]:
        if given is not None:
            set_rules(connection, model_name, given)
        return read_rules(connection, model_name)

    found = ask_store(store_url, answer, use="read" if given is None else "write")
    if as_json:
        by_version = {
            version: {name: dataclasses.asdict(rule) for name, rule in features.items()}
            for version, features in found.items()
        }
        echo_json(by_version)
        return
    lines = [
        {"version": version or "(set by hand)", "feature": name, "kind": rule.kind, "valid": described(rule)}
        for version, features in found.items()
        for name, rule in sorted(features.items())
    ]
    if lines:
        echo_table(lines, ["version", "feature", "kind", "valid"])
    else:
        echo(f"{model_name} has no rules yet: its reference, or 5,000 predictions, must land first")


def _read_overrides(file: TextIO) -> Mapping[str, Any]:
    """Return what a file says is to be set; `set_rules` looks at the fields."""
    try:
        given = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"{file.name} is no JSON: {error}", param_hint="--set") from error
    values = given.values() if isinstance(given, dict) else [given]
    if not all(value is None or isinstance(value, dict) for value in values) or not isinstance(given, dict):
        example = '{"age": {"minimum": 0}, "note": null}'
        raise click.BadParameter(f"{file.name} holds no object such as {example}", param_hint="--set")
    return given


def described(rule: Rule) -> str:
    """Return what a value must be like, for a person."""
    parts = []
    if rule.minimum is not None or rule.maximum is not None:
        low, high = ("" if limit is None else f"{limit:.6g}" for limit in (rule.minimum, rule.maximum))
        parts.append(f"{low}..{high}")
    if rule.allowed is not None:
        parts.append(f"one of {', '.join(rule.allowed)}")
    forbidden = {
        "missing": rule.may_be_missing,
        "absent": rule.may_be_absent,
        "NaN or infinite": rule.may_be_not_finite,
    }
    if never := [name for name, may in forbidden.items() if not may]:
        parts.append(f"never {' or '.join(never)}")
    return "; ".join(parts) or "anything"
