"""Which models there are, and which features and tags they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.names import PROVENANCE_TAG
from driftline.monitors.known import KnownModel
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

# Of models that are not derived yet nothing is known but that there are any.
_NAMES = f"""
SELECT DISTINCT model_name, toString(kind), toString(feature) FROM profiles
WHERE segment = '' AND kind IN ('numeric', 'categorical') AND {visible()}
UNION ALL
SELECT DISTINCT model_name, 'tags', toString(arrayJoin(mapKeys(tags)) AS tag) FROM predictions
WHERE tag != '{PROVENANCE_TAG}' AND hour > (SELECT max(hour) FROM derived_hours) - INTERVAL 1 DAY
UNION ALL
SELECT DISTINCT model_name, '', '' FROM derived_hours
"""


def read_known_models(connection: Connection) -> Mapping[str, KnownModel]:
    """Return every model that has landed, by name, with its features, and the tags of its last day."""
    names: dict[str, dict[str, set[str]]] = {}
    for model, kind, name in connection.rows(_NAMES):
        names.setdefault(model, {}).setdefault(kind, set()).add(name)
    return {
        model: KnownModel(**{kind: frozenset(found) for kind, found in kinds.items() if kind})
        for model, kinds in sorted(names.items())
    }
