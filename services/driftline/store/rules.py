"""Rules: which values are invalid, learned from the reference, or set by hand.

A rule forbids what its sample never showed. The sample is the reference of the model's version, else the
first production rows. What breaks a rule is counted when an hour is derived.

All rules of a version are one *set*, written in one insert and never changed; a derived hour says by which
set it was checked, and a new set has the version's hours derived again. Sets of two that learn at once hold
the same, and the one with the higher number is in force.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from driftline.errors import SettingError
from driftline.store.grids import PRODUCTION_ROWS
from driftline.store.rule_samples import FeatureSample, read_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.store.rule_samples import Sample

_logger = logging.getLogger(__name__)

_WIDENED_BY = 0.5
_LEAST_ROWS = 1000
_SUM_TOLERANCE = 1e-3
_TRIES = 5

_ANSWER = "prediction"
_NUMBER, _LABEL = "prediction.number", "prediction.label"


@dataclass(frozen=True, slots=True)
class Rule:
    """What the values of one feature must be like. As it stands here, anything goes.

    Args:
        kind: ``numeric``, ``categorical``, or ``answer`` for what the model gives back; empty: either of the
            first two.
        minimum: smallest valid number; None: no limit.
        maximum: largest valid number.
        allowed: the valid categories; None: all.
        may_be_missing: whether an event may send it without a value.
        may_be_absent: whether an event may leave it out.
        may_be_not_finite: whether it may be NaN or infinite.
    """

    kind: str = ""
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    may_be_missing: bool = True
    may_be_absent: bool = True
    may_be_not_finite: bool = True


Overrides: TypeAlias = "Mapping[str, Mapping[str, Any] | None]"

ANSWER: Mapping[str, Rule] = {
    _ANSWER: Rule(kind="answer"),
    _NUMBER: Rule(kind="answer"),
    _LABEL: Rule(kind="answer"),
    "prediction.probabilities": Rule(kind="answer", minimum=0.0, maximum=1.0, may_be_not_finite=False),
    "prediction.probability_sum": Rule(
        kind="answer", minimum=1.0 - _SUM_TOLERANCE, maximum=1.0 + _SUM_TOLERANCE
    ),
    "prediction.latency_us": Rule(kind="answer", minimum=0.0),
    "prediction.compute_us": Rule(kind="answer", minimum=0.0),
}
"""The parts of an answer, with what holds for them whatever the sample was like."""

REASONS = (
    "type",
    "not_finite",
    "below_range",
    "above_range",
    "not_allowed",
    "missing",
    "absent",
    "unknown_feature",
)
"""Why a value is invalid, in the order of the codes, from 1 on, that statements have for them."""

_FIELDS = tuple(item.name for item in fields(Rule))
_COLUMNS = (
    "model_name model_version number feature source kind minimum maximum is_limited allowed "
    "may_be_missing may_be_absent may_be_not_finite fields chosen_from chosen_rows"
).split()

# Versions whose sample is there and was not learned from yet: whether it is the whole reference that its runs
# announced, and whether there are production rows enough.
_DUE = f"""
SELECT
    model_name,
    model_version,
    expected > 0 AND reference >= expected AS is_complete,
    production >= {{enough:UInt64}} AS is_enough
FROM
(
    SELECT
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        sumIf(rows, environment = 'reference') AS reference,
        sumIf(rows, environment = 'production') AS production
    FROM derived_hours FINAL GROUP BY model_name, model_version
) AS landed
LEFT JOIN
(
    SELECT model_name, model_version, sum(expected) AS expected
    FROM
    (
        SELECT
            toString(model_name) AS model_name,
            toString(model_version) AS model_version,
            argMax(reference_rows, registered_time) AS expected
        FROM training_runs GROUP BY model_name, model_version, training_run_id
    )
    GROUP BY model_name, model_version
) AS announced USING (model_name, model_version)
LEFT JOIN
(
    SELECT
        model_name,
        model_version,
        argMaxIf(chosen_from, number, feature = '') AS learned_from,
        max(feature = '{_ANSWER}' AND chosen_from != '') AS has_answer
    FROM feature_rules WHERE source = 'learned' GROUP BY model_name, model_version
) AS learned USING (model_name, model_version)
WHERE ({{model:String}} = '' OR model_name = {{model:String}})
    AND ((is_complete AND learned_from != 'reference') OR (is_enough AND NOT has_answer))
