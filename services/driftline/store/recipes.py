"""By what hours are derived: each model's grids and segments, and the rules of each of its versions."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.store.grids import read_all_grids
from driftline.store.rules import NO_RULES, read_rule_sets
from driftline.store.segments import read_wanted_segments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.domain.streams import Stream
    from driftline.profiles import Grid
    from driftline.store.hours import Pointer
    from driftline.store.rules import RuleSet

RECIPE_TABLES = ("feature_grids", "monitored_segments", "feature_rules")
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Recipes:
    """What is in force of all models.

    Args:
        grids: by model and feature; a feature without one is counted on ``Grid()``.
        segments: by model, ascending.
        rules: by model and version; those of version '' hold for versions that have none of their own.
    """

    grids: Mapping[str, Mapping[str, Grid]] = field(default_factory=dict)
    segments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, RuleSet]] = field(default_factory=dict)

    def grids_of(self, model_name: str) -> Mapping[str, Grid]:
        """Return a model's grids, by feature."""
        return self.grids.get(model_name, {})

    def segments_of(self, model_name: str) -> Sequence[str]:
        """Return the segments that a model is counted in beside the whole traffic."""
        return self.segments.get(model_name, ())

    def rules_of(self, stream: Stream) -> RuleSet:
        """Return what a stream's values are checked by: a reference by nothing, since it makes the rules."""
        if stream.environment == REFERENCE:
            return NO_RULES
        sets = self.rules.get(stream.model_name, {})
        return sets.get(stream.model_version) or sets.get("") or NO_RULES

    def fits(self, stream: Stream, pointer: Pointer) -> bool:
        """Return whether an hour was derived in these segments and by these rules."""
        return (
            pointer.segments == self.segments_hash(stream.model_name)
            and pointer.rules == self.rules_of(stream).number
        )

    def segments_hash(self, model_name: str) -> int:
        """Return a number that stands for the segments of a model; 0: it has none."""
        segments = self.segments_of(model_name)
        if not segments:
            return 0
        digest = hashlib.blake2b(json.dumps(sorted(segments)).encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "big")


def read_recipes(client: Client) -> Recipes:
    """Return what is in force of all models at this moment."""
    rules: dict[str, dict[str, RuleSet]] = defaultdict(dict)
    for (model_name, version), found in read_rule_sets(client).items():
        rules[model_name][version] = found
    return Recipes(read_all_grids(client), read_wanted_segments(client), dict(rules))
