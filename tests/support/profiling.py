"""Raw rows that are put into the store past log and lander, and a process that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.store.counted import events

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Died(BaseException):
    """Nothing catches it: as if the process ended here."""


def together(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def insert_rows(client: Client, model: str, columns: dict[str, Any], session: str) -> None:
    """Land rows in one block, as a lander does, under a session of their own."""
    names = [
        *("event_id", "event_time", "model_name", "model_version", "training_run_id", "session_id"),
        *("sequence", "environment", "prediction_label"),
        *("numeric_features", "categorical_features", "missing_features"),
    ]
    rows = [
        f"(generateUUIDv4(), {event['event_time']}, '{model}', '3', 'r', '{session}', {place + 1}, "
        f"'production', 'yes', {_map(event, float)}, {_map(event, str)}, {_missing(event)})"
        for place, event in enumerate(events(columns))
    ]
    client.command(f"INSERT INTO prediction_inbox ({', '.join(names)}) VALUES {', '.join(rows)}")


def _map(event: dict[str, Any], kind: type) -> str:
    features = event["features"].items()
    entries = [f"'{name}', {_literal(value)}" for name, value in features if isinstance(value, kind)]
    return f"map({', '.join(entries)})" if entries else "map()"


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else f"toFloat64('{value}')"


def _missing(event: dict[str, Any]) -> list[str]:
    return [name for name, value in event["features"].items() if value is None]
