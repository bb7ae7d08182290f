"""What right and wrong answers are worth, in a currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What an answer about one class is worth; a cost is negative.

    Args:
        true_positive: it was answered, and came true.
        false_positive: it was answered, and did not.
        true_negative: it was not answered, and did not come true.
        false_negative: it was not answered, and came true.
    """

    true_positive: float = 0.0
    false_positive: float = 0.0
    true_negative: float = 0.0
    false_negative: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessValue:
    """What a model's answers are worth.

    Args:
        currency: its name, such as EUR.
        of_yes: of answers of yes and no: what they are worth.
        classes: of answers that are labels: by label; others are worth nothing.
        over: of answers that are numbers: of each unit by which one is above the truth; a cost is negative.
        under: of each unit by which it is below.
    """

    currency: str
    of_yes: Worth = field(default_factory=Worth)
    classes: Mapping[str, Worth] = field(default_factory=lambda: MappingProxyType({}))
    over: float = 0.0
    under: float = 0.0