ORDER BY model_name, model_version
"""


@dataclass(slots=True)
class _Set:
    """A version's set of rules: what was learned, what was set, and where the first came from.

    Args:
        learned: by feature.
        overrides: by feature: the fields that were set.
        merged: rules of the overridden features, as they are in force.
        chosen: by learned feature: ``reference`` or ``production``, and how many rows; '' is the set's own.
        number: of the set.
    """

    learned: dict[str, Rule] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    merged: dict[str, Rule] = field(default_factory=dict)
    chosen: dict[str, tuple[str, int]] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that one version is checked by.

    Args:
        number: of the set; 0: nothing is checked.
        rules: by feature, the parts of an answer among them.
        knows_all: whether a feature without a rule is unknown: the set was learned, and not only set by hand.
    """

    number: int = 0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    knows_all: bool = False

    @property
    def rule(self) -> Rule:
        """What holds for a feature that no rule is of."""
        return Rule()

    @property
    def required(self) -> Sequence[str]:
        """The features that an event may not leave out."""
        return sorted(
            name for name, rule in self.rules.items() if rule.kind != "answer" and not rule.may_be_absent
        )


NO_RULES = RuleSet()


def read_rule_sets(client: Client, model_name: str = "") -> Mapping[tuple[str, str], RuleSet]:
    """Return the sets in force, by model and version; '' as version holds where nothing was learned."""
    return {
        key: RuleSet(found.number, {**found.learned, **found.merged}, bool(found.chosen))
        for key, found in _read_sets(client, model_name).items()
    }


def read_rules(client: Client, model_name: str) -> Mapping[str, Mapping[str, Rule]]:
    """Return the rules in force, by version and feature; '' holds for versions that have learned none."""
    return {
        version: found.rules for (_, version), found in sorted(read_rule_sets(client, model_name).items())
    }


def tend_rules(client: Client) -> int:
    """Learn the rules of all versions whose sample is there by now; return how many versions that were."""
    models = {model_name for model_name, *_ in _due(client, "")}
    return sum(len(learn_rules(client, model_name)) for model_name in sorted(models))


def learn_rules(client: Client, model_name: str) -> Sequence[str]:
    """Learn the rules of a model's versions where that is due; return of which versions.

    A version learns from its reference as soon as all of that has landed, and until then from production,
    once 5,000 rows are there. What the reference does not have of the answer comes from production, too.
    Doing it again changes nothing. What was set by hand stays in force.
    """
    learned = []
    for _, version, is_complete, is_enough in _due(client, model_name):
        number = _next_number(client)
        samples = read_samples(client, model_name, version)
        found = _learn(samples, is_complete=bool(is_complete), is_enough=bool(is_enough))
        if found is not None:
            overrides = _overrides(_sets_of(client, model_name))
            _write(client, model_name, version, number, _merge(found, overrides))
            learned.append(version)
            context = {"model_name": model_name, "model_version": version}
            told = (model_name, version, len(found.learned))
            _logger.info("%s %s: learned the rules of %d features", *told, extra=context)
    if learned:
        _settle(client, model_name)
    return learned


def set_rules(client: Client, model_name: str, overrides: Overrides, *, replaces: bool = False) -> None:
    """Set rules by hand, for all versions of a model, from now on. What is not named stays as it is.

    Args:
        client: of the store.
        model_name: the model; it may be one of which nothing has landed yet.
        overrides: by feature (or ``prediction.number`` and so on): fields of its ``Rule`` with their values,
            where None switches a check off. None instead of fields switches all of them off; no fields at all
            go back to what was learned.
        replaces: what is not named goes back to what was learned; where nothing is new, nothing is written.

    Raises:
        SettingError: there is no such field, or its value is none for it.
    """
    checked = {feature: _checked(feature, given) for feature, given in overrides.items()}
    before = _overrides(_sets_of(client, model_name))
    named = checked if replaces else {**before, **checked}
    kept = {feature: given for feature, given in named.items() if given}
    if replaces and kept == before:
        return
    _write(client, model_name, "", _next_number(client), _merge(_Set(), kept))
    _settle(client, model_name)


