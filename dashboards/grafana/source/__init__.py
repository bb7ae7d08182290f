"""The dashboards for Grafana, as Python; ``python -m dashboards.grafana.source`` writes their JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana.source import feature, fleet, model, pipeline, predictions

if TYPE_CHECKING:
    from collections.abc import Mapping

DASHBOARDS = (fleet.build, model.build, feature.build, pipeline.build, predictions.build)


def render() -> Mapping[str, str]:
    """Return each dashboard's JSON by the name of its file."""
    built = [build().build() for build in DASHBOARDS]
    for dashboard in built:
        for variable in (dashboard.templating and dashboard.templating.list_val) or ():
            # The builders give every variable what Grafana's types know of intervals only.
            variable.auto = variable.auto_min = variable.auto_count = None
    return {
        f"{dashboard.uid}.json": json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for dashboard in built
    }
