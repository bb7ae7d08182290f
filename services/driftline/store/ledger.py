"""The completeness ledger: of what each session accepted, how much landed, how much is missing or doubled.

A session numbers its predictions 1, 2, 3, ... and says in its beats how far it is. The landed numbers are
kept as bitmaps, exact and mergeable, so that the ledger reads sessions and never rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

# One row a session. A session without a beat yet has sent at least its highest landed number.
_SESSIONS = """
SELECT
    if(l.session_id != '', l.session_id, b.session_id) AS session_id,
    if(l.session_id != '', l.model_name, b.model_name) AS model_name,
    if(l.session_id != '', l.model_version, b.model_version) AS model_version,
    if(l.session_id != '', l.environment, b.environment) AS environment,
    greatest(l.last_sequence, b.last_sequence) AS sent,
    l.landed AS landed,
    l.rows - l.landed AS duplicates,
    arraySum(mapValues(b.abandoned)) AS abandoned,
    arraySum(mapValues(b.dropped)) + abandoned AS dropped,
    least(d.letters, sent - landed) AS dead_lettered,
    sent - landed - least(abandoned + dead_lettered, sent - landed) AS missing
FROM
(
    SELECT
        session_id,
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        toString(environment) AS environment,
        sum(rows) AS rows, groupBitmapMerge(sequences) AS landed, max(last_sequence) AS last_sequence
    FROM session_profiles WHERE session_id != '' GROUP BY session_id, model_name, model_version, environment
) AS l
FULL JOIN
(
    SELECT
        session_id,
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        toString(environment) AS environment,
        last_sequence, dropped, abandoned
    FROM sessions FINAL
) AS b USING (session_id, model_name, model_version, environment)
LEFT JOIN
(
    SELECT session_id, count() AS letters FROM dead_letters FINAL
    WHERE topic = 'driftline.predictions' AND session_id != '' AND replayed_at IS NULL GROUP BY session_id
) AS d ON d.session_id = if(l.session_id != '', l.session_id, b.session_id)
"""

_GAPS = """
SELECT before_hour, hour, sequence - before - 1 AS missing
FROM
(
    SELECT
        sequence,
        intDiv(toUnixTimestamp(event_time), 3600) AS hour,
        lagInFrame(sequence, 1, 0) OVER session AS before,
        lagInFrame(hour, 1, hour) OVER session AS before_hour
    FROM predictions
    WHERE session_id = {session:String} AND model_name = {model:String}
    WINDOW session AS (ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE sequence > before + 1
"""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """What is known of one model version's predictions in one environment.

    Args:
        model_name: the model.
        model_version: its version.
        environment: where it served.
        sent: predictions that its sessions accepted (the highest number they gave).
        landed: different predictions in the store.
        missing: sent, and neither landed nor given up nor a dead letter: still under way, or lost.
        duplicates: rows in the store beyond the first of a prediction.
        dropped: predictions that sessions refused or gave up, and counted.
        dead_lettered: predictions that can't be landed as they are, and are kept as dead letters.
        ratio: landed of sent; 1 where nothing was sent.
    """

    model_name: str
    model_version: str
    environment: str
    sent: int
    landed: int
    missing: int
    duplicates: int
    dropped: int
    dead_lettered: int
    ratio: float


def read_ledger(client: Client) -> Sequence[LedgerLine]:
    """Return the ledger, a line a model version and environment."""
    keys = "model_name, model_version, environment"
    rows = client.query(
        f"SELECT {keys}, sum(sent), sum(landed), sum(missing), sum(duplicates), sum(dropped), "
        "sum(dead_lettered) "
        f"FROM ({_SESSIONS}) GROUP BY {keys} ORDER BY {keys}",
        settings={"join_use_nulls": 0},
    ).result_rows
    return [
        LedgerLine(model, version, where, sent, landed, gone, twice, refused, dead, _share(landed, sent))
        for model, version, where, sent, landed, gone, twice, refused, dead in rows
    ]


def _share(landed: int, sent: int) -> float:
    return landed / sent if sent else 1.0


def missing_by_hour(
    client: Client, *, model_name: str, model_version: str, environment: str
) -> Mapping[int, float]:
    """Return how many predictions are missing in which hour (hours since the Unix epoch, UTC).

    A missing prediction has no time; it is counted, in equal parts, in the hours from the landed prediction
    before it to the landed one behind it. Those at a session's end are counted in its last hour; those of a
    session of which nothing landed, in the hour of its newest beat.
    Sessions without loss cost nothing here.
    """
    sessions = client.query(
        f"SELECT session_id, sent FROM ({_SESSIONS}) WHERE missing > 0 AND model_name = {{model:String}} "
        "AND model_version = {version:String} AND environment = {environment:String}",
        parameters={"model": model_name, "version": model_version, "environment": environment},
        settings={"join_use_nulls": 0},
    ).result_rows
    missing: dict[int, float] = {}
    for session_id, sent in sessions:
        bound = {"session": session_id, "model": model_name}
        gaps = list(client.query(_GAPS, parameters=bound).result_rows)
        ends = client.query(
            "SELECT max(sequence), intDiv(toUnixTimestamp(max(event_time)), 3600) FROM predictions "
            "WHERE session_id = {session:String} AND model_name = {model:String}",
            parameters=bound,
        ).result_rows
        last, last_hour = ends[0]
        if not last:
            beats = client.query(
                "SELECT intDiv(toUnixTimestamp(beat_time), 3600) FROM sessions FINAL "
                "WHERE session_id = {session:String}",
                parameters=bound,
            ).result_rows
            last_hour = beats[0][0]
        if sent > last:
            gaps.append((last_hour, last_hour, sent - last))
        for before_hour, hour, count in gaps:
            first, end = min(before_hour, hour), max(before_hour, hour) + 1
            for each in range(first, end):
                missing[each] = missing.get(each, 0.0) + count / (end - first)
    return missing
