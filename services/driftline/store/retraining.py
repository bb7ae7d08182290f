"""Decisions about training again, and who allowed or stopped it; only ever added to."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.retraining import Permission, RetrainDecision, Why
from driftline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.store.connection import Connection

_NAMES = [field.name for field in dataclasses.fields(RetrainDecision)]
_PERMISSION_NAMES = [field.name for field in dataclasses.fields(Permission)]
_ATTEMPTS = 5


def write_decision(connection: Connection, decision: RetrainDecision) -> None:
    """Write a decision. Again changes nothing."""
    connection.insert("retrain_decisions", [_row(decision)], column_names=_NAMES)


def start_training(connection: Connection, decision: RetrainDecision) -> bool:
    """Write a decision that starts training; return whether it is this one, and not another at once.

    Two that start at once have the same id, and write under the same token: the engine takes one of the two.
    A token alone can lie, where the engine was killed between noting it and writing: then the next is tried.
    """
    for attempt in range(_ATTEMPTS):
        token = f"{decision.decision_id} {attempt}"
        settings = {"insert_deduplicate": 1, "insert_deduplication_token": token}
        connection.insert("retrain_decisions", [_row(decision)], column_names=_NAMES, settings=settings)
        held = connection.rows(
            "SELECT decided_by, facts FROM retrain_decisions "
            "WHERE decision_id = {id:String} AND action = 'retrain' ORDER BY decided_at LIMIT 1",
            {"id": decision.decision_id},
        )
        if held:
            return tuple(held[0]) == (decision.decided_by, json.dumps(dict(decision.facts)))
    raise StoreError(f"the store takes decision {decision.decision_id} and does not hold it")


def read_decisions(
    connection: Connection,
    *,
    model_name: str = "",
    environment: str = "",
    action: str = "",
    since: datetime | None = None,
    limit: int = 1000,
) -> Sequence[RetrainDecision]:
    """Return decisions, the newest first.

    Args:
        connection: to the store.
        model_name: of this model only; empty: of all.
        environment: of this environment only; empty: of all.
        action: of this action only; empty: of all.
        since: of this time or later.
        limit: at most so many.
    """
    rows = connection.rows(
        f"SELECT {', '.join(_NAMES)} FROM retrain_decisions FINAL "
        "WHERE ({model:String} = '' OR model_name = {model:String}) "
        "AND ({environment:String} = '' OR environment = {environment:String}) "
        "AND ({action:String} = '' OR action = {action:String}) "
        "AND decided_at >= {since:DateTime64(3, 'UTC')} "
        "ORDER BY decided_at DESC, decision_id LIMIT {limit:UInt32}",
        {
            "model": model_name,
            "environment": environment,
            "action": action,
            "since": since or datetime(1970, 1, 1, tzinfo=UTC),
            "limit": limit,
        },
    )
    return [_decision(dict(zip(_NAMES, row, strict=True))) for row in rows]


def write_permission(connection: Connection, permission: Permission) -> None:
    """Write that somebody approves, stops or allows."""
    row = [getattr(permission, name) for name in _PERMISSION_NAMES]
    connection.insert("retrain_permissions", [row], column_names=_PERMISSION_NAMES)


def read_permissions(connection: Connection, model_name: str) -> Sequence[Permission]:
    """Return what was approved, stopped and allowed of a model or of all, the newest first."""
    rows = connection.rows(
        f"SELECT {', '.join(_PERMISSION_NAMES)} FROM retrain_permissions "
        "WHERE model_name IN ('', {model:String}) ORDER BY given_at DESC LIMIT 1000",
        {"model": model_name},
    )
    return [Permission(model, at.replace(tzinfo=UTC), *rest) for model, at, *rest in rows]


def _row(decision: RetrainDecision) -> Sequence[Any]:
    values = {name: getattr(decision, name) for name in _NAMES}
    values["reasons"] = [(why.code, why.detail) for why in decision.reasons]
    values["facts"] = json.dumps(dict(decision.facts))
    return list(values.values())


def _decision(row: dict[str, Any]) -> RetrainDecision:
    since = row["cause_since"]
    return RetrainDecision(
        **{
            **row,
            "decided_at": row["decided_at"].replace(tzinfo=UTC),
            "cause_since": None if since is None else since.replace(tzinfo=UTC),
            "reasons": tuple(Why(*_pair(each)) for each in row["reasons"]),
            "facts": json.loads(row["facts"]),
        }
    )


def _pair(each: Any) -> tuple[str, str]:
    code, detail = (each["code"], each["detail"]) if isinstance(each, dict) else each
    return str(code), str(detail)
