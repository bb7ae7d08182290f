"""What becomes of a user's values on the wire: the same in ``log``, ``log_batch`` and outcomes.

==================================== ========================= =====================================
what the user passes                 as a feature, prediction  as a label, tag or identifier
==================================== ========================= =====================================
float, any NaN, infinities           the same double           its digits; NaN: missing
bool                                 1.0 or 0.0                "1" or "0"
int, Decimal, Fraction, long double  the double, or the        its digits
                                     nearest one (``Rounded``)
str                                  the same text             the same text
UUID                                 its text                  its text
datetime, numpy, pandas, Arrow times seconds since 1970        ISO 8601, in UTC
date                                 its beginning in UTC      ISO 8601
time of day                          seconds since midnight    ISO 8601
timedelta                            seconds                   seconds
Enum                                 what its value becomes    what its value becomes
numpy, Arrow, tensor scalars         what their ``item()`` or ``as_py()`` becomes
None, pandas NA and NaT              missing                   missing
anything else                        refused: ``unencodable``  refused: ``unencodable``
==================================== ========================= =====================================

Nothing is imported for this: numpy, pandas, pyarrow and tensors are recognised by their shape.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final, TypeAlias
from uuid import UUID

from driftline.wire.reasons import Reason, ValueRefusedError, unencodable

END_OF_TIME_US: Final = 4_102_444_800_000_000
"""2100-01-01T00:00:00Z in microseconds since 1970: event times lie before it."""

LARGEST_DENSE_INTEGER: Final = 2**53
"""Up to here each integer is a double."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_LONG = 2**63 - 1
_TRACE_ID = re.compile(r"[0-9a-f]{32}").fullmatch
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_MISSING_TYPE_NAMES = frozenset({"NAType", "NaTType"})

Plain: TypeAlias = float | int | str | Decimal | Fraction | UUID | date | time | timedelta | None
"""A scalar of Python's own. A bool is an int, a datetime is a date; None is missing."""


class Rounded(float):
    """The double nearest to a number that no double equals."""

    __slots__ = ()


def plain_value(value: Any) -> Plain:  # noqa: PLR0911 - one per kind
    """Return a scalar of any library as Python's own; None for every kind of missing value.

    Raises:
        ValueRefusedError: ``unencodable``.
    """
    if value is None or type(value).__name__ in _MISSING_TYPE_NAMES:
        return None
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, str):
        return str.__str__(value)  # numpy's text, not what its own __str__ makes of it.
    if isinstance(value, float):
        return float.__float__(value)
    if getattr(getattr(value, "dtype", None), "kind", "") in {"m", "M"} and value.shape == ():
        return _array_time(value)
    if isinstance(value, (int, Decimal, Fraction, UUID, date, time, timedelta)):
        return value
    if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "as_py"):
        return plain_value(value.as_py())
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return _array_scalar(value)
    raise unencodable(f"{type(value).__name__} is neither number nor text")


def _array_time(value: Any) -> datetime | timedelta | None:
    """Return a numpy time or duration, in microseconds; finer parts are cut off."""
    if value != value:  # noqa: PLR0124 - NaT is the one time that differs from itself.
        return None
    if not value.dtype.str.endswith("]"):
        raise unencodable("a duration without a unit")
    item = value.astype(f"{value.dtype.kind}8[us]").item()
    if isinstance(item, datetime):
        return item.replace(tzinfo=UTC)
    if isinstance(item, timedelta):
        return item
    raise unencodable("a time beyond the year 9999")


def _array_scalar(value: Any) -> Plain:
    """Return what an array library's scalar or array without dimensions holds."""
    item = value.item()
    if getattr(value.dtype, "kind", "") == "f" and not isinstance(item, float):  # A long double stays one.
        number = float(item)
        return number if number == item or math.isnan(number) else Rounded(number)
    if hasattr(item, "dtype"):
        raise unencodable(f"{type(item).__name__} is neither number nor text")
    return plain_value(item)


def is_nan(value: Any) -> bool:
    """Return whether a value is NaN: a float of Python's, or a scalar of an array library's."""
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - only NaN differs from itself.
    is_scalar = getattr(value, "shape", None) == () and getattr(value.dtype, "kind", "") == "f"
    return is_scalar and bool(value != value)  # noqa: PLR0124 - as above


def feature_value(value: Any) -> float | str | None:
    """Return a feature's value: a number, a category or None when it is missing.

    A number that no double equals comes back as ``Rounded``.

    Raises:
        ValueRefusedError: ``unencodable``.
    """
    plain = value if type(value) is float else plain_value(value)
    if plain is None or isinstance(plain, (float, str)):
        return plain
    if isinstance(plain, UUID):
        return str(plain)
    if isinstance(plain, (date, time, timedelta)):
        return _seconds(plain)
    return _nearest_double(plain)


def _nearest_double(number: int | Decimal | Fraction) -> float:
    if isinstance(number, Decimal) and number.is_nan():
        return math.nan
    if isinstance(number, int) and -LARGEST_DENSE_INTEGER <= number <= LARGEST_DENSE_INTEGER:
        return float(number)
    try:
        double = float(number)
    except OverflowError:
        double = math.inf if number > 0 else -math.inf
    if math.isinf(double):
        is_same = isinstance(number, Decimal) and number.is_infinite()
    else:
        is_same = (Decimal(double) if isinstance(number, Decimal) else Fraction(double)) == number
    return double if is_same else Rounded(double)


def _seconds(moment: date | time | timedelta) -> float:
    """Return a time in seconds since 1970, a time of day since midnight, or a duration."""
    if isinstance(moment, time):
        moment = timedelta(
            hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond
        )
    return (_duration_micros(moment) if isinstance(moment, timedelta) else _micros_of(moment)) / 1e6


