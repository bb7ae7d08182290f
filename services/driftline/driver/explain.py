"""From an incident to what drives it: which rows are compared, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.names import JOINT, VOLUME, feature_of
from driftline.domain.parts import Counts, part_text
from driftline.domain.streams import REFERENCE
from driftline.driver.finding import LEAST_ROWS, Driver, find_driver, parts_to_pair
from driftline.errors import StatementError
from driftline.store.parts import (
    MOST_ROWS,
    MOST_VALUES,
    Divided,
    Sampled,
    count_pairs,
    count_singles,
    read_overdispersion,
    sample_parts,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.domain.incidents import Finding, Incident
    from driftline.domain.parts import Part
    from driftline.store.connection import Connection

_WEEK_HOURS, _WEEKS = 168, 4
_TOO_LARGE = frozenset({159, 160, 241})  # TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED
_NAMED = 3
_NOTHING = Counts(0, (0,), 0, (0,))


@dataclass(frozen=True, slots=True)
class Line:
    """Some rows beside all of them."""

    name: str
    counts: Counts
    whole: Counts

    @property
    def share(self) -> float:
        """Of the window's rows."""
        return self.counts.rows / max(self.whole.rows, 1)

    @property
    def share_before(self) -> float:
        """Of the reference's rows."""
        return self.counts.rows_before / max(self.whole.rows_before, 1)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What drives an incident.

    Args:
        finding: of which finding: the gravest that rows show; None: there is none.
        driver: what was found.
        rows: of the window, before sampling.
        rows_before: of the reference.
        left_out: tags and categorical features that were not searched, since they have too many values.
        has_pairs: whether parts with two conditions could be counted in time.
        limit: of more rows a sample of about so many was counted.
    """

    finding: Finding | None
    driver: Driver
    rows: int = 0
    rows_before: int = 0
    left_out: Sequence[str] = ()
    has_pairs: bool = True
    limit: int = MOST_ROWS

    @property
    def lines(self) -> Sequence[Line]:
        """The part that is named, all other rows, and all rows; none where no part is."""
        driver = self.driver
        if driver.counts is None or driver.rest is None:
            return ()
        named = ((part_text(driver.part), driver.counts), ("all others", driver.rest), ("all", driver.whole))
        return [Line(name, counts, driver.whole) for name, counts in named]

    @property
    def notes(self) -> Sequence[str]:
        """What else is to be known: nearly equal parts, a sample, and what was not searched."""
        notes = []
        if self.driver.also:
            listed = "; ".join(part_text(part) for part in self.driver.also[:_NAMED])
            notes.append(f"nearly the same rows: {listed}")
        if not self.has_pairs:
            notes.append("pairs of conditions were not searched: counting them takes too long")
        if max(self.rows, self.rows_before) > self.limit:
            notes.append(
                f"by a sample of {self.driver.whole.rows:,} of {self.rows:,} rows, and of "
                f"{self.driver.whole.rows_before:,} of {self.rows_before:,} before"
            )
        if self.left_out:
            notes.append(f"not searched, since more than {MOST_VALUES} values: {', '.join(self.left_out)}")
        return notes

    @property
    def sentence(self) -> str:
        """What is to be reported of it, as one sentence without an end."""
        return describe(self.driver)


def explain_incident(connection: Connection, incident: Incident, *, limit: int = MOST_ROWS) -> Explanation:
    """Return what drives an incident.

    Args:
        connection: to the store.
        incident: which.
        limit: count at most about so many rows of its hours, and of those that they are compared with.

    Raises:
        StoreError: the store can't be asked.
    """
    finding = next((each for each in incident.findings if not _why_not(each)), None)
    if finding is None:
        why = _why_not(incident.findings[0]) if incident.findings else "the incident has no findings"
        return Explanation(None, Driver("unclear", _NOTHING, why))
    try:
        return _explain(connection, incident, finding, limit)
    except StatementError as error:
        if error.code not in _TOO_LARGE:
            raise
        return Explanation(
            finding, Driver("unclear", _NOTHING, "counting its rows takes too long, or too much memory")
        )


def describe(driver: Driver) -> str:
    """Return what drives a shift as a sentence."""
    part = part_text(driver.part)
    if driver.found == "unclear":
        return f"too little to say: {driver.why}{f'; it may be {part}' if part else ''}"
    if driver.found == "alike" or driver.counts is None or driver.rest is None:
        alike = f"of {driver.looked_at:,} parts none moved much more than the rest"
        return f"no part of the traffic carries it: {alike}"
    rest = f"the rest of the traffic moved by {driver.rest.effect():+.1%}"
    if driver.found == "grew":
        sizes = driver.counts.rows_before / driver.whole.rows_before, driver.counts.rows / driver.whole.rows
        went = f"{part} went from {sizes[0]:.1%} to {sizes[1]:.1%} of the traffic"
        return f"the mixture changed: {went}, and {rest}"
    within = f"{driver.counts.expected():.1%} to {driver.counts.observed():.1%}"
    return f"{driver.carried:.0%} of it is in {part}: from {within} there, while {rest}"


def _explain(connection: Connection, incident: Incident, finding: Finding, limit: int) -> Explanation:
    divided = replace(_divided(incident, finding), limit=limit)
    sampled = sample_parts(connection, divided)
    if sampled.rows and sampled.rows_before < LEAST_ROWS and divided.hours_before is not None:
        # Younger than a week: all that there is.
        before = range(finding.since - _WEEKS * _WEEK_HOURS, finding.since)
        sampled = sample_parts(connection, replace(divided, hours_before=before))
    if not sampled.rows or not sampled.rows_before:
        return Explanation(finding, Driver("unclear", _NOTHING, _why_empty(sampled)))
    found = count_singles(connection, sampled)
    cut = 0 if divided.channel.kind is ChannelKind.AT_MOST else _largest_cut(found.whole)
    whole = found.whole.led_by(cut)
    singles = {part: counts.led_by(cut) for part, counts in found.parts.items()}
    keys = {part[0].key for part in singles}
    pairs = _pairs(connection, sampled, parts_to_pair(whole, singles), keys)
    driver = find_driver(
        whole,
        singles,
        {part: counts.led_by(cut) for part, counts in (pairs or {}).items()},
        overdispersion=read_overdispersion(connection, incident, finding),
    )
    sizes = sampled.rows, sampled.rows_before
    return Explanation(finding, driver, *sizes, found.left_out, has_pairs=pairs is not None, limit=limit)


def _pairs(
    connection: Connection, sampled: Sampled, chosen: Sequence[Part], keys: Collection[str]
) -> Mapping[Part, Counts] | None:
    """Return the counts of pairs; None where that takes too long: single conditions say much already."""
    try:
        return count_pairs(connection, sampled, chosen, keys)
    except StatementError as error:
        if error.code not in _TOO_LARGE:
            raise
        return None


def _divided(incident: Incident, finding: Finding) -> Divided:
    """Return the rows of a finding's hours, and of those that they are compared with."""
    last = max(finding.last, finding.since + 1)
    hours = range(finding.since, min(last, finding.since + _WEEK_HOURS))
    is_training = finding.reference == "training"
    matched = {hour % _WEEK_HOURS for hour in hours}
    before = range(finding.since - _WEEKS * _WEEK_HOURS, finding.since)
    moved = {feature_of(each.feature) for each in incident.findings}
    return Divided(
        stream=incident.stream,
        feature=finding.feature,
        channel=finding.channel or Channel(ChannelKind.STUCK),
        segment=finding.segment,
        hours=hours,
        environment_before=REFERENCE if is_training else incident.stream.environment,
        hours_before=None if is_training else [hour for hour in before if hour % _WEEK_HOURS in matched],
        skipped=[name for name in moved if name],
    )


def _why_not(finding: Finding) -> str:
    """Return why no single row shows a finding; empty: rows do."""
    if finding.feature == VOLUME:
        return "it is about the number of predictions, of which no row says that it lacks"
    if finding.feature == JOINT:
        return "it is about features together, which no row shows by itself"
    if finding.channel is None and finding.kind == "categorical":
        return "its verdict does not say which values moved"
    return ""


def _why_empty(sampled: Sampled) -> str:
    if not sampled.rows:
        return "no prediction of its hours is kept any more, or none was landed"
    return "no prediction is kept of the hours that they are compared with"


def _largest_cut(whole: Counts) -> int:
    return max(range(len(whole.moved)), key=lambda cut: abs(whole.effect(cut)))
