"""What a team may want to set about drift verdicts. The defaults are the ones that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from driftline.domain.calendars import Calendar, PlannedEvent, check_holidays
from driftline.domain.incidents import DEFAULT_QUIET_HOURS

HOURS_PER_DAY = 24
HOURS_PER_WEEK = 168

NOISE_LAG_WEEKS = 1
"""The noise is learned from weeks that ended so long before the reference does.

A fault too small to be found at once would pass for noise on the next day, and never be found.
"""


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How verdicts are reached. Shares and effects are fractions of 1.

    Args:
        page_budget_hours: A; at most one false page per model in so many hours.
        minimum_effect: delta; a page says that surely more than this share of rows moved.
        warn_effect: a warning needs at least this difference, and that it surely is not zero.
        scales_hours: the lengths of the windows, ascending.
        reference_weeks: how much of the past serves as the production reference.
        hour_of_day_after_hours: a younger production reference gives the verdict `learning`.
        hour_of_week_after_hours: a younger reference is matched by hour of day only.
        minimum_sample: a window with fewer rows gives `insufficient_data`.
        minimum_completeness: a window of which a smaller share of its events arrived is `incomplete`.
        quiet_hours: a page that follows the last one within so many hours belongs to its episode.
        accept_after_hours: an episode that lasts so long is taken as the new normal.
        controller_step: a page that nobody confirmed adds so much to the logarithm of what critical values
            are multiplied by, and `page_budget_hours` take it away; 0 switches the budget controller off.
        timezone: the clock that the traffic follows, so that the same hour of the week stays the same when
            summer time begins or ends; a name of the IANA database.
        holidays: countries, or subdivisions of them, whose public holidays are unlike ordinary days, such as
            `US` and `DE-BY`; days by that clock.
        stuck_hours: a numeric feature that shows one single value for so long is stuck.

    Raises:
        ValueError: a setting is outside its range.
    """

    page_budget_hours: float = 1000.0
    minimum_effect: float = 0.005
    warn_effect: float = 0.01
    scales_hours: tuple[int, ...] = (1, 6, 24)
    reference_weeks: int = 4
    hour_of_day_after_hours: int = 7 * HOURS_PER_DAY
    hour_of_week_after_hours: int = 14 * HOURS_PER_DAY
    minimum_sample: int = 30
    minimum_completeness: float = 0.95
    quiet_hours: int = DEFAULT_QUIET_HOURS
    accept_after_hours: int = 14 * HOURS_PER_DAY
    stuck_hours: int = 6
    controller_step: float = 0.3
    timezone: str = "UTC"
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the statistics could not honour."""
        if not 0 < self.minimum_effect < 1 or not 0 < self.warn_effect < 1:
            raise ValueError("minimum_effect and warn_effect must lie between 0 and 1")
        if not self.scales_hours or min(self.scales_hours) < 1:
            raise ValueError("scales_hours must hold at least one length of 1 hour or more")
        if (
            list(self.scales_hours) != sorted(set(self.scales_hours))
            or max(self.scales_hours) > HOURS_PER_WEEK
        ):
            raise ValueError("scales_hours must ascend without repeats, up to a week")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"timezone {self.timezone!r} is no name of the IANA database") from error
        check_holidays(self.holidays)
        if not 0 <= self.controller_step <= 3:
            raise ValueError("controller_step must lie between 0 and 3")
        if self.reference_weeks < 2:
            raise ValueError("reference_weeks must be at least 2, or the noise could not be learned")
        if self.page_budget_hours <= 0 or not 0 <= self.minimum_completeness <= 1 or self.minimum_sample < 1:
            raise ValueError(
                "page_budget_hours and minimum_sample must be positive, completeness within 0 to 1"
            )

    def calendar(self, events: tuple[PlannedEvent, ...] = ()) -> Calendar:
        """Return which hours are unlike ordinary ones: holidays, and planned events."""
        return Calendar(self.holidays, self.timezone, events)

    @property
    def longest_scale_hours(self) -> int:
        """The length of the longest window."""
        return self.scales_hours[-1]

    @property
    def reference_hours(self) -> int:
        """The length of the production reference."""
        return self.reference_weeks * HOURS_PER_WEEK

    @property
    def history_hours(self) -> int:
        """How many hours before the present one a judge has to know to be as sure as it can be.

        The reference, the weeks before it from which its noise is learned, the longest window (a week,
        where the training reference carries no times), and the day during which a baseline is in use.
        """
        return self.reference_hours + (NOISE_LAG_WEEKS + 1) * HOURS_PER_WEEK + HOURS_PER_DAY
