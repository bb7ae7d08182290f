"""Rules: which values are invalid, as they were learned from a sample, or set by hand.

What was learned is of one version, what was set holds for all versions of a model; they are put together when
they are read. Each is a *set*, written in one insert and never changed; a derived hour says by which it was
checked, and a newer one has the hours that it concerns derived again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from driftline.domain.names import ANSWERED, LABEL, NUMBER
from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.store.connection import Connection

_SUM_TOLERANCE = 1e-3


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
    ANSWERED: Rule(kind="answer"),
    NUMBER: Rule(kind="answer"),
    LABEL: Rule(kind="answer"),
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
    "below_training_range",
    "above_training_range",
)
"""Which rule a value broke, in the order of the codes, from 1 on, that statements have for them."""

OUT_OF_TRAINING = frozenset({"below_training_range", "above_training_range"})
"""These values may well be right: the training data held none like them."""

_FIELDS = tuple(item.name for item in fields(Rule))
RULE_COLUMNS = (
    "model_name model_version number feature source kind minimum maximum is_limited allowed "
    "may_be_missing may_be_absent may_be_not_finite fields chosen_from chosen_rows registration"
).split()


# Versions whose sample is there and was not learned from yet: whether it is the whole reference that its runs
# announced, and whether there are production rows enough.
_DUE = f"""
SELECT
    model_name,
    model_version,
    expected > 0 AND reference >= expected AS is_complete,
    production >= {{enough:UInt64}} AS is_enough,
    registration
FROM
(
    SELECT
        toString(model_name) AS model_name,
        toString(model_version) AS model_version,
        sumIf(counted, environment = 'reference' AND recipe = r.number) AS reference,
        sumIf(counted, environment = 'production') AS production,
        any(r.expected) AS expected,
        any(r.number) AS registration
    FROM (SELECT * FROM derived_hours FINAL) AS d
    LEFT JOIN current_references AS r USING (model_name, model_version)
    GROUP BY model_name, model_version
) AS landed
LEFT JOIN
(
    SELECT
        model_name,
        model_version,
        argMaxIf(chosen_from, number, feature = '') AS learned_from,
        argMaxIf(registration, number, feature = '') AS learned_registration,
        max(feature = '{ANSWERED}' AND chosen_from != '') AS has_answer
    FROM feature_rules WHERE source = 'learned' GROUP BY model_name, model_version
) AS learned USING (model_name, model_version)
WHERE ({{model:String}} = '' OR model_name = {{model:String}})
    AND ((is_complete AND (learned_from != 'reference' OR learned_registration != registration))
        OR (is_enough AND NOT has_answer))
ORDER BY model_name, model_version
"""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that one version is checked by.

    Args:
        number: of the set; 0: nothing is checked.
        rules: by feature, the parts of an answer among them.
        knows_all: whether a feature without a rule is unknown: the set was learned, and not only set by hand.
        given: by feature the fields that were set by hand.
    """

    number: int = 0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    knows_all: bool = False
    given: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        """What holds for a feature that no rule is of."""
        return Rule()

    def range_reasons(self, feature: str) -> tuple[str, str]:
        """Return what numbers below the minimum of a feature are, and those above its maximum."""
        fixed, given = ANSWER.get(feature, Rule()), self.given.get(feature, ())
        is_low = "minimum" in given or fixed.minimum is not None
        is_high = "maximum" in given or fixed.maximum is not None
        return (
            "below_range" if is_low else "below_training_range",
            "above_range" if is_high else "above_training_range",
        )

    @property
    def required(self) -> Sequence[str]:
        """The features that an event may not leave out."""
        return sorted(
            name for name, rule in self.rules.items() if rule.kind != "answer" and not rule.may_be_absent
        )


NO_RULES = RuleSet()


@dataclass(frozen=True, slots=True)
class Learned:
    """What a sample of a version taught.

    Args:
        rules: by feature.
        chosen: by feature, and under '' of all: ``reference`` or ``production``, and how many rows.
        registration: number of the registration that the reference was of; 0: not known.
    """

    rules: Mapping[str, Rule]
    chosen: Mapping[str, tuple[str, int]]
    registration: int = 0


@dataclass(slots=True)
class _Set:
    """One set as it is stored: rules by feature, and of overridden ones the fields that were set."""

    number: int
    rules: dict[str, Rule] = field(default_factory=dict)
    given: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def overrides(self) -> dict[str, dict[str, Any]]:
        return {
            name: {key: getattr(self.rules[name], key) for key in keys} for name, keys in self.given.items()
        }


def read_rules(connection: Connection, model_name: str) -> Mapping[str, Mapping[str, Rule]]:
    """Return the rules in force, by version and feature; '' holds for versions that have learned none."""
    return {
        version: found.rules for (_, version), found in sorted(read_rule_sets(connection, model_name).items())
    }


