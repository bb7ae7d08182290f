"""What becomes of a user's values on the wire. A value that does not fit is refused, never changed.

============================== ======================================================================
what the user passes           what the wire carries
============================== ======================================================================
float, any NaN, infinities     the same double
bool                           1.0 or 0.0
int                            the double, if it is the same number; else ``integer_precision``
Decimal, numpy's long double   the double, if it is the same number; else ``number_precision``
str                            the same text
numpy, Arrow, tensor scalars   what their ``item()`` or ``as_py()`` is
None, pandas NA and NaT        missing
anything else                  ``unsupported_type``
============================== ======================================================================

Nothing is imported for this: numpy, pandas, pyarrow and tensors are recognised by their shape.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from driftline.wire.reasons import Reason, ValueRefusedError

END_OF_TIME_US: Final = 4_102_444_800_000_000
"""2100-01-01T00:00:00Z in microseconds since 1970: event times lie before it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_DENSE_INTEGER = 2**53
_LARGEST_LONG = 2**63 - 1
_TRACE_ID = re.compile(r"[0-9a-f]{32}").fullmatch
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch

_MISSING_TYPE_NAMES = frozenset({"NAType", "NaTType"})


def plain_value(value: Any) -> bool | int | float | str | Decimal | None:  # noqa: PLR0911 - one per kind
    """Return a scalar of any library as Python's own; None for every kind of missing value.

    Raises:
        ValueRefusedError: ``unsupported_type``.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str.__str__(value)  # An enum's or numpy's text, not what its own __str__ makes of it.
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, (bool, int, Decimal)):
        return value
    if type(value).__name__ in _MISSING_TYPE_NAMES:
        return None
    if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "as_py"):
        return plain_value(value.as_py())
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return _array_scalar(value)
    raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, f"a {type(value).__name__} is no number and no text")


def _array_scalar(value: Any) -> bool | int | float | str | None:
    """Return what an array library's scalar or array without dimensions holds."""
    if getattr(value.dtype, "kind", "") in {"m", "M"}:  # item() of such a value may be an int.
        if value != value:  # noqa: PLR0124 - NaT is the one time that differs from itself.
            return None
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, "a time is no number and no text")
    item = value.item()
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    if getattr(value.dtype, "kind", "") == "f":  # A long double stays one.
        number = float(item)
        if number == item or math.isnan(number):
            return number
        raise ValueRefusedError(Reason.NUMBER_PRECISION, "a double can't hold this long double exactly")
    raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, f"a {type(item).__name__} is no number and no text")


def feature_value(value: Any) -> float | str | None:
    """Return a feature's value: a number, a category or None when it is missing.

    Raises:
        ValueRefusedError: ``unsupported_type``, ``integer_precision`` or ``number_precision``.
    """
    plain = plain_value(value)
    if plain is None or isinstance(plain, (float, str)):
        return plain
    return _exact_double(plain)


def _exact_double(number: int | Decimal) -> float:
    if isinstance(number, Decimal):
        if number.is_nan():
            return math.nan
        double = float(number)
        if Decimal(double) == number:
            return double
        raise ValueRefusedError(
            Reason.NUMBER_PRECISION, "a double can't hold this Decimal exactly: pass a float or a string"
        )
    if -_LARGEST_DENSE_INTEGER <= number <= _LARGEST_DENSE_INTEGER:
        return float(number)
    try:
        double = float(number)
    except OverflowError:
        double = math.inf
    if math.isfinite(double) and int(double) == number:
        return double
    raise ValueRefusedError(
        Reason.INTEGER_PRECISION,
        f"a double can't hold this integer of {number.bit_length()} bits exactly: pass it as a string "
        "(a category, an identifier) or as a float (a quantity, rounded)",
    )


def number_value(value: Any) -> float | None:
    """Return a number, or None when it is missing.

    Raises:
        ValueRefusedError: as ``feature_value``; a string is ``unsupported_type``.
    """
    number = feature_value(value)
    if isinstance(number, str):
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, "a string is no number")
    return number


def text_value(value: Any) -> str | None:
    """Return a label, a tag's value or an identifier as text, or None when it is missing.

    A whole number becomes its digits, with or without a decimal point in the user's program (labels 1
    and 1.0 are one class); True and False become "1" and "0", as they do among the features; another
    float becomes its shortest exact form.

    Raises:
        ValueRefusedError: ``unsupported_type``, also for NaN and the infinities.
    """
    if type(value) is str:
        return value
    if isinstance(value, UUID):
        return str(value)
    plain = plain_value(value)
    if plain is None or isinstance(plain, str):
        return plain
    if isinstance(plain, (int, bool)):
        return str(int(plain))
    if not math.isfinite(plain):
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, "NaN and the infinities are no labels")
    return str(int(plain)) if plain == int(plain) else str(plain)


def event_time_us(value: Any) -> int:
    """Return a time in microseconds since 1970-01-01T00:00:00Z; finer parts are cut off.

    Args:
        value: a datetime (a naive one is UTC), a number of seconds since 1970 or a numpy datetime64.

    Raises:
        ValueRefusedError: ``event_time_out_of_range`` outside [1970, 2100) and for NaN and NaT,
            ``unsupported_type``.
    """
    micros = _micros(value)
    if micros is None or not 0 <= micros < END_OF_TIME_US:
        raise ValueRefusedError(
            Reason.EVENT_TIME_OUT_OF_RANGE,
            "a time must lie in [1970, 2100); numbers are seconds, not milliseconds",
        )
    return micros


def _micros(value: Any) -> int | None:  # noqa: PLR0911 - one per kind
    if type(value).__name__ in _MISSING_TYPE_NAMES:
        return None
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if getattr(getattr(value, "dtype", None), "kind", "") == "M" and value.shape == ():
        return int(value.astype("datetime64[us]").astype("int64"))  # NaT becomes a negative number.
    if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "as_py"):
        python_value = value.as_py()
        return None if python_value is None else _micros(python_value)
    seconds = plain_value(value)
    if seconds is None:
        return None
    if isinstance(seconds, (bool, str, Decimal)):
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, f"a {type(value).__name__} is no time")
    if isinstance(seconds, int):
        return seconds * 1_000_000
    return round(seconds * 1e6) if math.isfinite(seconds) else None


def duration_us(value: Any) -> int | None:
    """Return a duration in whole microseconds (rounded), or None when it was not measured.

    Raises:
        ValueRefusedError: ``invalid_duration`` or ``unsupported_type``.
    """
    plain = plain_value(value)
    if plain is None:
        return None
    if isinstance(plain, str):
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, "a string is no duration")
    if not math.isfinite(plain) or not 0 <= (micros := round(plain)) <= _LARGEST_LONG:
        raise ValueRefusedError(
            Reason.INVALID_DURATION, "a duration must be a number of microseconds, 0 or more"
        )
    return micros


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
        ValueRefusedError: ``invalid_trace_id``.
    """
    if value is None:
        return None
    text = value.lower() if isinstance(value, str) else ""
    if type(value) is int and 0 <= value < 2**128:
        text = f"{value:032x}"
    if not _TRACE_ID(text):
        raise ValueRefusedError(Reason.INVALID_TRACE_ID, "a trace_id must be 32 hexadecimal digits")
    return None if text == "0" * 32 else text
