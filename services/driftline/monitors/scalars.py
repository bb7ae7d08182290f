"""The scalars and lists that keys of a file of monitors hold, and what is allowed of each."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from driftline.domain.calendars import PlannedEvent, check_holidays
from driftline.domain.hours import utc
from driftline.monitors.values import OFF, Kind, Listed, OrOff, Scalar, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION: Final = 1
"""The version of the format that this release reads."""

MOST_SEGMENTS: Final = 200
"""Segments named in full; the store counts no more than this for one model."""

HOURS_PER_WEEK = 168
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
LABEL_PATTERN = r"^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$"
# What an editor takes for a number or a boolean is here the text that it was written as.
_TEXT_TYPES = MappingProxyType({"type": ["string", "number", "boolean"]})
_HOURS_IN = (("w", HOURS_PER_WEEK), ("d", 24), ("h", 1))


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


def hours_within(least: int, most: int = _MOST_HOURS) -> Scalar:
    """Return a whole number of hours, which may be written in days or weeks."""
    numbers = {"type": "integer", "minimum": least, "maximum": most}
    json = {"anyOf": [numbers, {"type": "string", "pattern": f"^{_WHOLE}[hdw]$"}]}
    wrong = f"hours are from {least} to {most} here"
    parse = _if(_number_of_hours, lambda hours: least <= hours <= most, wrong)
    allowed = f"a whole number, {_within(least, most, _MOST_HOURS)}, or a time such as 36h, 14d or 2w"
    return Scalar(allowed, "a number of hours", parse, json, show_hours)


def whole_within(least: int, most: int = _MOST) -> Scalar:
    """Return a whole number within bounds."""
    numbers = {"type": "integer", "minimum": least, "maximum": most}
    allowed = f"a whole number in decimal digits, {_within(least, most, _MOST)}"
    wrong = f"it is from {least} to {most} here"
    parse = _if(_whole_number, lambda value: least <= value <= most, wrong)
    return Scalar(allowed, "a whole number", parse, numbers)


def choice_of(*names: str) -> Scalar:
    """Return a choice between names."""
    allowed = " or ".join(f"`{name}`" for name in names)
    parse = _if(str, lambda text: text in names, f"allowed are {' and '.join(names)}")
    return Scalar(allowed, "a choice", parse, {"enum": list(names)}, is_text=True)


def text_of(what: str) -> Scalar:
    """Return a text that is not empty."""
    parse = _if(str, bool, f"{what} has at least one character")
    return Scalar(what, "a text", parse, {**_TEXT_TYPES, "minLength": 1}, is_text=True)


def _is_segment(text: str) -> bool:
    key = text.partition("=")[0]
    return bool(key) and not text.endswith("=") and key == key.strip()


def segments_wrong(segments: Sequence[Any]) -> str:
    """Return what is wrong with a list of segments, or ''."""
    exact = sum("=" in segment for segment in segments)
    too_many = f"{exact} segments are too many; at most {MOST_SEGMENTS} are counted"
    return too_many if exact > MOST_SEGMENTS else ""


def zone_of(text: str) -> str:
    """Return the name of a time zone; raise ValueError where there is none of it."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(text, available_timezones())
        is_slip = near and not near.startswith(text)
        advice = "write a name of the IANA database, such as Europe/Berlin"
        raise ValueError(f"did you mean {near}?" if is_slip else advice) from None
    return text


def place_of(text: str) -> str:
    """Return the name of a place whose public holidays are known; raise ValueError where they are not."""
    check_holidays((text,))
    return text


def interval_of(text: str) -> tuple[datetime, datetime]:
    """Return the two times of an interval, UTC; raise ValueError where it is none that an event may have."""
    since, _, until = text.partition("/")
    try:
        times = utc(datetime.fromisoformat(since.strip())), utc(datetime.fromisoformat(until.strip()))
    except ValueError:
        raise ValueError("write two times with a slash between, such as 2026-11-27/2026-11-28") from None
    event = PlannedEvent("it", *times)
    return event.since, event.until


def show_interval(times: tuple[datetime, datetime]) -> str:
    """Return an interval as the file would write it."""
    return "/".join(f"{time:%Y-%m-%dT%H:%M}Z" for time in times)


def windows_wrong(hours: Sequence[Any]) -> str:
    """Return what is wrong with a list of windows, or ''."""
    return "" if list(hours) == sorted(hours) else f"windows ascend; write {sorted(hours)}"


def label_wrong(name: str) -> str:
    """Return what is wrong with a label's name, or ''."""
    if name in _OWN_LABELS:
        return "driftline sets this label itself; choose another name"
    wrong = "no name of a label; letters, digits and _ are allowed, no digit and no __ at the beginning"
    return "" if re.fullmatch(LABEL_PATTERN, name) else wrong


def list_of(item: Scalar, also: str = "", **options: Any) -> Listed:
    """Return a list of scalars."""
    return Listed(f"a list of which each item is {item.allowed}{also}", item, **options)


def or_off(kind: Kind) -> OrOff:
    """Return a value that may also be ``off``."""
    return OrOff(f"{kind.allowed}, or `{OFF}`", kind)


BETWEEN = _share(
    "between 0 and 1",
    "exclusiveMinimum",
    "exclusiveMaximum",
    _PERCENTAGE_BETWEEN,
    lambda value: 0 < value < 1,
)
FROM_TO = _share("from 0 to 1", "minimum", "maximum", _PERCENTAGE_FROM_TO, lambda value: 0 <= value <= 1)
NUMBER = Scalar("a number such as -60, 0.5 or 1e3", "a number", _number, {"type": "number"}, _show_number)
STEP = Scalar(
    "a number from 0 to 3",
    "a number",
    _if(_number, lambda value: 0 <= value <= 3, "it lies within 0 to 3"),
    {"type": "number", "minimum": 0, "maximum": 3},
    _show_number,
)
PLACE = Scalar(
    "a country by its code in ISO 3166, or a subdivision of one, such as US or DE-BY",
    "a place",
    place_of,
    {"type": "string", "pattern": "^[A-Z]{2}(-[A-Z0-9]{1,3})?$"},
    is_text=True,
)
INTERVAL = Scalar(
    "two times in ISO 8601 (UTC unless they say otherwise), at most 14 days apart, such as "
    "2026-11-27/2026-11-28",
    "an interval",
    interval_of,
    {"type": "string", "pattern": "^[^/]+/[^/]+$"},
    show_interval,
    is_text=True,
)
IANA_NAME = "a name of the IANA database, such as Europe/Berlin"
SEGMENT = Scalar(
    "a tag or a categorical feature (every value with 1 % of the rows or more), or one value as `carrier=DL`",
    "a segment",
    _if(
        str, _is_segment, "write the name of a tag or a categorical feature, or one value of it as carrier=DL"
    ),
    {**_TEXT_TYPES, "pattern": "^[^=\\s]([^=]*[^=\\s])?(=.+)?$"},
    is_text=True,
)
TRUTH = Scalar(
    "`true` or `false`",
    "a truth value",
    lambda text: _if(str, {"true", "false"}.__contains__, "write true or false")(text) == "true",
    {"type": "boolean"},
    lambda value: str(value).lower(),
)
THIS_VERSION = Scalar(
    f"`{VERSION}`",
    "a version",
    lambda text: int(_if(str, str(VERSION).__eq__, f"this driftline reads version {VERSION}")(text)),
    {"const": VERSION},
)
NAMES_OF = "names of {}, or patterns with `*`"
