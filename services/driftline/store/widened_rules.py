"""Widening what was learned: what is accepted as the new normal breaks no learned rule any more."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import hour_time
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.rules import RULE_COLUMNS, write_rule_rows
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

_MOST_VALUES = 50
_LEAST_SHARE = 0.1
"""A value is normal that stands in so many of the hours: a stray row decides nothing."""

_WIDENED_BY = 0.5
_WIDENED = ("minimum", "maximum", "is_limited", "allowed", "may_be_missing")
_HOURS = f"{STREAM} AND hour >= {{first:DateTime('UTC')}} AND hour < {{end:DateTime('UTC')}}"
_CHOSEN = f"{_HOURS} AND {visible(_HOURS)} AND segment = '' AND feature IN {{features:Array(String)}}"
_SEEN = f"""
SELECT toString(feature), quantileIf(1 - {{share:Float64}})(maximum, kind = 'numeric' AND count > 0),
    quantileIf({{share:Float64}})(minimum, kind = 'numeric' AND count > 0),
    uniqExactIf(hour, kind = 'missing' AND count > 0) >= uniqExact(hour) * {{share:Float64}}
FROM profiles WHERE {_CHOSEN} GROUP BY feature
"""
_VALUES = f"""
SELECT toString(feature), value FROM profiles ARRAY JOIN values AS value
WHERE {_CHOSEN} AND kind = 'categorical'
GROUP BY feature, value
HAVING uniqExact(hour) >= {{hours:UInt32}} * {{share:Float64}} ORDER BY feature, value
"""
_LEARNED = f"""
SELECT {", ".join(RULE_COLUMNS[3:])} FROM feature_rules FINAL
WHERE model_name = {{model:String}} AND model_version = {{version:String}} AND number =
(
    SELECT max(number) FROM feature_rules
    WHERE model_name = {{model:String}} AND model_version = {{version:String}}
)
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a feature was like in most of the hours."""

    low: float
    high: float
    may_be_missing: bool
    values: Sequence[str]


def widen_rules(
    connection: Connection, stream: Stream, features: Collection[str], *, first_hour: int, end_hour: int
) -> Sequence[str]:
    """Let what features were like in accepted hours break no learned rule; return those that were widened.

    A range grows as it was learned: by half its width on both sides. Rules that were set by hand stay. Doing
    it again changes nothing.

    Args:
        connection: to the store.
        stream: whose version's rules.
        features: that an accepted incident names.
        first_hour: of these hours, since the Unix epoch.
        end_hour: behind the last of them.
    """
    bound: dict[str, Any] = {
        **stream_parameters(stream),
        "features": sorted(features),
        "first": hour_time(first_hour),
        "end": hour_time(end_hour),
        "hours": max(end_hour - first_hour, 1),
        "share": _LEAST_SHARE,
    }
    rules = [dict(row) for row in connection.named_rows(_LEARNED, parameters=bound)]
    seen = _read_seen(connection, bound) if rules else {}
    widened = [
        rule["feature"] for rule in rules if rule["feature"] in seen and _widen(rule, seen[rule["feature"]])
    ]
    if widened:
        rows = [[rule[name] for name in RULE_COLUMNS[3:]] for rule in rules]
        write_rule_rows(connection, stream.model_name, stream.model_version, rows)
    return widened


def _read_seen(connection: Connection, bound: dict[str, Any]) -> Mapping[str, _Seen]:
    values: dict[str, list[str]] = {}
    for feature, value in connection.rows(_VALUES, parameters=bound):
        values.setdefault(feature, []).append(value)
    return {
        feature: _Seen(low, high, bool(missing), values.get(feature, ()))
        for feature, high, low, missing in connection.rows(_SEEN, parameters=bound)
    }


def _widen(rule: dict[str, Any], seen: _Seen) -> bool:
    """Widen a learned rule in its row, and say whether that changed it."""
    before = {name: rule[name] for name in _WIDENED}
    low, high = rule["minimum"], rule["maximum"]
    if low is not None and high is not None and isfinite(seen.low) and isfinite(seen.high):
        margin = _WIDENED_BY * (high - low) / (1 + 2 * _WIDENED_BY)
        sample_low, sample_high = low + margin, high - margin
        if seen.low < sample_low or seen.high > sample_high:
            new_low, new_high = min(seen.low, sample_low), max(seen.high, sample_high)
            more = _WIDENED_BY * (new_high - new_low)
            rule["minimum"], rule["maximum"] = min(low, new_low - more), max(high, new_high + more)
    if rule["is_limited"]:
        known = sorted({*rule["allowed"], *seen.values})
        if len(known) > _MOST_VALUES:
            known, rule["is_limited"] = [], False
        rule["allowed"] = known
    rule["may_be_missing"] = rule["may_be_missing"] or seen.may_be_missing
    return before != {name: rule[name] for name in _WIDENED}