def _due(client: Client, model_name: str) -> Sequence[Sequence[Any]]:
    """Return model, version, and which samples are there, of versions that can learn; '': of all models."""
    bound = {"enough": PRODUCTION_ROWS, "model": model_name}
    return client.query(_DUE, parameters=bound, settings={"join_use_nulls": 0}).result_rows


def _learn(samples: Mapping[str, Sample], *, is_complete: bool, is_enough: bool) -> _Set | None:
    """Return what samples teach; None: what it takes is not there, or being written at this moment."""
    reference = samples.get("reference") if is_complete else None
    production = samples.get("production") if is_enough else None
    if is_complete and reference is None:
        return None
    taught = _Set()
    knows_features = reference is not None and any(not _is_answer(name) for name in reference.features)
    source = reference if knows_features else production
    if source is None:
        return None
    for name, seen in source.features.items():
        if not _is_answer(name):
            taught.learned[name] = _feature_rule(seen, source.rows)
            taught.chosen[name] = (source.environment, seen.entries)
    # The set's own: where a reference is, nothing more is to come from it.
    taught.chosen[""] = (("reference" if reference else source.environment), source.rows)
    for name, rule in ANSWER.items():
        taught.learned[name], taught.chosen[name] = rule, ("", 0)
    for sample in (reference, production):
        if sample is not None and not taught.chosen[_ANSWER][0]:
            _learn_answer(taught, sample)
    if production is not None and not taught.chosen[_ANSWER][0]:
        taught.chosen[_ANSWER] = ("production", production.rows)
    return taught


def _learn_answer(taught: _Set, sample: Sample) -> None:
    """Learn what an answer is like, if the sample has any."""
    number, label = (sample.features.get(name, FeatureSample()) for name in (_NUMBER, _LABEL))
    if number.entries == label.entries == 0:
        return
    always = max(number.entries, label.entries) >= sample.rows
    rules = {
        _ANSWER: Rule(may_be_missing=not always),
        _NUMBER: replace(_feature_rule(number, sample.rows), may_be_missing=True),
        _LABEL: replace(_feature_rule(label, sample.rows), may_be_missing=True),
    }
    for name, rule in rules.items():
        taught.learned[name] = replace(rule, kind="answer", may_be_absent=True)
        taught.chosen[name] = (sample.environment, sample.rows)


def _feature_rule(seen: FeatureSample, rows: int) -> Rule:
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


def _settle(client: Client, model_name: str) -> None:
    """Let what was set hold in every version's set, also in one that was learned meanwhile."""
    for _ in range(_TRIES):
        sets = _sets_of(client, model_name)
        overrides = _overrides(sets)
        stale = [version for version, rules in sets.items() if version and rules.overrides != overrides]
        for version in stale:
            _write(client, model_name, version, _next_number(client), _merge(sets[version], overrides))
        if not stale:
            break


def _overrides(sets: Mapping[str, _Set]) -> dict[str, dict[str, Any]]:
    return sets[""].overrides if "" in sets else {}


def _merge(rules: _Set, overrides: Mapping[str, dict[str, Any]]) -> _Set:
    """Return a set with other overrides."""
    merged = {
        name: replace(rules.learned.get(name, _free(name)), **given) for name, given in overrides.items()
    }
    return _Set(rules.learned, dict(overrides), merged, rules.chosen)


def _is_answer(feature: str) -> bool:
    return feature in ANSWER


def _free(feature: str) -> Rule:
    """Return the rule under which anything goes."""
    return Rule(kind="answer" if _is_answer(feature) else "")


