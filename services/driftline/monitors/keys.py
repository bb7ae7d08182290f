"""Every key that a file of monitors may hold, as models of pydantic. A test compares them with the docs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field, model_validator

from driftline.monitors.values import (
    OFF,
    Kind,
    Listed,
    Named,
    OrOff,
    Scalar,
    nearest,
    read_mapping,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VERSION: Final = 1
"""The version of the format that this release reads."""

MOST_SEGMENTS: Final = 200
"""Segments named in full; the store counts no more than this for one model."""

_HOURS_PER_WEEK = 168
_MOST_HOURS = 1_000_000  # More than a century; what is longer is a slip.
_MOST = 1_000_000_000
_OWN_LABELS = frozenset(
    "model_name model_version environment segment feature verdict statistic reason".split()
)

# No number is read two ways: no octal, no digits grouped by underscores, no infinities.
_WHOLE = r"(?:0|[1-9][0-9]*)"
_is_whole = re.compile(_WHOLE).fullmatch
_is_number = re.compile(rf"[-+]?(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?").fullmatch
_is_percentage = re.compile(rf"({_WHOLE}(?:\.[0-9]+)?) ?%").fullmatch
# The same within bounds, for editors: 0% and 100% are, or are no shares.
_PERCENTAGE_BETWEEN = r"^(?!0(\.0+)? ?%)[1-9]?[0-9](\.[0-9]+)? ?%$"
_PERCENTAGE_FROM_TO = r"^([1-9]?[0-9](\.[0-9]+)?|100(\.0+)?) ?%$"
_is_duration = re.compile(rf"({_WHOLE})([hdw])").fullmatch
_LABEL = r"^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$"
# What an editor takes for a number or a boolean is here the text that it was written as.
_TEXT_TYPES = MappingProxyType({"type": ["string", "number", "boolean"]})
_HOURS_IN = (("w", _HOURS_PER_WEEK), ("d", 24), ("h", 1))


def _number(text: str) -> float:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise ValueError
    return float(text)


def _whole_number(text: str) -> int:
    if not _is_whole(text):
        raise ValueError
    return int(text)


def _number_of_hours(text: str) -> int:
    duration = _is_duration(text)
    return int(duration[1]) * dict(_HOURS_IN)[duration[2]] if duration else _whole_number(text)


def _fraction(text: str) -> float:
    percentage = _is_percentage(text)
    return float(Decimal(percentage[1]) / 100) if percentage else _number(text)


def _show_number(value: float) -> str:
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def show_hours(hours: float) -> str:
    """Return hours in the largest unit that holds them without a rest."""
    exact = (
        f"{int(hours) // size}{unit}" for unit, size in _HOURS_IN if hours >= 2 * size and hours % size == 0
    )
    return next(exact, f"{_show_number(hours)}h")


def _if(read: Callable[[str], Any], holds: Callable[[Any], bool], else_: str) -> Callable[[str], Any]:
    """Return a parser of what holds; of what does not it says how it could be mended."""

    def parse(text: str) -> Any:
        if not holds(value := read(text)):
            raise ValueError(else_)
        return value

    return parse


def _within(least: int, most: int, usual: int) -> str:
    return f"{least} or more" if most == usual else f"from {least} to {most}"


def _share(between: str, low: str, high: str, pattern: str, holds: Callable[[float], bool]) -> Scalar:
    """Return a fraction of 1, which may be written as a percentage."""
    numbers = {"type": "number", low: 0, high: 1}
    json = {"anyOf": [numbers, {"type": "string", "pattern": pattern}]}
    parse = _if(_fraction, holds, f"a share lies {between}, or is a percentage such as 0.5%")
    allowed = f"a number {between}, or a percentage such as 0.5%"
    return Scalar(allowed, "a share", parse, json, lambda value: f"{value * 100:.6g}%")


def _hours(least: int, most: int = _MOST_HOURS) -> Scalar:
    """Return a whole number of hours, which may be written in days or weeks."""
    numbers = {"type": "integer", "minimum": least, "maximum": most}
    json = {"anyOf": [numbers, {"type": "string", "pattern": f"^{_WHOLE}[hdw]$"}]}
    wrong = f"hours are from {least} to {most} here"
    parse = _if(_number_of_hours, lambda hours: least <= hours <= most, wrong)
    allowed = f"a whole number, {_within(least, most, _MOST_HOURS)}, or a time such as 36h, 14d or 2w"
    return Scalar(allowed, "a number of hours", parse, json, show_hours)


def _whole(least: int, most: int = _MOST) -> Scalar:
    numbers = {"type": "integer", "minimum": least, "maximum": most}
    allowed = f"a whole number in decimal digits, {_within(least, most, _MOST)}"
    wrong = f"it is from {least} to {most} here"
    parse = _if(_whole_number, lambda value: least <= value <= most, wrong)
    return Scalar(allowed, "a whole number", parse, numbers)


def _choice(*names: str) -> Scalar:
    allowed = " or ".join(f"`{name}`" for name in names)
    parse = _if(str, lambda text: text in names, f"allowed are {' and '.join(names)}")
    return Scalar(allowed, "a choice", parse, {"enum": list(names)}, is_text=True)


def _text(what: str) -> Scalar:
    parse = _if(str, bool, f"{what} has at least one character")
    return Scalar(what, "a text", parse, {**_TEXT_TYPES, "minLength": 1}, is_text=True)


def _is_segment(text: str) -> bool:
    key = text.partition("=")[0]
    return bool(key) and not text.endswith("=") and key == key.strip()


def _segments_wrong(segments: Sequence[Any]) -> str:
    exact = sum("=" in segment for segment in segments)
    too_many = f"{exact} segments are too many; at most {MOST_SEGMENTS} are counted"
    return too_many if exact > MOST_SEGMENTS else ""


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(text, available_timezones())
        is_slip = near and not near.startswith(text)
        advice = "write a name of the IANA database, such as Europe/Berlin"
        raise ValueError(f"did you mean {near}?" if is_slip else advice) from None
    return text


def _windows_wrong(hours: Sequence[Any]) -> str:
    return "" if list(hours) == sorted(hours) else f"windows ascend; write {sorted(hours)}"


def _label_wrong(name: str) -> str:
    if name in _OWN_LABELS:
        return "driftline sets this label itself; choose another name"
    wrong = "no name of a label; letters, digits and _ are allowed, no digit and no __ at the beginning"
    return "" if re.fullmatch(_LABEL, name) else wrong


def _list_of(item: Scalar, also: str = "", **options: Any) -> Listed:
    return Listed(f"a list of which each item is {item.allowed}{also}", item, **options)


def _or_off(kind: Kind) -> OrOff:
    return OrOff(f"{kind.allowed}, or `{OFF}`", kind)


_BETWEEN = _share(
    "between 0 and 1",
    "exclusiveMinimum",
    "exclusiveMaximum",
    _PERCENTAGE_BETWEEN,
    lambda value: 0 < value < 1,
)
_FROM_TO = _share("from 0 to 1", "minimum", "maximum", _PERCENTAGE_FROM_TO, lambda value: 0 <= value <= 1)
_NUMBER = Scalar("a number such as -60, 0.5 or 1e3", "a number", _number, {"type": "number"}, _show_number)
_STEP = Scalar(
    "a number from 0 to 3",
    "a number",
    _if(_number, lambda value: 0 <= value <= 3, "it lies within 0 to 3"),
    {"type": "number", "minimum": 0, "maximum": 3},
    _show_number,
)
_IANA = "a name of the IANA database, such as Europe/Berlin"
_SEGMENT = Scalar(
    "a tag or a categorical feature (every value with 1 % of the rows or more), or one value as `carrier=DL`",
    "a segment",
    _if(
        str, _is_segment, "write the name of a tag or a categorical feature, or one value of it as carrier=DL"
    ),
    {**_TEXT_TYPES, "pattern": "^[^=\\s]([^=]*[^=\\s])?(=.+)?$"},
    is_text=True,
)
_TRUTH = Scalar(
    "`true` or `false`",
    "a truth value",
    lambda text: _if(str, {"true", "false"}.__contains__, "write true or false")(text) == "true",
    {"type": "boolean"},
    lambda value: str(value).lower(),
)
_VERSION = Scalar(
    f"`{VERSION}`",
    "a version",
    lambda text: int(_if(str, str(VERSION).__eq__, f"this driftline reads version {VERSION}")(text)),
    {"const": VERSION},
)
_NAMES = "names of {}, or patterns with `*`"

Hours = Annotated[int, _hours(1)]
Effect = Annotated[float, _BETWEEN]
Flag = Annotated[bool, _TRUTH]
Bound = Annotated[float, _or_off(_NUMBER)]
Categories = Annotated[tuple[str, ...], _or_off(_list_of(_text("a category, as it is written")))]
Windows = Annotated[
    tuple[int, ...], _list_of(_hours(1, _HOURS_PER_WEEK), ", ascending", wrong=_windows_wrong)
]
Segments = Annotated[tuple[str, ...], _list_of(_SEGMENT, least=0, wrong=_segments_wrong)]
Names = Annotated[tuple[str, ...], _list_of(_text("a feature, or a pattern with `*`"), least=0)]
Labels = Annotated[
    dict[str, Annotated[str, _text("a text")]],
    Named(
        "a mapping from names of labels; each holds a text",
        "names of labels",
        wrong=_label_wrong,
        schema_names=_LABEL,
    ),
]


def _key(about: str, default: Any = None, *, alias: str | None = None) -> Any:
    return Field(default, description=about, alias=alias)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section.

    Args:
        name: as the file writes it.
        field: of the section's class; a setting of the judge has the setting's name.
        kind: what its value is; None where it is a section.
        about: what it does, in a sentence.
        default: what holds without it, as the section's class has it.
    """

    name: str
    field: str
    kind: Kind | None
    about: str
    default: Any

    @property
    def is_setting(self) -> bool:
        """Whether it is a setting of the judge, which has the default."""
        return self.default is None