def _micros_of(moment: date) -> int:
    """Return the microseconds from 1970 to a datetime (a naive one is UTC), or to a day's beginning."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return _duration_micros((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH)


def _duration_micros(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds


def number_value(value: Any) -> float | None:
    """Return a number, or None when it is missing.

    Raises:
        ValueRefusedError: as ``feature_value``; also for a string.
    """
    number = feature_value(value)
    if isinstance(number, str):
        raise unencodable("a string is no number")
    return number


def text_value(value: Any) -> str | None:  # noqa: PLR0911 - one per kind
    """Return a label, a tag's value or an identifier as text, or None when it is missing.

    A whole number becomes its digits, with or without a decimal point in the user's program (labels 1
    and 1.0 are one class); True and False become "1" and "0", as they do among the features; another
    float becomes its shortest exact form. NaN is missing.

    Raises:
        ValueRefusedError: ``unencodable``.
    """
    if type(value) is str:
        return value
    plain = plain_value(value)
    if plain is None or isinstance(plain, str):
        return plain
    if isinstance(plain, datetime):
        return (plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain.astimezone(UTC)).isoformat()
    if isinstance(plain, (date, time)):
        return plain.isoformat()
    if isinstance(plain, timedelta):
        plain = _seconds(plain)
    if isinstance(plain, (UUID, Fraction)):
        return str(plain)
    if plain != plain:  # noqa: PLR0124 - NaN names nothing.
        return None
    if math.isinf(plain) or plain != int(plain):
        return float.__repr__(plain) if isinstance(plain, float) else str(plain)
    return str(int(plain))


def as_category(value: Any) -> Any:
    """Return the value of a feature that is a category, whatever its type: a label's text, or None.

    What can't be one comes back as it is, to be left out where it is encoded.
    """
    if type(value) is str:
        return value
    try:
        return text_value(value)
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything.
        return value


def event_time_us(value: Any) -> int | None:
    """Return a time in microseconds since 1970-01-01T00:00:00Z; finer parts are cut off. None: none given.

    Args:
        value: a time, a date, a number of seconds since 1970 or a text in ISO 8601.

    Raises:
        ValueRefusedError: ``unencodable``, also outside [1970, 2100), and what stands for a time that is
            missing (NaT, NaN, NA): whoever gave it should know that another one stands in its place.
    """
    if value is None:
        return None
    micros = _micros(plain_value(value))
    if micros is None:
        raise unencodable("a time that is missing")
    if not 0 <= micros < END_OF_TIME_US:
        raise unencodable("a time must lie in [1970, 2100); numbers are seconds, not milliseconds")
    return micros


def _micros(plain: Plain) -> int | None:
    if plain is None or plain != plain:  # noqa: PLR0124 - NaN was not measured.
        return None
    if isinstance(plain, str):
        try:
            plain = datetime.fromisoformat(plain)
        except ValueError:
            raise unencodable("a text that is no time in ISO 8601") from None
    if isinstance(plain, date):
        return _micros_of(plain)
    if isinstance(plain, (bool, UUID, time, timedelta)):
        raise unencodable(f"{type(plain).__name__} is no time")
    if isinstance(plain, int):
        return plain * 1_000_000
    return round(plain * 1_000_000) if -_LARGEST_LONG < plain < _LARGEST_LONG else -1


def duration_us(value: Any) -> int | None:
    """Return a duration in whole microseconds (rounded), or None when it was not measured.

    Args:
        value: a number of microseconds, or a timedelta.

    Raises:
        ValueRefusedError: ``unencodable``, also when it is negative, or too long for 64 bits.
    """
    plain = plain_value(value)
    if plain is None or plain != plain:  # noqa: PLR0124 - NaN was not measured.
        return None
    if isinstance(plain, timedelta):
        plain = _duration_micros(plain)
    if isinstance(plain, (str, UUID, date, time)):
        raise unencodable(f"{type(plain).__name__} is no duration")
    micros = round(plain) if 0 <= plain <= _LARGEST_LONG else -1
    if 0 <= micros <= _LARGEST_LONG:
        return micros
    raise unencodable("a duration must be a number of microseconds, 0 or more")


def revision_number(value: Any) -> int:
    """Return the number of a revision; None, which is not numbered, is 0.

    Raises:
        ValueRefusedError: ``invalid_revision``: it is no whole number, negative, or too large for 64 bits.
    """
    plain = plain_value(value)
    if plain is None:
        return 0
    number = int(plain) if isinstance(plain, float) and plain.is_integer() else plain
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _LARGEST_LONG:
        return number
    raise ValueRefusedError(Reason.INVALID_REVISION, "a revision is a whole number from 0 to 2^63 - 1")


def event_id_text(value: Any) -> str:
    """Return a UUID in its canonical lower-case form.

    Raises:
        ValueRefusedError: ``invalid_event_id``.
    """
    if isinstance(value, str) and _CANONICAL_UUID(value):
        return str.__str__(value)
    try:
        return str(value if isinstance(value, UUID) else UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise ValueRefusedError(Reason.INVALID_EVENT_ID, "an event_id must be a UUID") from None


def trace_id_text(value: Any) -> str | None:
    """Return a W3C trace id as 32 lower-case hexadecimal digits; None when there is none.

    OpenTelemetry gives the id as an integer, and 0 when nothing is traced: both are understood.

    Raises:
        ValueRefusedError: ``unencodable``.
    """
    if type(value) is int and 0 <= value < 2**128:
        value = f"{value:032x}"
    plain = plain_value(value)
    if plain is None:
        return None
    text = plain.lower() if isinstance(plain, str) else ""
    if not _TRACE_ID(text):
        raise unencodable("a trace_id must be 32 hexadecimal digits")
    return None if text == "0" * 32 else text
