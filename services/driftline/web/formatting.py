"""Numbers, times, verdicts and findings as text. Hours count from the Unix epoch; all times are in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from driftline.domain.channels import ChannelKind
from driftline.domain.hours import hour_of, hour_time
from driftline.domain.names import (
    COMPUTE,
    CONFIDENCE,
    ENTROPY,
    JOINT,
    LATENCY,
    VOLUME,
    class_of,
    output_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.domain.channels import Channel

VERDICT_LABELS = {
    "page": "drifted",
    "warn": "warning",
    "ok": "ok",
    "learning": "learning",
    "incomplete": "incomplete",
    "insufficient_data": "too few events",
}
SET_ASIDE = {
    "future": "set aside: over a day ahead of landing",
    "old": "set aside: of 1970",
    "late": "set aside: over five weeks late",
}
"""Labels of predictions whose time cannot be right."""

VERDICT_MEANINGS = {
    "page": "surely more moved than chance and habit explain: somebody should look now",
    "warn": "surely changed, by too little or too uncertainly to call somebody",
    "ok": "judged, and as usual",
    "learning": "what is usual is not known yet: that takes a week of traffic",
    "incomplete": "too many events went missing on their way to judge",
    "insufficient_data": "too few events, or too short a time, to judge",
}
REASON_LABELS = {
    "type": "a number where a category belongs, or the other way round",
    "not_finite": "NaN or infinite",
    "below_range": "too small",
    "above_range": "too large",
    "below_training_range": "below all that the training data held",
    "above_training_range": "above all that the training data held",
    "not_allowed": "an unknown category",
    "missing": "sent without a value",
    "absent": "not sent",
    "unknown_feature": "a feature that the model does not know",
    "no_prediction": "no answer",
    "probability_range": "a probability outside of 0 to 1",
    "probability_sum": "probabilities that do not sum to 1",
}
BLAMES = {
    "upstream": "Upstream: what was stored moved",
    "serving": "Serving: the model got something else than was stored",
    "model": "The model: its features are as they were",
    "unknown": "Nothing says so",
    "none": "Nothing is wrong with the features",
}
DRIVERS = {
    "part": "One part carries it",
    "grew": "The mixture changed",
    "alike": "The whole moved alike",
    "unclear": "Too little to say",
}
FEATURE_KINDS = {"view": "view", "on_demand": "on-demand view", "service": "service"}
DROP_LABELS = {
    "too_large": "an event of more than 1,000,000 bytes",
    "queue_full": "they came faster than the log took them, and the queue was full",
    "closed": "the logger was closed before",
    "log_unusable": "given up at the end, since the log took nothing until then",
    "internal_error": "an error in the logger",
}
INCIDENT_STATES = {
    "open": "still goes on",
    "dismissed": "was called a false page",
    "ended": "is over",
    "accepted": "is the new normal",
    "withdrawn": "was taken back: events that arrived late left nothing of it",
}
VERDICT_SIGNS = {
    "page": "▲",
    "warn": "◆",
    "ok": "✓",
    "learning": "…",
    "incomplete": "◌",
    "insufficient_data": "·",
}
KIND_LABELS = {"numeric": "number", "categorical": "text"}
REFERENCE_LABELS = {
    "production": "the same hours of past weeks",
    "training": "the training data",
}
REFERENCE_NAMES = {"production": "past weeks", "training": "training data"}
# Between a number and its unit a line must not break.
_GAP = "\N{NO-BREAK SPACE}"


class Moved(Protocol):
    """How a share moved: an episode, or an incident's finding."""

    @property
    def channel(self) -> Channel | None: ...  # noqa: D102  the protocol's docstring describes its members
    @property
    def effect(self) -> float: ...  # noqa: D102  as above
    @property
    def expected(self) -> float: ...  # noqa: D102  as above
    @property
    def observed(self) -> float: ...  # noqa: D102  as above


def iso(hour: int) -> str:
    """Return an hour for machines, as in an element `time` and in links."""
    return f"{hour_time(hour):%Y-%m-%dT%H:00Z}"


def parse_iso(text: str) -> int | None:
    """Return the hour that a link names; None where it names none."""
    try:
        return hour_of(datetime.strptime(text, "%Y-%m-%dT%H:00Z").replace(tzinfo=UTC))
    except ValueError:
        return None


def minute(time: datetime | None) -> str | None:
    """Return a time as a form's field holds it: ``2013-07-19T09:00``, in UTC; None where there is none."""
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M}"


def at(hour: int) -> str:
    """Return an hour for people: ``19 Jul 2013, 09:00 UTC``."""
    when = hour_time(hour)
    return f"{when.day} {when:%b %Y, %H:00} UTC"


