"""What a verdict comes to, and which of several is shown."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["numeric", "categorical"]
KINDS: tuple[Kind, ...] = ("numeric", "categorical")
Reference = Literal["training", "production"]


class Feature(NamedTuple):
    """A feature is known by its name and kind: one that changes its kind is another feature."""

    name: str
    kind: Kind


def other_kind(kind: Kind) -> Kind:
    """Return the kind that a feature becomes when it changes its type."""
    return "categorical" if kind == "numeric" else "numeric"


class VerdictName(StrEnum):
    """What a verdict comes to, the gravest first.

    A window too short to judge (at night, say) is no news where a longer one was judged, so
    ``insufficient_data`` ranks last.
    """

    PAGE = "page"
    WARN = "warn"
    INCOMPLETE = "incomplete"
    LEARNING = "learning"
    OK = "ok"
    INSUFFICIENT_DATA = "insufficient_data"

    @property
    def severity(self) -> int:
        """How grave it is: 0 for the least, the larger the graver."""
        return _SEVERITY[self]

    @property
    def has_changed(self) -> bool:
        """Whether it says that something surely changed."""
        return self in _CHANGED


BY_SEVERITY = tuple(reversed(VerdictName))
"""All verdicts by their severity, the least grave first."""

_SEVERITY = {name: severity for severity, name in enumerate(BY_SEVERITY)}
_CHANGED = frozenset({VerdictName.PAGE, VerdictName.WARN})


def gravest(verdicts: Iterable[str]) -> VerdictName:
    """Return the verdict that is shown for several, by their names; that of no window where there is none."""
    names = map(VerdictName, verdicts)
    return max(names, key=_SEVERITY.__getitem__, default=VerdictName.INSUFFICIENT_DATA)
