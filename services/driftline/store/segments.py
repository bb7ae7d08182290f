"""In which segments a model is counted, beside the whole traffic: by any of its tags or categorical features.

A segment is a string ``key=value``. What is set here has every hour of the model derived again, the newest
first; an hour that is not yet counted in its model's segments is not read for any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.errors import SettingError
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection

MAX_SEGMENTS = 200
"""Of a model: each is counted as the whole traffic is."""

MAX_VALUES = 50
"""Of a key: the most frequent ones."""

MIN_SHARE = 0.01
"""A value that fewer rows of an environment have is no segment of its own."""

_SPAN_DAYS = 28
_MODEL = "model_name = {model:String}"

# By environment, since a reference may be much larger than what was served until now.
_FEATURE_VALUES = f"""
SELECT environment, value, sum(n) / any(rows) AS share
FROM
(
    SELECT environment, value, n FROM profiles ARRAY JOIN values AS value, counts AS n
    WHERE model_name = {{model:String}} AND segment = '' AND kind = 'categorical' AND feature = {{key:String}}
        AND {visible(_MODEL)}
) AS c
JOIN
(
    SELECT environment, sum(counted) AS rows FROM derived_hours FINAL WHERE {_MODEL} GROUP BY environment
) AS t USING (environment)
GROUP BY environment, value HAVING share >= {MIN_SHARE}
"""

# Tags are in the rows only: of each environment the newest weeks are read.
_TAG_VALUES = f"""
SELECT environment, value, counted / rows AS share
FROM
(
    SELECT
        environment,
        mapContains(tags, {{key:String}}) AS is_there,
        tags[{{key:String}}] AS value,
        count() AS counted,
        sum(counted) OVER (PARTITION BY environment) AS rows
    FROM predictions AS p
    JOIN
    (
        SELECT environment, max(hour) - INTERVAL {_SPAN_DAYS} DAY AS since FROM derived_hours
        WHERE {_MODEL} AND counted > 0 GROUP BY environment
    ) AS t USING (environment)
    WHERE model_name = {{model:String}} AND hour >= since AND set_aside = ''
    GROUP BY environment, is_there, value
)
WHERE is_there AND share >= {MIN_SHARE}
"""

_SEGMENTS = f"""
SELECT segment FROM profiles
WHERE {STREAM} AND segment != '' AND kind = 'rows' AND {visible(STREAM)}
    AND segment IN (SELECT arrayJoin(segments) FROM monitored_segments FINAL WHERE {_MODEL})
GROUP BY segment ORDER BY sum(count) DESC, segment
"""


def set_segments(connection: Connection, model_name: str, keys: Sequence[str]) -> Sequence[str]:
    """Count a model by values of these tags and categorical features; return the segments that this makes.

    Of each key those values are taken that at least 1 % of the rows of any environment have; at most 50.
    They replace what was set before; without keys nothing is counted but the whole traffic.

    Raises:
        SettingError: no value of a key is known, or there are too many segments.
    """
    segments: list[str] = []
    for key in keys:
        values = known_values(connection, model_name, key)
        if not values:
            raise SettingError(
                f"model {model_name!r} has no tag or categorical feature {key!r} yet with a value that "
                f"{MIN_SHARE:.0%} of its rows have; name the values with name_segments before they land"
            )
        segments += [f"{key}={value}" for value in values]
    return name_segments(connection, model_name, segments)


def name_segments(connection: Connection, model_name: str, segments: Sequence[str]) -> Sequence[str]:
    """Count a model in these segments, ``key=value`` each, whether or not any of them is known yet.

    They replace what was set before. Returns them as they are kept: ascending, each once.

    Raises:
        SettingError: one is not of this form, or there are too many.
    """
    wanted = sorted(set(segments))
    for segment in wanted:
        key, is_given, _ = segment.partition("=")
        if not (key and is_given):
            raise SettingError(f"segment {segment!r} is not key=value, of a tag or a categorical feature")
    if len(wanted) > MAX_SEGMENTS:
        raise SettingError(
            f"{len(wanted)} segments of model {model_name!r}; at most {MAX_SEGMENTS}, since each is counted "
            "as the whole traffic is. Name fewer keys, or choose values with name_segments"
        )
    if not model_name:
        raise SettingError("segments are of a model, and its name is empty")
    connection.insert("monitored_segments", [[model_name, wanted]], column_names=["model_name", "segments"])
    return wanted


def wanted_segments(connection: Connection, model_name: str) -> Sequence[str]:
    """Return in which segments a model is, or is about to be, counted; ascending."""
    rows = connection.rows(
        "SELECT segments FROM monitored_segments FINAL WHERE model_name = {model:String}",
        parameters={"model": model_name},
    )
    return list(rows[0][0]) if rows else []


def read_wanted_segments(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Return in which segments each model is to be counted; models without any are left out."""
    rows = connection.rows("SELECT model_name, segments FROM monitored_segments FINAL")
    return {model: list(segments) for model, segments in rows if segments}


def read_segments(connection: Connection, stream: Stream) -> Sequence[str]:
    """Return the segments that a stream has rows in, the largest first. Without the whole traffic."""
    rows = connection.rows(
        _SEGMENTS,
        parameters={
            **stream_parameters(stream),
        },
    )
    return [str(row[0]) for row in rows]


def known_values(connection: Connection, model_name: str, key: str) -> Sequence[str]:
    """Return the most frequent values of a tag or a categorical feature, those of the largest share first."""
    bound = {"model": model_name, "key": key}
    shares: dict[str, float] = {}
    for query in (_FEATURE_VALUES, _TAG_VALUES):
        for _, value, share in connection.rows(query, parameters=bound):
            shares[value] = max(share, shares.get(value, 0.0))
    return sorted(shares, key=lambda value: (-shares[value], value))[:MAX_VALUES]
