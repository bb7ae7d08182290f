"""What a record of a verdict says of the share that moved most, and its sentence with these figures.

The view ``drift_verdicts`` says the same in SQL. To plan a query of it takes the store longer than most
answers do, so what a page or the drift worker reads often is read from ``verdict_records``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftline.domain.channels import Channel


class Moved(NamedTuple):
    """A row of `COLUMNS`."""

    channel_kind: str
    channel_value: str
    channel_feature: str
    counted: int
    sample_size: int
    expected_or_nan: float
    detectable_or_nan: float
    reason: str

    @property
    def channel(self) -> Channel | None:
        """The share; None: nothing could be compared."""
        return Channel.from_row(self.channel_kind, self.channel_value, self.channel_feature)

    @property
    def observed(self) -> float | None:
        """The share seen."""
        return self.counted / max(self.sample_size, 1) if self.channel_kind else None

    @property
    def expected(self) -> float | None:
        """The share expected."""
        return number(self.expected_or_nan)

    @property
    def effect(self) -> float | None:
        """Observed less expected share."""
        observed, expected = self.observed, self.expected
        return None if observed is None or expected is None else observed - expected

    @property
    def detectable_effect(self) -> float | None:
        """The smallest effect that the window could have paged for."""
        return number(self.detectable_or_nan)

    @property
    def text(self) -> str:
        """The verdict's sentence."""
        channel = self.channel
        figures = {
            "{observed}": f"{100 * (self.observed or 0.0):.2f}%",
            "{expected}": f"{100 * (self.expected or 0.0):.2f}%",
            "{detectable}": f"{100 * (self.detectable_effect or 0.0):.1f}%",
            "{channel}": channel.text if channel else "",
        }
        text = self.reason
        for mark, figure in figures.items():  # The channel last: a category may be called like a mark.
            text = text.replace(mark, figure, 1)
        return text


COLUMNS = (
    *("channel_kind", "channel_value", "channel_feature", "counted", "sample_size", "expected"),
    *("detectable_effect", "reason"),
)
"""Those of ``verdict_records`` that a `Moved` is made of, in the order of its fields."""

MOVED = ", ".join(COLUMNS)
"""SQL: the same."""

SURE = "if(isNaN(z), inf, z)"
"""SQL: how sure a verdict is; what needs no test is surest."""


def number(value: float) -> float | None:
    """Return a figure of a record; None where it has none."""
    return None if math.isnan(value) else value