def _checked(feature: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an override with every value in its field's type, and None as what switches the check off."""
    if not feature:
        raise SettingError("a rule without a feature; name the feature that it is of")
    free = _free(feature)
    values = dict.fromkeys(_FIELDS) if given is None else given
    if unknown := sorted(set(values) - set(_FIELDS)):
        raise SettingError(f"rule of {feature}: no field {unknown[0]!r}; there are {', '.join(_FIELDS)}")
    return {
        name: getattr(free, name) if value is None else _value(feature, name, value)
        for name, value in values.items()
    }


def _value(feature: str, name: str, value: Any) -> Any:
    match name, value:
        case "minimum" | "maximum", int() | float() if not isinstance(value, bool) and isfinite(value):
            return float(value)
        case "allowed", list() | tuple() | set() | frozenset() if all(isinstance(one, str) for one in value):
            return tuple(sorted(set(value)))
        case "may_be_missing" | "may_be_absent" | "may_be_not_finite", bool():
            return value
        case "kind", "numeric" | "categorical" | "" if not _is_answer(feature):
            return value
    raise SettingError(f"rule of {feature}: {value!r} is no value of {name}; see docs/invalid.md")


def _next_number(client: Client) -> int:
    """Return a number that is higher than all that were given before: the store's time in microseconds."""
    query = "SELECT greatest(toUInt64(toUnixTimestamp64Micro(now64(6))), max(number) + 1) FROM feature_rules"
    return int(client.query(query).result_rows[0][0])


def _sets_of(client: Client, model_name: str) -> dict[str, _Set]:
    """Return a model's sets in force, by version."""
    return {version: found for (_, version), found in _read_sets(client, model_name).items()}


def _read_sets(client: Client, model_name: str) -> dict[tuple[str, str], _Set]:
    """Return the sets in force, by model and version; of all models where none is named."""
    rows = client.query(
        f"SELECT {', '.join(_COLUMNS)} FROM feature_rules FINAL "
        "WHERE ({model:String} = '' OR model_name = {model:String}) "
        "AND (model_name, model_version, number) IN (SELECT model_name, model_version, max(number) "
        "FROM feature_rules GROUP BY model_name, model_version) ORDER BY model_name, model_version, feature",
        parameters={"model": model_name},
    ).named_results()
    sets: dict[tuple[str, str], _Set] = {}
    for row in rows:
        found = sets.setdefault((row["model_name"], row["model_version"]), _Set(number=row["number"]))
        name = row["feature"]
        values = {key: row[key] for key in _FIELDS if key != "allowed"}
        rule = Rule(**values, allowed=tuple(row["allowed"]) if row["is_limited"] else None)
        if row["source"] == "learned":
            found.chosen[name] = (row["chosen_from"], row["chosen_rows"])
        if name and row["source"] == "learned":
            found.learned[name] = rule
        elif name:
            found.merged[name] = rule
            found.overrides[name] = {key: getattr(rule, key) for key in row["fields"]}
    return sets


def _write(client: Client, model_name: str, version: str, number: int, rules: _Set) -> None:
    """Write a set in one insert, its features and the set itself."""
    source = "learned" if rules.chosen else "set"
    rows = [_row("", source, Rule(), (), rules.chosen.get("", ("", 0)))]
    rows += [_row(name, "learned", rule, (), rules.chosen[name]) for name, rule in rules.learned.items()]
    rows += [
        _row(name, "set", rule, tuple(rules.overrides[name]), ("", 0)) for name, rule in rules.merged.items()
    ]
    written = [[model_name, version, number, *row] for row in rows]
    client.insert("feature_rules", written, column_names=_COLUMNS)


def _row(feature: str, source: str, rule: Rule, given: tuple[str, ...], chosen: tuple[str, int]) -> list[Any]:
    values = {name: getattr(rule, name) for name in _FIELDS}
    values |= {"feature": feature, "source": source, "fields": list(given)}
    values |= {"is_limited": rule.allowed is not None, "allowed": list(rule.allowed or ())}
    values |= {"chosen_from": chosen[0], "chosen_rows": chosen[1]}
    return [values[name] for name in _COLUMNS[3:]]