def keys_of(section: type[BaseModel]) -> Iterator[Key]:
    """Yield the keys of a section, in the order of the documentation."""
    for name, field in section.model_fields.items():
        kind = next((each for each in field.metadata if isinstance(each, Kind)), None)
        yield Key(field.alias or name, name, kind, field.description or "", field.default)


class Section(BaseModel):
    """A mapping whose keys are known."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Where keys belong that are often looked for here."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        names = [key.name for key in keys_of(cls)]
        belongs = f"keys belong (allowed here: {', '.join(names)})"
        return read_mapping(
            value,
            belongs,
            lambda given: ((name, cls._unknown(name, names)) for name in given if name not in names),
            handler,
        )

    @classmethod
    def _unknown(cls, name: str, names: Sequence[str]) -> str:
        if name in cls.elsewhere:
            return f"there is no such key here; it belongs {cls.elsewhere[name]}"
        hint = f"; did you mean {near}?" if (near := nearest(name, names)) else ""
        return f"there is no such key{hint} (allowed here: {', '.join(names)})"

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        schema = handler(core)
        handler.resolve_ref_schema(schema).update({"type": ["object", "null"], "additionalProperties": False})
        return dict(schema)


class Feature(Section):
    """What may be set for one feature; None switches a rule off."""

    elsewhere: ClassVar = {"ignore": "to the model: write ignore_features: [...] there"}
    minimum: Bound = _key("A smaller number is an invalid value.")
    maximum: Bound = _key("A larger number is an invalid value.")
    allowed: Categories = _key("Another category is an invalid value.")
    may_be_missing: Flag = _key("Whether an event may say that it has no value.")
    may_be_absent: Flag = _key("Whether an event may leave it out.")
    may_be_not_finite: Flag = _key("Whether it may be NaN or infinite.")
    rules: Annotated[str, _choice("learned", OFF)] = _key("`off`: no value of it is invalid.", "learned")
    warn_only: Flag = _key("Drift of this feature only warns; it never pages.", default=False)


Features = Annotated[dict[str, Feature], Named("see below", _NAMES.format("features"), in_order=True)]


class Model(Section):
    """What may be set for one model. What has no default here is a setting of the judge, which has one."""

    elsewhere: ClassVar = {
        **dict.fromkeys(("version", "models", "defaults"), "at the top of the file"),
        **dict.fromkeys(
            Feature.model_fields.keys() - {"warn_only"}, "under features, under the feature's name"
        ),
    }
    page_budget_hours: Hours = _key("At most one false page in so many hours.")
    minimum_effect: Effect = _key("A page says that surely more than this share of rows moved.")
    warn_effect: Effect = _key("A warning says that surely something moved, and by this much.")
    scales_hours: Windows = _key("The lengths of the windows that are judged.", alias="windows_hours")
    reference_weeks: Annotated[int, _whole(2, 52)] = _key(
        "How much of the past is the reference that production is compared with."
    )
    hour_of_day_after_hours: Hours = _key(
        "A younger production reference is still `learning` and never pages."
    )
    hour_of_week_after_hours: Hours = _key(
        "A younger reference is matched by hour of the day, not of the week."
    )
    minimum_sample: Annotated[int, _whole(1)] = _key("A window with fewer events is `insufficient_data`.")
    minimum_completeness: Annotated[float, _FROM_TO] = _key(
        "A window of which a smaller share of its events arrived is `incomplete`."
    )
    quiet_hours: Hours = _key(
        "What pages within so many hours of the last page belongs to the same incident."
    )
    accept_after_hours: Hours = _key("What has paged for so long is the new normal.")
    stuck_hours: Hours = _key("A number that shows one single value for so long is stuck.")
    controller_step: Annotated[float, _STEP] = _key(
        "How much stricter an unconfirmed incident makes the next ones (in logarithms); 0: not at all."
    )
    timezone: Annotated[str, Scalar(_IANA, "a time zone", _zone, {"type": "string"}, is_text=True)] = _key(
        "The clock that the traffic follows."
    )
    enabled: Flag = _key("Whether the model is judged at all; it is logged and landed anyway.", default=True)
    warn_only: Flag = _key("Drift of this model only warns; it never pages.", default=False)
    joint: Annotated[str, _choice("warn", OFF)] = _key(
        "The check of features together; it only warns.", "warn"
    )
    segments: Segments = _key("Slices of the traffic that are judged by themselves, too.", ())
    ignore_features: Names = _key("Features that are counted, and not judged.", ())
    features: Features = _key("What holds for single features.", {})
    labels: Labels = _key("`team` goes with the model's alerts, to route them; others are for you.", {})


Models = Annotated[dict[str, Model], Named("see below", _NAMES.format("models"), in_order=True)]


class File(Section):
    """A whole file."""

    elsewhere: ClassVar = dict.fromkeys(
        [field.alias or name for name, field in Model.model_fields.items()],
        "under defaults, or under a model",
    )
    version: Annotated[int, _VERSION] = _key("The version of this format.")
    defaults: Model = _key("What holds for every model that does not say otherwise.", Model())
    models: Models = _key("What holds for one model, or for those of a pattern.", {})