def read_rule_sets(connection: Connection, model_name: str = "") -> Mapping[tuple[str, str], RuleSet]:
    """Return the sets in force, by model and version; '' as version holds where nothing was learned."""
    stored = _read_sets(connection, model_name)
    sets = {}
    for (model, version), found in stored.items():
        by_hand = stored.get((model, ""), _Set(0))
        rules = found.rules if version else {}
        merged = {
            name: replace(rules.get(name, _free(name)), **given)
            for name, given in by_hand.overrides().items()
        }
        # Numbers rise: so the larger of two tells the pair from all others.
        number = max(found.number, by_hand.number)
        sets[model, version] = RuleSet(number, {**rules, **merged}, bool(version), by_hand.given)
    return sets


def set_rules(
    connection: Connection, model_name: str, overrides: Overrides, *, replaces: bool = False
) -> None:
    """Set rules by hand, for all versions of a model. What is not named stays as it is.

    Args:
        connection: to the store.
        model_name: the model; it may be one of which nothing has landed yet.
        overrides: by feature (or ``prediction.number`` and so on): fields of its ``Rule`` with their values,
            where None switches a check off. None instead of fields switches all of them off; no fields at all
            go back to what was learned.
        replaces: what is not named goes back to what was learned; where nothing is new, nothing is written.

    Raises:
        SettingError: there is no such field, or its value is none for it.
    """
    checked = {feature: _checked(feature, given) for feature, given in overrides.items()}
    stored = _read_sets(connection, model_name).get((model_name, ""))
    before = stored.overrides() if stored else {}
    named = checked if replaces else {**before, **checked}
    kept = {feature: given for feature, given in named.items() if given}
    if replaces and kept == before:
        return
    rows = [_row(name, "set", replace(_free(name), **given), tuple(given)) for name, given in kept.items()]
    write_rule_rows(connection, model_name, "", [_row("", "set", Rule()), *rows])


def write_learned(connection: Connection, model_name: str, version: str, learned: Learned) -> None:
    """Let a version be checked by what was learned of it, and by what was set by hand."""
    rows = [_row("", "learned", Rule(), (), learned.chosen[""], registration=learned.registration)]
    rows += [_row(name, "learned", rule, (), learned.chosen[name]) for name, rule in learned.rules.items()]
    write_rule_rows(connection, model_name, version, rows)


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


def _read_sets(connection: Connection, model_name: str) -> dict[tuple[str, str], _Set]:
    """Return the newest sets, by model and version; of all models where none is named."""
    rows = connection.named_rows(
        f"SELECT {', '.join(RULE_COLUMNS)} FROM feature_rules FINAL "
        "WHERE ({model:String} = '' OR model_name = {model:String}) "
        "AND (model_name, model_version, number) IN (SELECT model_name, model_version, max(number) "
        "FROM feature_rules GROUP BY model_name, model_version) ORDER BY model_name, model_version, feature",
        parameters={"model": model_name},
    )
    sets: dict[tuple[str, str], _Set] = {}
    for row in rows:
        found = sets.setdefault((row["model_name"], row["model_version"]), _Set(row["number"]))
        if name := row["feature"]:
            values = {key: row[key] for key in _FIELDS if key != "allowed"}
            found.rules[name] = Rule(**values, allowed=tuple(row["allowed"]) if row["is_limited"] else None)
            if row["source"] == "set":
                found.given[name] = tuple(row["fields"])
    return sets


def write_rule_rows(
    connection: Connection, model_name: str, version: str, rows: Sequence[Sequence[Any]]
) -> None:
    """Write a set in one insert, under a number that is higher than all before: the store's time."""
    query = "SELECT greatest(toUInt64(toUnixTimestamp64Micro(now64(6))), max(number) + 1) FROM feature_rules"
    number = int(connection.rows(query)[0][0])
    connection.insert(
        "feature_rules", [[model_name, version, number, *row] for row in rows], column_names=RULE_COLUMNS
    )


def _row(
    feature: str,
    source: str,
    rule: Rule,
    given: tuple[str, ...] = (),
    chosen: tuple[str, int] = ("", 0),
    *,
    registration: int = 0,
) -> list[Any]:
    values = {name: getattr(rule, name) for name in _FIELDS}
    values |= {"feature": feature, "source": source, "fields": list(given)}
    values |= {"is_limited": rule.allowed is not None, "allowed": list(rule.allowed or ())}
    values |= {"chosen_from": chosen[0], "chosen_rows": chosen[1], "registration": registration}
    return [values[name] for name in RULE_COLUMNS[3:]]


def versions_to_learn(
    connection: Connection, *, enough: int, model_name: str = ""
) -> Sequence[Sequence[Any]]:
    """Return model, version, and which samples are there, of versions that can learn more than they have.

    Args:
        connection: to the store.
        enough: so many production rows are a sample.
        model_name: of this model only; '': of all.

    Returns:
        Model, version, whether the whole reference is derived, whether production has rows enough, and the
        number of the registration that the reference is of.
    """
    bound = {"enough": enough, "model": model_name}
    return connection.rows(_DUE, parameters=bound, settings={"join_use_nulls": 0})
