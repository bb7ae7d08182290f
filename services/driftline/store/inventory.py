"""Which models there are, and which features and tags they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.monitors.known import KnownModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client

_NAMES = """
SELECT DISTINCT model_name, 'numeric', toString(feature) FROM feature_profiles
WHERE model_name != '' AND segment = '' AND finite + nans + infinities > 0
UNION ALL
SELECT DISTINCT model_name, 'categorical', toString(feature) FROM categorical_profiles
WHERE model_name != '' AND segment = ''
UNION ALL
SELECT DISTINCT model_name, 'tags', toString(arrayJoin(mapKeys(tags))) FROM predictions
WHERE event_time > (SELECT max(event_time) FROM predictions) - INTERVAL 1 DAY
UNION ALL
SELECT DISTINCT model_name, '', '' FROM session_profiles WHERE model_name != ''
"""


def read_known_models(client: Client) -> Mapping[str, KnownModel]:
    """Return every model that has landed, by name, with its features, and the tags of its last day."""
    names: dict[str, dict[str, set[str]]] = {}
    for model, kind, name in client.query(_NAMES).result_rows:
        names.setdefault(model, {}).setdefault(kind, set()).add(name)
    return {
        model: KnownModel(**{kind: frozenset(told) for kind, told in kinds.items() if kind})
        for model, kinds in sorted(names.items())
    }
