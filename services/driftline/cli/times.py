"""Times that commands take: a text in ISO 8601, or an age such as ``7d``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from driftline.domain.hours import utc

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

TIME_HELP = "(ISO 8601, UTC unless it says otherwise), or age, such as 7d"
"""What the help of an option says of a time."""

_UNITS = MappingProxyType({"m": "minutes", "h": "hours", "d": "days", "w": "weeks"})
_AGE = re.compile(r"(\d{1,9})\s*([mhdw])")


def since_option(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a command ``--since``: a time, or None.

    Args:
        what: what the command then shows, for its help: "Of windows that ended after".
    """
    return click.option("--since", callback=_time_or_none, help=f"{what} this time {TIME_HELP}.")


def _time_or_none(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def parse_age(text: str) -> timedelta:
    """Return how long something is that was given as text, such as ``7d``.

    Raises:
        click.BadParameter: it is none.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return timedelta(**{_UNITS[age[2]]: int(age[1])})
    except OverflowError as error:
        raise click.BadParameter(f"{text!r} is longer than there are dates") from error
    raise click.BadParameter(f"{text!r} is no age, such as 7d, 36h or 90m")


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """Return a time that was given as text: in ISO 8601, UTC unless it says otherwise, or as an age, ``7d``.

    Raises:
        click.BadParameter: it is neither.
    """
    if age := _AGE.fullmatch(text.strip()):
        try:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        except OverflowError as error:
            raise click.BadParameter(f"{text!r} is longer ago than there are dates") from error
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no time, such as 2026-01-31T12:00 (ISO 8601), and no age, such as 7d, 36h or 90m"
        ) from error
    return utc(time)
