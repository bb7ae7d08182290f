"""Outcomes: what is known of the truth of predictions, at this moment or as of an earlier one.

Every outcome is kept with the time at which it landed first. Of an event's outcomes the truth is what the one
with the highest revision says that says any, of those with the same revision the one that was logged last;
and whether somebody acted on the prediction likewise. So the order of arrival decides nothing, and what was
known at a time follows from the outcomes that had landed by then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from driftline.domain.outcomes import Truth

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.store.connection import Connection

NEWER = "(revision, ifNull(logged_time, observed_time), observed_time, session_id, sequence, content)"
"""SQL: by which of an event's outcomes one is newer than another."""

_SAYS = "(isNotNull(actual_label) OR isFinite(ifNull(actual_number, nan)))"

TRUTH = f"""
    argMaxIf((if(isFinite(ifNull(actual_number, nan)), actual_number, NULL), actual_label), {NEWER}, {_SAYS})
        AS truth,
    ifNull(argMaxIf(acted_on, {NEWER}, isNotNull(acted_on)), false) AS is_acted_on,
    uniqExact(session_id, sequence, content) AS outcomes,
    countIf({_SAYS}) > 0 AS is_known,
    minIf(landed_at, {_SAYS}) AS first_landed,
    minIf(observed_time, {_SAYS}) AS first_observed
"""
"""SQL: what an event's outcomes come to, as columns of a query that groups by event_id. A record that was
landed twice changes nothing, be it merged or not."""

_TRUTHS = f"""
SELECT event_id, {TRUTH} FROM outcomes
WHERE event_id IN {{events:Array(UUID)}} AND landed_at <= {{as_of:DateTime64(3, 'UTC')}} GROUP BY event_id
"""
_OUTCOMES = f"""
SELECT * EXCEPT (content, earliness) FROM outcomes FINAL WHERE event_id = {{event:UUID}} ORDER BY {NEWER}
"""

_AT_ONCE = 5_000

FOREVER = datetime(2299, 1, 1, tzinfo=UTC)
"""As of this time all is known that there is."""


def read_truths(
    connection: Connection, event_ids: Collection[str], *, as_of: datetime = FOREVER
) -> Mapping[str, Truth]:
    """Return what is known of predictions; those without any outcome are left out.

    Args:
        connection: to the store.
        event_ids: UUIDs; of predictions that have landed, or not yet, or never.
        as_of: by what had landed at that time, by the store's clock.
    """
    wanted = [UUID(each) for each in event_ids]
    found: dict[str, Truth] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        bound = {"events": wanted[start : start + _AT_ONCE], "as_of": as_of}
        rows = connection.named_rows(_TRUTHS, parameters=bound)
        found |= {str(row["event_id"]): _truth(row) for row in rows}
    return found


def _truth(row: Mapping[str, Any]) -> Truth:
    is_known = bool(row["is_known"])
    number, label = row["truth"] if is_known else (None, None)
    return Truth(
        number=number,
        label=label,
        acted_on=bool(row["is_acted_on"]),
        outcomes=int(row["outcomes"]),
        first_landed=row["first_landed"].replace(tzinfo=UTC) if is_known else None,
        first_observed=row["first_observed"].replace(tzinfo=UTC) if is_known else None,
    )


def read_outcomes(connection: Connection, event_id: str) -> Sequence[dict[str, Any]]:
    """Return all outcomes of a prediction, by column; the one that counts comes last.

    The truth of an answer with several outputs stands under ``actuals``, by output.

    Args:
        connection: to the store.
        event_id: a UUID.
    """
    rows = connection.named_rows(_OUTCOMES, {"event": event_id})
    for row in rows:
        row["actuals"] = {**row.pop("numeric_actuals"), **row.pop("categorical_actuals")}
    return rows
