"""Features by their users' names, and the names that are driftline's own: they never meet.

What is counted, judged and shown is known by its *key*. A part of the answer has the key under which the
documentation names it, such as ``prediction.number``. A feature has its own name as key, unless that could be
taken for one of ours; then ``feature:`` stands before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWERED, NUMBER, LABEL = "prediction", "prediction.number", "prediction.label"
"""Whether there is an answer at all, and two of its parts."""

LATENCY, COMPUTE = "prediction.latency_us", "prediction.compute_us"
"""How long a request, and the computing of its answer, took, microseconds."""

CONFIDENCE, ENTROPY = "prediction.confidence", "prediction.entropy"
"""The top class probability, and how undecided all of them are together, in nats."""

PROBABILITY, OUTPUT = "prediction.probabilities.", "prediction.outputs."
"""What stands before a class, and before the name of an output of an answer that has several."""

JOINT = "(joint)"
"""Under which verdicts on all features together stand."""

VOLUME = "(volume)"
"""Under which verdicts on the number of predictions stand."""

PROVENANCE_TAG = "driftline.features"
"""The tag that holds where a prediction's features came from; it makes no segment."""

PREFIX = "feature:"
PATTERN = rf"^({PREFIX}|prediction\z|prediction\.|\(joint\)\z|\(volume\)\z)"
"""Names that could be taken for one of ours, as RE2 has it."""

_OURS = re.compile(PATTERN.replace(r"\z", r"\Z"))


def shown_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that divide traffic, for people: all but driftline's own."""
    return {name: value for name, value in tags.items() if name != PROVENANCE_TAG}


def feature_key(name: str) -> str:
    """Return the key of a feature that its users call so."""
    return f"{PREFIX}{name}" if _OURS.match(name) else name


def feature_of(key: str) -> str | None:
    """Return what its users call a feature; None where the key is no feature's but one of ours."""
    if key.startswith(PREFIX):
        return key.removeprefix(PREFIX)
    return None if _OURS.match(key) else key


def output_of(key: str) -> str | None:
    """Return the name of the output that a key is of; None: it is of none."""
    return key.removeprefix(OUTPUT) if key.startswith(OUTPUT) else None


def class_of(key: str) -> str | None:
    """Return the class whose probability a key is of; None: it is of none."""
    return key.removeprefix(PROBABILITY) if key.startswith(PROBABILITY) else None


def is_answer(key: str) -> bool:
    """Return whether a key is that of the answer, or of a part of it."""
    return key == ANSWERED or key.startswith(f"{ANSWERED}.")
