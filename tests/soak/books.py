"""The books at the end of a soak: what clients say they logged against what the store holds, to the event."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from driftline.store.ledger import read_ledger
from driftline.store.visible import visible
from tests.soak.odd import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

_SESSIONS = """
SELECT
    session_id, toString(model_version) AS version, countDistinct(sequence) AS landed, max(sequence) AS last,
    count() AS rows
FROM predictions WHERE model_name = 'soak' GROUP BY session_id, version
"""
_OUTCOMES = """
SELECT session_id, countDistinct(sequence) AS landed, max(sequence) AS last
FROM outcomes WHERE model_name = 'soak' GROUP BY session_id
"""
_HEARTBEATS = """
SELECT session_id, last_sequence, last_outcome_sequence, abandoned
FROM sessions FINAL WHERE model_name = 'soak'
"""
_STREAM = "model_name, model_version, environment, toStartOfHour(event_time)"
_HOUR = "model_name, model_version, environment, hour"
# What derived rows count, by group, and the same of the raw rows.
_DERIVED = {
    "rows": f"SELECT {_HOUR}, segment, count FROM profiles WHERE kind = 'rows'",
    "numeric": f"""
        SELECT {_HOUR}, feature, arraySum(counts) + nans + infinities FROM profiles WHERE kind = 'numeric'
    """,
    "categorical": f"""
        SELECT {_HOUR}, (feature, value), n FROM profiles
        ARRAY JOIN arrayPushBack(values, '') AS value, arrayPushBack(counts, folded) AS n
        WHERE kind = 'categorical'
    """,
    "missing": f"SELECT {_HOUR}, feature, count FROM profiles WHERE kind = 'missing'",
    "sessions": f"SELECT {_HOUR}, toString(session_id), rows FROM session_hours WHERE 1",
}
_RAW = {
    "rows": f"SELECT {_STREAM}, '', 1 FROM predictions",
    "numeric": f"""
        SELECT {_STREAM}, arrayJoin(arrayConcat(
            mapKeys(numeric_features), if(prediction_number IS NULL, [], ['prediction.number']))), 1
        FROM predictions
    """,
    "categorical": f"""
        SELECT {_STREAM}, arrayJoin(arrayConcat(
            arrayZip(mapKeys(categorical_features), mapValues(categorical_features)),
            if(prediction_label IS NULL, [], [('prediction.label', toString(prediction_label))]))), 1
        FROM predictions
    """,
    "missing": f"SELECT {_STREAM}, arrayJoin(missing_features), 1 FROM predictions",
    "sessions": f"SELECT {_STREAM}, toString(session_id), 1 FROM predictions",
}


@dataclass
class Books:
    """How the books stand.

    Args:
        sessions: how many logging sessions there were, by how they ended: in order, or killed.
        accepted: predictions that sessions gave a number, as far as the store knows.
        landed: different predictions in the store.
        rows: rows there.
        abandoned: predictions that were numbered and given up, as their session reported, by reason.
        dropped: events refused before they had a number, by reason; of sessions that ended in order.
        outcomes: outcomes landed.
        dead_lettered: dead letters in the store.
        missing: what the ledger misses.
        doubled: what the ledger has twice.
        wrong: what does not balance, in words; empty when all is well.
    """

    sessions: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    landed: int = 0
    rows: int = 0
    abandoned: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    outcomes: int = 0
    dead_lettered: int = 0
    missing: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)


def read_journals(folder: Path) -> Mapping[str, dict[str, Any]]:
    """Return the last line that each session wrote, by session id; a line cut short by a kill is none."""
    last: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            last[line["session"]] = line
    return last


def check_books(
    client: Client, journals: Mapping[str, dict[str, Any]], poison: int, odd: Mapping[str, int] | None = None
) -> Books:
    """Compare everything with everything, once all that landed is derived.

    Args:
        client: of the store.
        journals: what sessions say, as `read_journals` returns it.
        poison: how many records nobody could land.
        odd: how many odd events had to land, by kind.
    """
    books = Books()
    _check_odd(client, odd or {}, books)
    _check_sessions(client, journals, books)
    _check_ledger(client, books, poison)
    for kind in _DERIVED:
        _check_derived(client, kind, books)
    return books


def _check_odd(client: Client, odd: Mapping[str, int], books: Books) -> None:
    """Compare the odd events, each kind a model of its own: rows, and what the ledger says of them."""
    lines = {line.model_name: line for line in read_ledger(client)}
    for kind, accepted in odd.items():
        named = {"model": MODELS[kind]}
        query = "SELECT count(), uniqExact(sequence) FROM predictions WHERE model_name = {model:String}"
        ((rows, landed),) = client.rows(query, parameters=named)
        line = lines.get(MODELS[kind])
        counted = (line.sent, line.landed, line.missing, line.duplicates) if line else (0, 0, 0, 0)
        if (rows, landed, counted) != (accepted, accepted, (accepted, accepted, 0, 0)):
            books.wrong.append(f"odd, {kind}: logged {accepted}, {rows} rows, ledger {counted}")


def _check_sessions(client: Client, journals: Mapping[str, dict[str, Any]], books: Books) -> None:
    landed = {row["session_id"]: row for row in _rows(client, _SESSIONS)}
    outcomes = {row["session_id"]: row for row in _rows(client, _OUTCOMES)}
    heartbeats = {row["session_id"]: row for row in _rows(client, _HEARTBEATS)}
    for session, line in journals.items():
        rows = landed.get(session, {"landed": 0, "last": 0, "rows": 0})
        truths = outcomes.get(session, {"landed": 0, "last": 0})
        heartbeat = heartbeats.get(
            session, {"last_sequence": 0, "last_outcome_sequence": 0, "abandoned": {}, "final": False}
        )
        abandoned = sum(heartbeat["abandoned"].values())
        last = max(rows["last"], heartbeat["last_sequence"])
        books.abandoned.update(heartbeat["abandoned"])
        books.rows += rows["rows"]
        books.landed += rows["landed"]
        books.outcomes += truths["landed"]
        books.accepted += last
        problem = ""
        if rows["rows"] != rows["landed"]:
            problem = f"{rows['rows'] - rows['landed']} rows doubled"
        elif line["final"]:
            books.sessions["ended in order"] += 1
            books.dropped.update(line["dropped"])
            given_up = sum(line["abandoned"].values())
            if line["accepted"] != heartbeat["last_sequence"] + heartbeat["last_outcome_sequence"]:
                problem = f"accepted {line['accepted']}, its last heartbeat says {heartbeat}"
            elif rows["landed"] + truths["landed"] + given_up != line["accepted"]:
                problem = (
                    f"accepted {line['accepted']}, landed {rows} and outcomes {truths}, given up {given_up}"
                )
        else:
            books.sessions["killed"] += 1
            if rows["landed"] + abandoned != last or truths["landed"] != truths["last"]:
                problem = f"holes: landed {rows}, outcomes {truths}, heartbeat {heartbeat}"
            elif rows["landed"] + truths["landed"] < line["appended"]:
                problem = f"the log had taken {line['appended']}, landed {rows}, outcomes {truths}"
        if problem:
            books.wrong.append(f"session {session}: {problem}")
    if strangers := set(landed) - set(journals):
        books.wrong.append(f"{len(strangers)} sessions in the store are in no journal")


def _check_ledger(client: Client, books: Books, poison: int) -> None:
    lines = [line for line in read_ledger(client) if line.model_name == "soak"]
    books.missing = sum(line.missing for line in lines)
    books.doubled = sum(line.duplicates for line in lines)
    books.dead_lettered = int(client.rows("SELECT count() FROM dead_letters FINAL")[0][0])
    claims = {
        "missing by the ledger": (books.missing, 0),
        "doubled by the ledger": (books.doubled, 0),
        "landed by the ledger": (sum(line.landed for line in lines), books.landed),
        "sent by the ledger": (sum(line.sent for line in lines), books.accepted),
        "dead letters": (books.dead_lettered, poison),
        "accepted = landed + abandoned": (books.accepted, books.landed + books.abandoned.total()),
    }
    books.wrong += [
        f"{name}: {is_} is not {should}" for name, (is_, should) in claims.items() if is_ != should
    ]


def _check_derived(client: Client, kind: str, books: Books) -> None:
    named = (
        "SELECT (a, b, c, d, e) AS part, toInt64(n) AS amount, {} AS side FROM ({}) AS t (a, b, c, d, e, n)"
    )
    ours = "model_name = 'soak'"  # What is counted of odd events is a matter of its own.
    sides = [
        named.format(1, f"{_DERIVED[kind]} AND {visible()} AND {ours}"),
        named.format(0, f"{_RAW[kind]} WHERE {ours}"),
    ]
    difference = f"""
    SELECT count(), sum(is), sum(should) FROM
    (
        SELECT part, sumIf(amount, side = 1) AS is, sumIf(amount, side = 0) AS should
        FROM ({" UNION ALL ".join(sides)}) GROUP BY part
    )
    WHERE is != should
    """
    ((different, is_, should),) = client.rows(difference)
    if different:
        books.wrong.append(f"{kind}: {different} groups differ, {is_} counted where the rows say {should}")


def _rows(client: Client, query: str) -> Sequence[dict[str, Any]]:
    return list(client.named_rows(query))
