"""Names and values come from outside: shown, none of their characters moves a cursor or turns text around."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, which steer terminals
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of writing
    "\u2028\u2029"  # end a line
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"  # are not to be seen
    "\ud800-\udfff]"  # half a character, which can't be written at all
)


def printable(text: str, *, keep: str = "") -> str:
    """Return a text with such characters as escapes of JSON, which begin with a backslash and a u.

    Args:
        text: of any characters.
        keep: those that stay all the same.
    """
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
