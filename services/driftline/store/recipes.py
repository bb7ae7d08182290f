"""By what hours are derived: each model's grids and segments, and the rules of each of its versions."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.domain.streams import REFERENCE
from driftline.store.grids import read_all_grids
from driftline.store.hours import COUNTS, Condition
from driftline.store.kinds import read_categories
from driftline.store.rules import NO_RULES, read_rule_sets
from driftline.store.segments import read_wanted_segments

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.domain.streams import HourKey, Stream
    from driftline.profiles import Grid
    from driftline.store.connection import Connection
    from driftline.store.hours import Pointer
    from driftline.store.rules import RuleSet

RECIPE_TABLES = (
    *("feature_grids", "monitored_segments", "feature_rules", "registrations"),
    *("feature_kinds", "training_run_events"),
)
_REGISTRATIONS = """
SELECT model_name, model_version, session_id, number FROM current_references WHERE number != 0
"""


@dataclass(frozen=True, slots=True)
class Recipes:
    """What is in force of all models.

    Args:
        grids: by model and feature; a feature without one is counted on ``Grid()``.
        segments: by model, ascending.
        rules: by model and version; those of version '' hold for versions that have none of their own.
        registrations: by model and version, whose session logged the reference in force, and its number;
            those that do not say it are left out.
        categories: by model, features that are categories, whatever they were logged as.
    """

    grids: Mapping[str, Mapping[str, Grid]] = field(default_factory=dict)
    segments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, RuleSet]] = field(default_factory=dict)
    registrations: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def grids_of(self, model_name: str) -> Mapping[str, Grid]:
        """Return a model's grids, by feature."""
        return self.grids.get(model_name, {})

    def segments_of(self, model_name: str) -> Sequence[str]:
        """Return the segments that a model is counted in beside the whole traffic."""
        return self.segments.get(model_name, ())

    def categories_of(self, model_name: str) -> frozenset[str]:
        """Return the features of a model that are categories, whatever they were logged as."""
        return self.categories.get(model_name, frozenset())

    def rules_of(self, stream: Stream) -> RuleSet:
        """Return what a stream's values are checked by: a reference by nothing, since it makes the rules."""
        if stream.environment == REFERENCE:
            return NO_RULES
        sets = self.rules.get(stream.model_name, {})
        return sets.get(stream.model_version) or sets.get("") or NO_RULES

    def number_of(self, stream: Stream) -> int:
        """Return the number of the rules that a stream is checked by; of a reference, of its registration."""
        if stream.environment == REFERENCE:
            return self.registrations.get(stream[:2], ("", 0))[1]
        return self.rules_of(stream).number

    def counts(self, hours: Collection[HourKey]) -> Condition:
        """Return which raw rows of hours count: not what was set aside, nor a reference that was replaced."""
        known = {each.stream[:2] for each in hours if each.stream.environment == REFERENCE}
        sessions = {name: self.registrations[name][0] for name in known if name in self.registrations}
        if not sessions:
            return COUNTS
        sql = (
            f"{COUNTS.sql} AND (environment != '{REFERENCE}' "
            "OR (model_name, model_version) NOT IN {registered:Array(Tuple(String, String))} "
            "OR (model_name, model_version, session_id) IN "
            "{reference_sessions:Array(Tuple(String, String, String))})"
        )
        bound = {
            "registered": list(sessions),
            "reference_sessions": [(*name, session) for name, session in sessions.items()],
        }
        return Condition(sql, bound)

    def fits(self, stream: Stream, pointer: Pointer) -> bool:
        """Return whether an hour was derived in these segments and by these rules."""
        return pointer.segments == self.segments_hash(stream.model_name) and pointer.recipe == self.number_of(
            stream
        )

    def segments_hash(self, model_name: str) -> int:
        """Return a number that stands for a model's segments, and for what is a category; 0: it has none."""
        segments, categories = self.segments_of(model_name), self.categories_of(model_name)
        if not segments and not categories:
            return 0
        named = [sorted(segments), sorted(categories)] if categories else sorted(segments)
        digest = hashlib.blake2b(json.dumps(named).encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "big")


def read_recipes(connection: Connection) -> Recipes:
    """Return what is in force of all models at this moment."""
    rules: dict[str, dict[str, RuleSet]] = defaultdict(dict)
    for (model_name, version), found in read_rule_sets(connection).items():
        rules[model_name][version] = found
    registrations = {
        (str(row[0]), str(row[1])): (str(row[2]), int(row[3])) for row in connection.rows(_REGISTRATIONS)
    }
    return Recipes(
        read_all_grids(connection),
        read_wanted_segments(connection),
        dict(rules),
        registrations,
        read_categories(connection),
    )