def day_hour(hour: int) -> str:
    """Return an hour for a narrow column, whose heading names UTC."""
    return at(hour).removesuffix(" UTC")


def day_minute(time: datetime) -> str:
    """Return a time to the minute for a narrow column, whose heading names UTC."""
    return f"{time.day} {time:%b %Y, %H:%M}"


def duration(hours: int) -> str:
    """Return a length of time: ``45 h`` up to two days, then ``3 d 4 h``."""
    days, rest = divmod(hours, 24)
    if days < 2:
        return f"{hours}{_GAP}h"
    return f"{days}{_GAP}d{_GAP}{rest}{_GAP}h" if rest and days < 14 else f"{days}{_GAP}d"


def ago(seconds: float) -> str:
    """Return how long ago something was, rounded down to the largest unit."""
    for size, name in ((365.25 * 86400, "year"), (86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def age_of(seconds: float) -> str:
    """Return a length of time with its largest unit: ``3.2 h``, ``14 d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g}{_GAP}{unit}"
    return f"{seconds:.3g}{_GAP}s"


def percent(share: float) -> str:
    """Return a share with about three digits: ``31 %``, ``4.2 %``, ``0.03 %``."""
    size = abs(share) * 100
    if size >= 99.95 or size == 0:
        digits = 0
    elif size >= 10:
        digits = 1
    else:
        digits = 1 if size >= 1 else 2
    if 0 < size < 0.005:
        return f"{'-' if share < 0 else ''}<0.01{_GAP}%"
    return f"{share * 100:.{digits}f}{_GAP}%"


def points(effect: float) -> str:
    """Return a difference of shares, with its sign, in percentage points."""
    return f"{effect * 100:+.{1 if abs(effect) >= 0.01 else 2}f}{_GAP}points".replace("-", "\N{MINUS SIGN}")


def number(value: float) -> str:
    """Return a number with four significant digits, without a needless exponent."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = f"{value:,.{max(0, min(6, 3 - math.floor(math.log10(abs(value)))))}f}" if value else "0"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\N{MINUS SIGN}")
    return f"{value:.3g}"


def value(held: float | str | None) -> str:
    """Return a feature's value as it is shown: a number with up to six digits, a category as it is."""
    if held is None or isinstance(held, str):
        return held or ("" if held is None else '""')
    return f"{held:.6g}".replace("-", "\N{MINUS SIGN}")


def count(events: float) -> str:
    """Return a whole number with thousands separators."""
    return f"{events:,.0f}"


def milliseconds(us: float) -> str:
    """Return a length of time, given in microseconds: ``0.45 ms``, ``120 ms``, ``3.2 s``."""
    return f"{us / 1e6:.3g}{_GAP}s" if us >= 1e6 else f"{us / 1000:.3g}{_GAP}ms"


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def feature_name(feature: str) -> str:
    """Return what people call a feature, or a part of the answer."""
    if (output := output_of(feature)) is not None:
        return f"output {output}"
    if (name := class_of(feature)) is not None:
        return f"probability of {name}"
    return _NAMES.get(feature, feature)


_NAMES = {
    JOINT: "features together",
    VOLUME: "number of predictions",
    LATENCY: "latency (microseconds)",
    COMPUTE: "compute time (microseconds)",
    CONFIDENCE: "confidence (top probability)",
    ENTROPY: "entropy of the probabilities",
}


def clock(time: datetime) -> str:
    """Return a time in UTC to the second: ``19 Jul 2013, 09:00:07``."""
    return f"{time.day} {time:%b %Y, %H:%M:%S}"


def finding(moved_share: Moved) -> str:
    """Return what moved, from where to where, as text."""
    channel, effect = moved_share.channel, moved_share.effect
    expected, observed = percent(moved_share.expected), percent(moved_share.observed)
    moved = "rose" if effect >= 0 else "fell"
    change = f"{moved} from {expected} to {observed}"
    if channel is None:
        return f"the share that moved most {change}"
    match channel.kind, channel.value:
        case ChannelKind.STUCK | ChannelKind.UNIT_CHANGED, _:
            return "shows one single value" if channel.kind is ChannelKind.STUCK else channel.text
        case ChannelKind.TYPE_CHANGED, _:
            return f"{channel.text}: events without the former type {change}"
        case ChannelKind.AT_MOST, float(cut) if not channel.feature:
            direction = "lower" if effect >= 0 else "higher"
            return f"values are {direction}: those at or below {number(cut)} {change}"
        case ChannelKind.VALUE, str(held):
            return f"the share of '{held}' {change}"
        case _:
            return f"{channel.text} {change}"
