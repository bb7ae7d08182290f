"""Late events: which hours hold something else than they were judged on, and what that changes.

An hour is judged on what has landed by then. What lands later makes a *revision*: every window that holds the
hour is judged as it would have been then, and what comes out different replaces the verdict, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.drift.hours import Arrival
from driftline.drift.service.sink import VerdictSink, by_end, is_same, key_of
from driftline.store.verdicts import JudgedHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from driftline.domain.verdicts import Verdict
    from driftline.drift.hours import StreamHour
    from driftline.drift.service.sink import Key
    from driftline.drift.settings import DriftSettings

_COMPLETENESS_STEP = 0.001


@dataclass(frozen=True, slots=True)
class LateHour:
    """An hour that was judged on something else than what is there now; `was` is None: it was not judged."""

    hour: int
    was: Arrival
    now: Arrival


def is_late(judged: JudgedHour | None, now: Arrival) -> bool:
    """Return whether an hour differs from what it was judged on: in rows, or by 0.1 % in what is missing."""
    was = _judged_on(judged)
    return was.rows != now.rows or abs(was.completeness - now.completeness) >= _COMPLETENESS_STEP


class Revision(VerdictSink):
    """One pass over judged hours, from the first late one on. For one thread.

    It goes on until no window holds a late hour any more, and while incidents come or go: one that is gone
    was the beginning of an episode, which those after it belonged to.

    Args:
        late: the hours that differ.
        judged: what hours were judged on, by hour.
        landings: when the last row of each late hour landed.
        settings: how long windows are, and how long an episode stays open.
    """

    def __init__(
        self,
        late: Iterable[int],
        *,
        judged: Mapping[int, JudgedHour],
        landings: Mapping[int, datetime],
        settings: DriftSettings,
    ) -> None:
        self._wanted = frozenset(late)
        self._judged = judged
        self._landings = landings
        self._settings = settings
        self._late: list[LateHour] = []
        self._known: Mapping[int, Mapping[Key, Verdict]] = {}
        self.end_hour = min(self._wanted) + settings.longest_scale_hours
        self.verdicts: list[Verdict] = []
        self.hours: list[JudgedHour] = []

    def compare_with(self, known: Iterable[Verdict]) -> None:
        """Take the store's verdicts on windows that are judged next."""
        self._known = by_end(known)

    def take(self, hour: StreamHour, given: Sequence[Verdict]) -> None:
        """Compare what an hour's windows come to now with what the store holds.

        Args:
            hour: the next one.
            given: verdicts on windows that end with it.
        """
        known = self._known.get(hour.hour + 1, {})
        if hour.hour in self._wanted:
            self._take_late(hour, given)
        compared = {(old.segment, old.reference) for old in known.values()}
        for verdict in given:
            old = known.get(key_of(verdict))
            if (old is None and compared and (verdict.segment, verdict.reference) not in compared) or (
                old is not None and is_same(old, verdict)
            ):
                continue  # A reference that was not there then is none for this window.
            inside = [late for late in self._late if verdict.window_start <= late.hour]
            moved = _episode(old) != verdict.episode_id
            if moved:
                self.end_hour = max(self.end_hour, hour.hour + 1 + self._settings.quiet_hours)
            if inside or moved:
                because = self._because(inside, old, verdict.scale_hours)
                revision = 1 if old is None else old.revision + 1
                self.verdicts.append(replace(verdict, revision=revision, revised_because=because))

    def _take_late(self, hour: StreamHour, given: Sequence[Verdict]) -> None:
        judged = self._judged.get(hour.hour)
        self._late.append(LateHour(hour.hour, _judged_on(judged), hour.arrived))
        revision = 1 if judged is None else judged.revision + 1
        self.hours.append(JudgedHour(hour.hour, hour.arrived.rows, hour.arrived.missing, revision))
        longest = max((verdict.scale_hours for verdict in given), default=0)
        longest = max(longest, self._settings.longest_scale_hours)
        self.end_hour = max(self.end_hour, hour.hour + longest)

    def _because(self, inside: Sequence[LateHour], old: Verdict | None, scale_hours: int) -> str:
        what = self._what(inside or self._late, is_own_hour=scale_hours == 1 and bool(inside))
        if not inside:
            return f"{what}; this window holds none of them, but an incident before it came or went with them"
        if old is None:
            return f"{what}; nothing of this window was judged before"
        subject = "it" if scale_hours == 1 else "the window"
        return f"{what}; {subject} was judged {old.verdict} ({old.completeness:.0%} there)"

    def _what(self, late: Sequence[LateHour], *, is_own_hour: bool) -> str:
        first = late[0].hour
        where = "this hour" if is_own_hour else f"{hour_time(first):%Y-%m-%d %H:%M} UTC"
        if len(late) > 1:
            where = f"{len(late)} hours since {hour_time(first):%Y-%m-%d %H:%M} UTC"
        gained = sum(each.now.rows - each.was.rows for each in late)
        if gained > 0:
            landed = [self._landings[each.hour] for each in late if each.hour in self._landings]
            last = f", the last at {max(landed):%Y-%m-%d %H:%M} UTC" if landed else ""
            return f"{gained} {_events(gained)} of {where} arrived late{last}"
        if gained < 0:
            return f"{-gained} {_events(-gained)} of {where} are in the store no more"
        were, are = (round(sum(getattr(each, name).missing for each in late)) for name in ("was", "now"))
        return f"of {where} {are} {_events(are)} are missing by the ledger now, where it was {were}"


def _judged_on(judged: JudgedHour | None) -> Arrival:
    return Arrival() if judged is None else Arrival(judged.rows, judged.missing)


def _episode(verdict: Verdict | None) -> str | None:
    return None if verdict is None else verdict.episode_id


def _events(count: int) -> str:
    return "event" if count == 1 else "events"
