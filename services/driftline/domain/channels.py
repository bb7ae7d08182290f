"""Channels: the proportions that are watched, as data. They become text only where they are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class ChannelKind(StrEnum):
    """Which proportion of a feature's values, or of all rows."""

    AT_MOST = "at_most"
    VALUE = "value"
    OTHER_VALUES = "other_values"
    FREQUENT_OTHERS = "frequent_others"
    NEVER_SEEN = "never_seen"
    NULLS = "nulls"
    NANS = "nan"
    INFINITIES = "infinities"
    OUT_OF_RANGE = "out_of_range"
    STUCK = "stuck"
    TOGETHER = "together"
    TYPE_CHANGED = "type_changed"
    UNIT_CHANGED = "unit_changed"
    VOLUME = "volume"


_PHRASES = {
    ChannelKind.OTHER_VALUES: "other values",
    ChannelKind.FREQUENT_OTHERS: "the more frequent half of the other values",
    ChannelKind.NEVER_SEEN: "values never seen",
    ChannelKind.NULLS: "nulls",
    ChannelKind.NANS: "NaN",
    ChannelKind.INFINITIES: "infinities",
    ChannelKind.OUT_OF_RANGE: "out of range",
    ChannelKind.STUCK: "stuck",
    ChannelKind.TOGETHER: "both or neither",
    ChannelKind.VOLUME: "predictions (of those expected)",
}


_TYPES = ("numbers instead of text", "text instead of numbers")
_WITH_VALUE = frozenset({ChannelKind.VALUE, ChannelKind.TYPE_CHANGED, ChannelKind.UNIT_CHANGED})


@dataclass(frozen=True, slots=True)
class Channel:
    """One proportion.

    Args:
        kind: which.
        value: of `at_most`: the largest number that counts, in the feature's unit; of `value`: the category;
            of `type_changed`: what comes instead, `numeric` or `categorical`; of `unit_changed`: what was
            done to the values.
        feature: what it is of, where the verdict that names it is on features together; else empty.
    """

    kind: ChannelKind
    value: float | str | None = None
    feature: str = ""

    @property
    def text(self) -> str:
        """The channel as one line of text: for people, never to be read back."""
        if self.kind is ChannelKind.AT_MOST and isinstance(self.value, float):
            text = f"share at or below {number_text(self.value)}"
        elif self.kind is ChannelKind.VALUE:
            text = f"value '{self.value}'"
        elif self.kind is ChannelKind.TYPE_CHANGED:
            text = f"type changed, {_TYPES[self.value == 'categorical']}"
        elif self.kind is ChannelKind.UNIT_CHANGED:
            text = f"unit changed, values {self.value}"
        else:
            text = _PHRASES[self.kind]
        return f"{self.feature}: {text}" if self.feature else text

    @classmethod
    def from_row(cls, kind: str, value: str, feature: str) -> Channel | None:
        """Return the channel that was kept as `channel_row` gives it."""
        if not kind:
            return None
        named = ChannelKind(kind)
        if named is ChannelKind.AT_MOST:
            return cls(named, float(value), feature)
        return cls(named, value if named in _WITH_VALUE else None, feature)


def channel_row(channel: Channel | None) -> tuple[str, str, str]:
    """Return kind, value and feature as they are kept, numbers exactly; all empty for none."""
    if channel is None:
        return "", "", ""
    value = channel.value
    kept = "" if value is None else value if isinstance(value, str) else repr(value)
    return channel.kind.value, kept, channel.feature


def number_text(number: float) -> str:
    """Return a number with four digits or more, all those before the point among them: 24902, 0.01234."""
    size = abs(number)
    if not math.isfinite(number) or size >= 1e15 or 0 < size < 1e-6:
        return f"{number:.4g}"
    decimals = max(0, 3 - math.floor(math.log10(size))) if size else 0
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
