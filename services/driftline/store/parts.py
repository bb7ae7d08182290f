"""Raw rows of a window and of its reference, counted by every tag and category that divides them.

The rows are a sample by the hashes of their event ids, so the same ones come back whenever they are
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import PROVENANCE_TAG, feature_of
from driftline.domain.parts import Condition, Counts, Part
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.judged import ENDS, FINAL
from driftline.store.predictions import PART, read_shown_values, shown_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.domain.incidents import Finding, Incident
    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

MOST_ROWS = 200_000
"""Of a window, and of its reference: of more a sample is counted, unless a smaller one is asked for."""

MOST_VALUES = 50
"""Of a tag or of a categorical feature: one of more values divides the traffic into no parts."""

PATIENCE_S = 5
"""One statement takes at most so long."""

_LARGEST_HASH = 2**64 - 1
_MOST_KNOWN = 20_000
_LONGEST_VALUE = 200
_LEAST_OWN_SHARE = 0.2
_DECILES = ", ".join(f"{each / 10}" for each in range(1, 10))

_WINDOW = f"""
SELECT 1 AS is_window, %(columns)s FROM predictions
WHERE {STREAM} AND hour IN {{hours:Array(DateTime('UTC'))}} AND set_aside = ''
    AND cityHash64(event_id) <= {{limit:UInt64}} AND %(condition)s
"""
_REFERENCE = """
SELECT 0 AS is_window, %(columns)s FROM predictions
WHERE model_name = {model:String} AND model_version IN {versions_before:Array(String)}
    AND environment = {environment_before:String} AND %(hours)s AND set_aside = ''
    AND cityHash64(event_id) <= {limit_before:UInt64} AND %(condition)s
"""
_MATCHED = "hour IN {hours_before:Array(DateTime('UTC'))}"

_COUNT = f"SELECT count() FROM ({_WINDOW})"
_COUNT_BEFORE = """
SELECT toString(model_version) AS version, count() FROM predictions
WHERE model_name = {model:String} AND environment = {environment_before:String} AND %(hours)s
    AND set_aside = '' AND %(condition)s
GROUP BY version
"""
_NUMBERS = f"""
SELECT quantiles({_DECILES})(value), quantile(0.001)(value), quantile(0.999)(value)
FROM (SELECT assumeNotNull(number) AS value FROM ({_REFERENCE}) WHERE isFinite(number))
"""
_TEXTS = (
    f"SELECT groupUniqArray({_MOST_KNOWN})(assumeNotNull(text)) FROM ({_REFERENCE}) WHERE text IS NOT NULL"
)

_HELD = f"""
arrayDistinct(arrayFilter(
    held -> NOT has({{skipped:Array(String)}}, held.1) AND length(held.2) <= {_LONGEST_VALUE},
    arrayConcat(
        arrayMap((key, value) -> (toString(key), value), mapKeys(tags), mapValues(tags)),
        arrayMap((key, value) -> (toString(key), value),
            mapKeys(categorical_features), mapValues(categorical_features)))))
"""
_SUMS = (
    "countIf(is_window), sumForEachIf(moved, is_window), "
    "countIf(NOT is_window) AS before, sumForEachIf(moved, NOT is_window)"
)
# All rows stand under an empty key, which no tag has.
_SINGLES = f"""
SELECT held.1 AS key, held.2 AS value, {_SUMS}
FROM (SELECT is_window, moved, arrayJoin(arrayPushFront(held, ('', ''))) AS held FROM (%(rows)s))
GROUP BY key, value ORDER BY key, count() DESC, value LIMIT {MOST_VALUES + 1} BY key
"""
_PAIRS = f"""
SELECT first.1, first.2, second.1, second.2, {_SUMS}
FROM
(
    SELECT is_window, moved, first, arrayJoin(own) AS second
    FROM
    (
        SELECT is_window, moved, arrayFilter(pair -> has({{keys:Array(String)}}, pair.1), held) AS own,
            arrayJoin(arrayFilter(
                pair -> has({{chosen:Array(Tuple(String, String))}}, pair), held)) AS first
        FROM (%(rows)s)
    )
)
WHERE first.1 != second.1
GROUP BY first, second
"""
_OVERDISPERSION = f"""
SELECT argMax(overdispersion, (coalesce(z, inf), window_end)) FROM drift_verdicts
WHERE {STREAM} AND verdict = 'page' AND {ENDS} AND segment = {{segment:String}}
    AND feature = {{feature:String}} AND kind = {{kind:String}} AND reference = {{reference:String}}
