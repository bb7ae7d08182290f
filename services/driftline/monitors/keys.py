"""Every key that a file of monitors may hold, as data. A test holds the documentation to these tables."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from driftline.monitors.kinds import OFF, Key, Listed, Named, OrOff, Scalar, Section, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = 1
"""The version of the format that this release reads."""

MOST_SEGMENTS: Final = 200
"""Segments named in full; the store counts no more than this for one model."""

_HOURS_PER_WEEK = 168
_WEEKS_PER_YEAR = 52
_MOST_HOURS = 1_000_000  # More than a century; what is longer is a slip.
_MOST = 1_000_000_000
_OWN_LABELS = frozenset(
    "model_name model_version environment segment feature verdict statistic reason".split()
)

# No number is read two ways: no octal, no digits grouped by underscores, no infinities.
_WHOLE = r"(?:0|[1-9][0-9]*)"
_is_whole = re.compile(_WHOLE).fullmatch
_is_number = re.compile(rf"[-+]?(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?").fullmatch
_PERCENTAGE = rf"({_WHOLE}(?:\.[0-9]+)?) ?%"
# The same within bounds, for editors: 0% and 100% are, or are no shares.
_PERCENTAGE_BETWEEN = r"^(?!0(\.0+)? ?%)[1-9]?[0-9](\.[0-9]+)? ?%$"
_PERCENTAGE_FROM_TO = r"^([1-9]?[0-9](\.[0-9]+)?|100(\.0+)?) ?%$"
_is_percentage = re.compile(_PERCENTAGE).fullmatch
_is_duration = re.compile(rf"({_WHOLE})([hdw])").fullmatch
_LABEL = r"^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$"
_is_label = re.compile(_LABEL).fullmatch
# What an editor takes for a number or a boolean is here the text that it was written as.
_TEXT_TYPES = MappingProxyType({"type": ["string", "number", "boolean"]})
_HOURS_IN = (("w", _HOURS_PER_WEEK), ("d", 24), ("h", 1))


def _number(text: str) -> float:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise ValueError
    return float(text)


def _show_number(value: float) -> str:
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _share(*, with_ends: bool) -> Scalar:
    """Return a fraction of 1, which may be written as a percentage."""
    between = "from 0 to 1" if with_ends else "between 0 and 1"

    def parse(text: str) -> float:
        percentage = _is_percentage(text)
        value = float(Decimal(percentage[1]) / 100) if percentage else _number(text)
        if not (0 <= value <= 1 if with_ends else 0 < value < 1):
            raise ValueError(f"a share lies {between}, or is a percentage such as 0.5%")
        return value

    bounds = ("minimum", "maximum") if with_ends else ("exclusiveMinimum", "exclusiveMaximum")
    numbers = {"type": "number", bounds[0]: 0, bounds[1]: 1}
    pattern = _PERCENTAGE_FROM_TO if with_ends else _PERCENTAGE_BETWEEN
    return Scalar(
        noun="a share",
        allowed=f"a number {between}, or a percentage such as 0.5%",
        parse=parse,
        json={"anyOf": [numbers, {"type": "string", "pattern": pattern}]},
        form=lambda value: f"{value * 100:.6g}%",
    )


def _hours(least: int, most: int = _MOST_HOURS) -> Scalar:
    """Return a whole number of hours, which may be written in days or weeks."""
    span = f"{least} or more" if most == _MOST_HOURS else f"from {least} to {most}"

    def parse(text: str) -> int:
        duration = _is_duration(text)
        if not duration and not _is_whole(text):
            raise ValueError
        hours = int(duration[1]) * dict(_HOURS_IN)[duration[2]] if duration else int(text)
        if not least <= hours <= most:
            raise ValueError(f"hours are from {least} to {most} here")
        return hours

    numbers = {"type": "integer", "minimum": least, "maximum": most}
    return Scalar(
        noun="a number of hours",
        allowed=f"a whole number, {span}, or a time such as 36h, 14d or 2w",
        parse=parse,
        json={"anyOf": [numbers, {"type": "string", "pattern": f"^{_WHOLE}[hdw]$"}]},
        form=show_hours,
    )


def show_hours(hours: float) -> str:
    """Return hours in the largest unit that holds them without a rest."""
    exact = (
        f"{int(hours) // size}{unit}" for unit, size in _HOURS_IN if hours >= 2 * size and hours % size == 0
    )
    return next(exact, f"{_show_number(hours)}h")


def _whole(least: int, most: int = _MOST) -> Scalar:
    span = f"{least} or more" if most == _MOST else f"from {least} to {most}"

    def parse(text: str) -> int:
        if not _is_whole(text):
            raise ValueError
        if not least <= int(text) <= most:
            raise ValueError(f"it is from {least} to {most} here")
        return int(text)

    numbers = {"type": "integer", "minimum": least, "maximum": most}
    return Scalar("a whole number", f"a whole number in decimal digits, {span}", parse, numbers)


def _real(least: float | None = None, most: float | None = None) -> Scalar:
    bounds = {"minimum": least, "maximum": most}
    span = "" if least is None or most is None else f" from {_show_number(least)} to {_show_number(most)}"

    def parse(text: str) -> float:
        value = _number(text)
        if least is not None and most is not None and not least <= value <= most:
            raise ValueError(f"it lies{span.replace(' from', ' within')}")
        return value

    json = {"type": "number"} | {name: bound for name, bound in bounds.items() if bound is not None}
    allowed = f"a number{span}" if span else "a number such as -60, 0.5 or 1e3"
    return Scalar("a number", allowed, parse, json, _show_number)


def _choice(*names: str) -> Scalar:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"allowed are {' and '.join(names)}")
        return text

    allowed = " or ".join(f"`{name}`" for name in names)
    return Scalar("a choice", allowed, parse, {"enum": list(names)}, is_text=True)


def _flag() -> Scalar:
    def parse(text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError("write true or false")
        return text == "true"

    return Scalar(
        "a truth value", "`true` or `false`", parse, {"type": "boolean"}, lambda value: str(value).lower()
    )


def _text(what: str) -> Scalar:
    def parse(text: str) -> str:
        if not text:
            raise ValueError(f"{what} has at least one character")
        return text

    return Scalar("a text", what, parse, {**_TEXT_TYPES, "minLength": 1}, is_text=True)


def _segment(text: str) -> str:
    key = text.partition("=")[0]
    if not key or text.endswith("=") or key != key.strip():
        raise ValueError("write the name of a tag or a categorical feature, or one value of it as carrier=DL")
    return text


def _segments_wrong(segments: Sequence[Any]) -> str:
    exact = sum("=" in segment for segment in segments)
    return (
        f"{exact} segments are too many; at most {MOST_SEGMENTS} are counted" if exact > MOST_SEGMENTS else ""
    )


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(text, available_timezones())
        is_slip = near and not near.startswith(text)
        hint = (
            f"did you mean {near}?" if is_slip else "write a name of the IANA database, such as Europe/Berlin"
        )
        raise ValueError(hint) from None
    return text


def _windows_wrong(hours: Sequence[Any]) -> str:
    return "" if list(hours) == sorted(hours) else f"windows ascend; write {sorted(hours)}"


def _label_wrong(name: str) -> str:
    if name in _OWN_LABELS:
        return "driftline sets this label itself; choose another name"
    if not _is_label(name):
        return "no name of a label; letters, digits and _ are allowed, no digit and no __ at the beginning"
    return ""


def _version(text: str) -> int:
    if text != str(VERSION):
        raise ValueError(f"this driftline reads version {VERSION}")
    return VERSION


def _setting(name: str, kind: Scalar | Listed, told: str, *, field: str = "") -> Key:
    return Key(name, kind, told, setting=field or name)


_SETTINGS = (
    _setting("page_budget_hours", _hours(1), "At most one false page in so many hours."),
    _setting(
        "minimum_effect",
        _share(with_ends=False),
        "A page says that surely more than this share of rows moved.",
    ),
    _setting(
        "warn_effect",
        _share(with_ends=False),
        "A warning says that surely something moved, and by this much.",
    ),
    _setting(
        "windows_hours",
        Listed(_hours(1, _HOURS_PER_WEEK), wrong=_windows_wrong, also=", ascending"),
        "The lengths of the windows that are judged.",
        field="scales_hours",
    ),
    _setting(
        "reference_weeks",
        _whole(2, _WEEKS_PER_YEAR),
        "How much of the past is the reference that production is compared with.",
    ),
    _setting(
        "hour_of_day_after_hours",
        _hours(1),
        "A younger production reference is still `learning` and never pages.",
    ),
    _setting(
        "hour_of_week_after_hours",
        _hours(1),
        "A younger reference is matched by hour of the day, not of the week.",
    ),
    _setting("minimum_sample", _whole(1), "A window with fewer events is `insufficient_data`."),
    _setting(
        "minimum_completeness",
        _share(with_ends=True),
        "A window of which a smaller share of its events arrived is `incomplete`.",
    ),
    _setting("quiet_hours", _hours(1), "What pages within so many hours of the last page belongs to it."),
    _setting("accept_after_hours", _hours(1), "What has paged for so long is the new normal."),
    _setting("stuck_hours", _hours(1), "A number that shows one single value for so long is stuck."),
    _setting(
        "controller_step",
        _real(0, 3),
        "How much stricter an unconfirmed page makes the next ones (in logarithms); 0: not at all.",
    ),
    _setting(
        "timezone",
        Scalar(
            "a time zone",
            "a name of the IANA database, such as Europe/Berlin",
            _zone,
            {"type": "string"},
            is_text=True,
        ),
        "The clock that the traffic follows.",
    ),
)

FEATURE: Final = Section(
    (
        Key("minimum", OrOff(_real()), "A smaller number is an invalid value.", "learned"),
        Key("maximum", OrOff(_real()), "A larger number is an invalid value.", "learned"),
        Key(
            "allowed",
            OrOff(Listed(_text("a category, as it is written"))),
            "Another category is an invalid value.",
            "learned",
        ),
        Key("may_be_missing", _flag(), "Whether an event may say that it has no value.", "learned"),
        Key("may_be_absent", _flag(), "Whether an event may leave it out.", "learned"),
        Key("may_be_not_finite", _flag(), "Whether it may be NaN or infinite.", "learned"),
        Key("rules", _choice("learned", OFF), "`off`: no value of it is invalid.", "`learned`"),
        Key("warn_only", _flag(), "Drift of this feature only warns; it never pages.", "`false`"),
    ),
    elsewhere={"ignore": "to the model: write ignore_features: [...] there"},
)

MODEL: Final = Section(
    (
        *_SETTINGS,
        Key(
            "enabled",
            _flag(),
            "Whether the model is judged at all; it is logged and landed anyway.",
            "`true`",
        ),
        Key("warn_only", _flag(), "Drift of this model only warns; it never pages.", "`false`"),
        Key("joint", _choice("warn", OFF), "The check of features together; it only warns.", "`warn`"),
        Key(
            "segments",
            Listed(
                Scalar(
                    "a segment",
                    "a tag or a categorical feature (every value with 1 % of the rows or more), "
                    "or one value as `carrier=DL`",
                    _segment,
                    {**_TEXT_TYPES, "pattern": "^[^=\\s]([^=]*[^=\\s])?(=.+)?$"},
                    is_text=True,
                ),
                least=0,
                wrong=_segments_wrong,
            ),
            "Slices of the traffic that are judged by themselves, too.",
            "none",
        ),
        Key(
            "ignore_features",
            Listed(_text("a feature, or a pattern with `*`"), least=0),
            "Features that are counted, and not judged.",
            "none",
        ),
        Key(
            "features",
            Named(FEATURE, "names of features, or patterns with `*`", in_order=True),
            "What holds for single features.",
            "none",
        ),
        Key(
            "labels",
            Named(_text("a text"), "names of labels", wrong=_label_wrong, schema_names=_LABEL),
            "`team` goes with the model's alerts, to route them; others are for you.",
            "none",
        ),
    ),
    elsewhere={
        **dict.fromkeys(("version", "models", "defaults"), "at the top of the file"),
        **{
            key.name: "under features, under the feature's name"
            for key in FEATURE.keys
            if key.name != "warn_only"
        },
    },
)

FILE: Final = Section(
    (
        Key(
            "version",
            Scalar("a version", f"`{VERSION}`", _version, {"const": VERSION}),
            "The version of this format.",
            "must be there",
        ),
        Key("defaults", MODEL, "What holds for every model that does not say otherwise.", "none"),
        Key(
            "models",
            Named(MODEL, "names of models, or patterns with `*`", in_order=True),
            "What holds for one model, or for those of a pattern.",
            "none",
        ),
    ),
    elsewhere={key.name: "under defaults, or under a model" for key in MODEL.keys},
)
