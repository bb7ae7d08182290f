"""Learning rules: a rule forbids what its sample never showed.

The sample is the reference of the model's version, else its first production rows.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from driftline.domain.names import ANSWERED, LABEL, NUMBER, is_answer, output_of
from driftline.store.grids import PRODUCTION_ROWS, pending_choices
from driftline.store.rule_samples import FeatureSample, read_samples
from driftline.store.rules import ANSWER, Learned, Rule, versions_to_learn, write_learned

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.store.rule_samples import Sample

_logger = logging.getLogger(__name__)

_WIDENED_BY = 0.5
_LEAST_ROWS = 1000


def learn_rules(connection: Connection, model_name: str = "") -> Sequence[tuple[str, str]]:
    """Learn the rules of versions where that is due; return of which models and versions.

    A version learns from its reference as soon as all of that is derived, and anew once it is registered
    again; until then from production, once 5,000 rows are there. What the reference does not have of the
    answer comes from production, too. Doing it again changes nothing. Two that learn at once learn the same.

    Args:
        connection: to the store.
        model_name: of this model only; '': of all.
    """
    learned = []
    for model, version, is_complete, is_enough, registration in versions_to_learn(
        connection, enough=PRODUCTION_ROWS, model_name=model_name
    ):
        samples = read_samples(connection, model, version)
        found = learn(samples, is_complete=bool(is_complete), is_enough=bool(is_enough))
        if found is not None:
            write_learned(connection, model, version, replace(found, registration=registration))
            learned.append((model, version))
            context = {"model_name": model, "model_version": version}
            values = (model, version, len(found.rules))
            _logger.info("%s %s: learned the rules of %d features", *values, extra=context)
    return learned


def models_to_learn(connection: Connection, models: Collection[str]) -> Collection[str]:
    """Return which of these models have grids to be chosen, or rules to be learned, by now."""
    due = {str(row[0]) for row in versions_to_learn(connection, enough=PRODUCTION_ROWS)}
    due |= {choice.model_name for choice in pending_choices(connection, models)}
    return due & set(models)


def learn(samples: Mapping[str, Sample], *, is_complete: bool, is_enough: bool) -> Learned | None:
    """Return what samples teach; None: what it takes is not there.

    Args:
        samples: by environment, ``reference`` and ``production``.
        is_complete: whether all of the reference is there.
        is_enough: whether there is enough of production.
    """
    reference = samples.get("reference") if is_complete else None
    production = samples.get("production") if is_enough else None
    if is_complete and reference is None:
        return None
    knows_features = reference is not None and any(not is_answer(name) for name in reference.features)
    source = reference if knows_features else production
    if source is None:
        return None
    rules = dict(ANSWER)
    # The set's own: where a reference is, nothing more is to come from it.
    chosen = {"": (("reference" if reference else source.environment), source.rows)}
    chosen |= dict.fromkeys(ANSWER, ("", 0))
    for name, seen in source.features.items():
        if not is_answer(name) or output_of(name) is not None:
            rule = feature_rule(seen, source.rows)
            rules[name] = replace(rule, may_be_absent=rule.may_be_absent or is_answer(name))
            chosen[name] = (source.environment, seen.entries)
    answered = next((sample for sample in (reference, production) if sample and _has_answer(sample)), None)
    if answered is not None:
        rules |= _answer_rules(answered)
        chosen |= dict.fromkeys((ANSWERED, NUMBER, LABEL), (answered.environment, answered.rows))
    elif production is not None:
        chosen[ANSWERED] = ("production", production.rows)
    return Learned(rules, chosen)


def _has_answer(sample: Sample) -> bool:
    return any(seen.entries for name, seen in sample.features.items() if _is_given(name))


def _is_given(name: str) -> bool:
    """Return whether a key is of what a model answers with."""
    return name in {NUMBER, LABEL} or output_of(name) is not None


def _answer_rules(sample: Sample) -> Mapping[str, Rule]:
    """Return what an answer is like."""
    number, label = (sample.features.get(name, FeatureSample()) for name in (NUMBER, LABEL))
    given = [seen.entries - seen.nulls for name, seen in sample.features.items() if _is_given(name)]
    always = max(given, default=0) >= sample.rows
    rules = {
        ANSWERED: Rule(may_be_missing=not always),
        NUMBER: replace(feature_rule(number, sample.rows), may_be_missing=True),
        LABEL: replace(feature_rule(label, sample.rows), may_be_missing=True),
    }
    return {name: replace(rule, kind="answer", may_be_absent=True) for name, rule in rules.items()}


def feature_rule(seen: FeatureSample, rows: int) -> Rule:
    """Forbid what a sample never showed."""
    has_numbers, has_names = seen.finite + seen.not_finite > 0, seen.named > 0
    low = high = None
    if seen.minimum is not None and seen.maximum is not None:
        margin = _WIDENED_BY * (seen.maximum - seen.minimum)
        low, high = seen.minimum - margin, seen.maximum + margin
    return Rule(
        kind="" if has_numbers == has_names else "numeric" if has_numbers else "categorical",
        minimum=low if low is not None and isfinite(low) else None,
        maximum=high if high is not None and isfinite(high) else None,
        allowed=seen.values if has_names and seen.named >= _LEAST_ROWS else None,
        may_be_missing=seen.nulls > 0,
        may_be_absent=seen.entries < rows,
        may_be_not_finite=seen.not_finite > 0 or not has_numbers,
    )