"""

_NUMERIC = frozenset(
    {ChannelKind.AT_MOST, ChannelKind.STUCK, ChannelKind.UNIT_CHANGED, ChannelKind.OUT_OF_RANGE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """Which rows are divided into parts, and what counts as moved. Hours count from the Unix epoch, UTC.

    Args:
        stream: whose rows.
        feature: the key of the feature that moved.
        channel: by what.
        segment: of this part of the traffic only, ``key=value``; empty: of all of it.
        hours: of the window.
        environment_before: of the reference.
        hours_before: of the reference; None: all.
        skipped: tags and categorical features that are no parts, such as those that moved.
        limit: at most about so many rows of the window, and of the reference.
    """

    stream: Stream
    feature: str
    channel: Channel
    segment: str
    hours: Sequence[int]
    environment_before: str
    hours_before: Sequence[int] | None
    skipped: Collection[str] = ()
    limit: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Sampled:
    """Rows that were found, and how to count them.

    Args:
        rows: of the window, before sampling.
        rows_before: of the reference.
        sql: SQL of the rows.
        bound: its parameters.
    """

    rows: int
    rows_before: int
    sql: str
    bound: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Singles:
    """Counts of parts with one condition.

    Args:
        whole: of all rows.
        parts: by part.
        left_out: tags and categorical features of too many values, ascending.
    """

    whole: Counts
    parts: Mapping[Part, Counts]
    left_out: Sequence[str]


def sample_parts(connection: Connection, divided: Divided) -> Sampled:
    """Return which rows are divided: all, or as large a sample as is counted.

    Raises:
        StoreError: the store can't be asked, or this takes too long.
    """
    condition, bound = _bound(divided)
    places = {"columns": "event_id", "condition": condition, "hours": _hours(divided)}
    rows = int(_ask(connection, _COUNT % places, bound)[0][0])
    by_version = {
        str(version): int(count) for version, count in _ask(connection, _COUNT_BEFORE % places, bound)
    }
    own, total = by_version.get(divided.stream.model_version, 0), sum(by_version.values())
    # A version that is young has the past of those before it.
    is_own = divided.stream.environment != divided.environment_before or own >= _LEAST_OWN_SHARE * total
    rows_before = own if is_own else total
    bound |= {
        "versions_before": [divided.stream.model_version] if is_own else list(by_version),
        "limit": _limit(rows, divided.limit),
        "limit_before": _limit(rows_before, divided.limit),
    }
    if not rows or not rows_before:
        return Sampled(rows, rows_before, "", bound)
    base, moved, more = _moved(connection, divided, bound, places)
    if base:
        places = {**places, "condition": f"{condition} AND {base}"}
    places["columns"] = f"{moved} AS moved, {_HELD} AS held"
    return Sampled(
        rows, rows_before, f"{_WINDOW % places} UNION ALL {_REFERENCE % places}", {**bound, **more}
    )


def count_singles(connection: Connection, sampled: Sampled) -> Singles:
    """Return how many rows moved by each value of each tag and category, in one statement.

    Raises:
        StoreError: the store can't be asked, or this takes too long.
    """
    found: dict[str, dict[str, Counts]] = {}
    for key, value, *counts in _ask(connection, _SINGLES % {"rows": sampled.sql}, sampled.bound):
        found.setdefault(key, {})[value] = _counts(counts)
    whole = found.pop("", {}).get("", Counts(0, (0,), 0, (0,)))
    left_out = [key for key, values in found.items() if len(values) > MOST_VALUES]
    parts: dict[Part, Counts] = {
        (Condition(key, (value,)),): counts
        for key, values in found.items()
        if key not in left_out and len(values) > 1
        for value, counts in values.items()
    }
    return Singles(whole, parts, sorted(left_out))


def count_pairs(
    connection: Connection, sampled: Sampled, chosen: Iterable[Part], keys: Collection[str]
) -> Mapping[Part, Counts]:
    """Return how many rows moved by each value of other keys within some parts, in one statement.

    Args:
        connection: to the store.
        sampled: of these rows.
        chosen: parts with one condition.
        keys: the tags and categorical features to divide them by.

    Raises:
        StoreError: the store can't be asked, or this takes too long.
    """
    wanted = [(part[0].key, part[0].values[0]) for part in chosen]
    if not wanted:
        return {}
    bound = {**sampled.bound, "chosen": wanted, "keys": sorted(keys)}
    found: dict[Part, Counts] = {}
    for first_key, first, second_key, second, *counts in _ask(
        connection, _PAIRS % {"rows": sampled.sql}, bound
    ):
        conditions = Condition(first_key, (first,)), Condition(second_key, (second,))
        found[tuple(sorted(conditions))] = _counts(counts)
    return found


def read_overdispersion(connection: Connection, incident: Incident, finding: Finding) -> float:
    """Return the overdispersion of the surest window of a finding; 1 where its verdicts have aged out."""
    bound = {
        **stream_parameters(incident.stream),
        "first": incident.since,
        "end": incident.last,
        "segment": finding.segment,
        "feature": finding.feature,
        "kind": finding.kind,
        "reference": finding.reference,
    }
    rows = connection.rows(_OVERDISPERSION, parameters=bound, settings=FINAL)
    return max(float(rows[0][0] or 1.0), 1.0)


def _ask(connection: Connection, query: str, bound: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    return connection.rows(query, parameters=bound, settings={"max_execution_time": PATIENCE_S})


def _bound(divided: Divided) -> tuple[str, dict[str, Any]]:
    """Return the condition on the part of the traffic, and the parameters that all statements share."""
    key, _, value = divided.segment.partition("=")
    own = feature_of(divided.feature) or ""
    return PART if divided.segment else "1", {
        **stream_parameters(divided.stream),
        "feature": shown_name(divided.feature),
        "key": key,
        "part": value,
        "hours": [hour * 3600 for hour in divided.hours],
        "hours_before": [hour * 3600 for hour in divided.hours_before or ()],
        "environment_before": divided.environment_before,
        "skipped": sorted({own, key, PROVENANCE_TAG, *divided.skipped}),
        "limit": _LARGEST_HASH,
    }


def _hours(divided: Divided) -> str:
    return "1" if divided.hours_before is None else _MATCHED


def _limit(rows: int, most: int) -> int:
    """Return the largest hash of an id that is taken of so many rows."""
    return min(int(min(most / max(rows, 1), 1.0) * _LARGEST_HASH), _LARGEST_HASH)


_OF_OTHERS = frozenset({ChannelKind.OTHER_VALUES, ChannelKind.FREQUENT_OTHERS, ChannelKind.NEVER_SEEN})


def _moved(
    connection: Connection, divided: Divided, bound: Mapping[str, Any], places: Mapping[str, str]
) -> tuple[str, str, dict[str, Any]]:
    """Return which rows count, an array that says by each cut whether one moved, and its parameters."""
    number, category = read_shown_values(connection, divided.stream, divided.feature)
    kind, value = divided.channel.kind, divided.channel.value
    more: dict[str, Any] = {}
    if kind in _NUMERIC:
        query = _NUMBERS % {**places, "columns": f"{number} AS number"}
        deciles, low, high = _ask(connection, query, bound)[0]
        width = (high - low) / 2
        more = {"cuts": sorted(set(deciles)), "low": low - width, "high": high + width}
        if kind is ChannelKind.AT_MOST:
            more["cuts"] = [value, *more["cuts"]]
    if kind in _OF_OTHERS:
        text = _text(number, category)
        known = _ask(connection, _TEXTS % {**places, "columns": f"{text} AS text"}, bound)[0][0]
        more = {"known": known}
    if kind is ChannelKind.VALUE:
        more = {"value": value}
    base, moved = _expressions(kind, value, number, category)
    return base, moved, more


def _expressions(kind: ChannelKind, value: float | str | None, number: str, category: str) -> tuple[str, str]:
    """Return the condition of rows that count, and the array of what moved."""
    match kind:
        case ChannelKind.AT_MOST | ChannelKind.STUCK | ChannelKind.UNIT_CHANGED:
            present = f"({number}) IS NOT NULL AND NOT isNaN({number})"
            return present, f"arrayMap(cut -> assumeNotNull({number}) <= cut, {{cuts:Array(Float64)}})"
        case ChannelKind.VALUE:
            return f"({category}) IS NOT NULL", f"[assumeNotNull({category}) = {{value:String}}]"
        case ChannelKind.OTHER_VALUES | ChannelKind.FREQUENT_OTHERS | ChannelKind.NEVER_SEEN:
            text = _text(number, category)
            moved = f"({text}) IS NOT NULL AND NOT has({{known:Array(String)}}, assumeNotNull({text}))"
        case ChannelKind.NANS:
            moved = f"isNaN({number})"
        case ChannelKind.INFINITIES:
            moved = f"isInfinite({number})"
        case ChannelKind.OUT_OF_RANGE:
            moved = f"({number}) < {{low:Float64}} OR ({number}) > {{high:Float64}}"
        case ChannelKind.TYPE_CHANGED:
            moved = f"({number if value == 'numeric' else category}) IS NOT NULL"
        case _:
            moved = f"({number}) IS NULL AND ({category}) IS NULL"
    return "", f"[toUInt8(ifNull({moved}, 0))]"


def _text(number: str, category: str) -> str:
    return f"ifNull({category}, toString({number}))"


def _counts(row: Sequence[Any]) -> Counts:
    rows, moved, rows_before, moved_before = row
    # Of no rows there are no sums.
    cuts = max(len(moved), len(moved_before))
    padded = [tuple(int(one) for one in each) or (0,) * cuts for each in (moved, moved_before)]
    return Counts(int(rows), padded[0], int(rows_before), padded[1])
