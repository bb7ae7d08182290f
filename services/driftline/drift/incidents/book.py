"""Incidents: what goes out to the engineer on call, one for one cause, and how often that may happen.

Features page by themselves; an incident gathers those that one cause made page. How sure an incident has to
be follows from those before it: each that nobody confirmed makes the next one harder to get, which keeps the
budget whatever the traffic does (the idea of Gibbs and Candès 2021).

Everything follows from page verdicts and acknowledgements, each with the hour from which it is known. So a
book that is rebuilt from what is stored says the same as one that ran on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from driftline.domain.incidents import Finding, FindingKey, Incident
from driftline.domain.verdicts import Feature
from driftline.drift.hygiene import Decision
from driftline.drift.margins import Margins, repaid, with_debt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from driftline.domain.incidents import Acknowledgement, AcknowledgementName, IncidentState
    from driftline.domain.streams import Stream
    from driftline.domain.verdicts import Verdict
    from driftline.drift.settings import DriftSettings

_CONFIRMS = ("real", "accept")


@dataclass(slots=True)
class _Draft:
    """An incident while it is written."""

    incident_id: str
    detected: int
    findings: dict[FindingKey, Finding] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max((finding.last for finding in self.findings.values()), default=self.detected)

    @property
    def since(self) -> int:
        return min((finding.since for finding in self.findings.values()), default=self.detected)

    def holds(self, feature: str, end: int, quiet: int) -> bool:
        """Return whether a feature is part of it by an hour, and was not its new normal for a while already.

        Its parts of the traffic, and the other reference, may take a little longer to be accepted.
        """
        return any(
            key.feature == feature
            and finding.detected <= end
            and (finding.accepted_at is None or end - finding.accepted_at <= quiet)
            for key, finding in self.findings.items()
        )


class IncidentBook:
    """The incidents of one stream, whatever the reference and the part of its traffic.

    Feed it with every judged hour: `judge.judge(profile, margin=book.margin(hour))`, then
    `book.take(hour, verdicts)`, then `judge.decide(book.decisions())`.

    Args:
        stream: whose incidents; their ids are made of its identity.
        settings: quiet hours, budget and the controller's step, of the stream as a whole.
    """

    def __init__(self, stream: Stream, *, settings: DriftSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._drafts: dict[str, _Draft] = {}
        self._written: dict[str, Incident] = {}
        self._acknowledgements: tuple[Acknowledgement, ...] = ()
        self._acknowledged: dict[str, tuple[Acknowledgement, ...]] = {}
        self._touched: set[str] = set()
        self._end = 0

    @property
    def incidents(self) -> Sequence[Incident]:
        """All incidents, the oldest first."""
        return [self._written[incident_id] for incident_id in self._drafts]

    def debts(self, hour: int) -> Mapping[str, float]:
        """Return what each feature owes the budget when an hour is judged, in logarithms; see `Margins`."""
        step, when = self._settings.controller_step, 0
        debts: dict[str, float] = {}
        fall = step / self._settings.page_budget_hours
        for draft in self._drafts.values() if step else ():
            if draft.detected <= hour and self._newest(draft.incident_id, hour) not in _CONFIRMS:
                debts = repaid(debts, fall * (draft.detected - when))
                features = {key.feature for key, each in draft.findings.items() if each.detected <= hour}
                debts = with_debt(debts, features, step)
                when = draft.detected
        return repaid(debts, fall * (hour - when))

    def level(self, hour: int) -> float:
        """Return l, what all features owe together when an hour is judged: at least 0."""
        return sum(self.debts(hour).values())

    def margin(self, hour: int) -> Margins:
        """Return what critical values are multiplied by when an hour is judged, by feature."""
        return Margins.owed(self.debts(hour), self._settings.controller_step)

    def take(self, hour: int, verdicts: Iterable[Verdict]) -> Sequence[Incident]:
        """Take the verdicts of a judged hour and return the incidents that changed, to be stored.

        Args:
            hour: that was judged; not before the one taken last.
            verdicts: of all parts of the traffic and both references.

        Raises:
            ValueError: a later hour was taken before.
        """
        if hour + 1 < self._end:
            raise ValueError(f"hour {hour} comes before hour {self._end - 1}, which was taken already")
        self._end = hour + 1
        self._place(hour + 1, verdicts)
        return self._changes()

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> Sequence[Incident]:
        """Take all acknowledgements of this stream's incidents and return those that changed, to be stored.

        Args:
            acknowledgements: all, in the order in which they were given; repeating them changes nothing.
        """
        if tuple(acknowledgements) == self._acknowledgements:
            return []
        self._receive(acknowledgements)
        return self._changes()

    def decisions(self) -> Sequence[Decision]:
        """Return what became of all episodes, as judges take it, in the order in which it became known.

        Of an accepted incident only what still went on is a new normal: what had been quiet for a day by then
        went back to the old one, so its hours are taken back into the reference, and nothing is dropped.
        """
        found = [
            Decision(key.segment, key.reference, Feature(key.feature, key.kind), episode_id, name, at)
            for draft in self._drafts.values()
            for key, finding in draft.findings.items()
            for episode_id, name, at in self._decided(draft.incident_id, finding)
        ]
        return sorted(found, key=lambda each: (each.at, each.episode_id))

    def resume(
        self,
        *,
        stored: Sequence[Incident] = (),
        verdicts: Iterable[Verdict] = (),
        acknowledgements: Sequence[Acknowledgement] = (),
        since: int = 0,
        next_hour: int,
    ) -> Sequence[Incident]:
        """Take up where a book left off; call it once, before the first `take`.

        Incidents detected after `since` follow from the verdicts again, so that verdicts that were revised,
        or whose incidents a crash kept from being stored, come right.

        Args:
            stored: all incidents of the stream as they are stored.
            verdicts: its stored page verdicts of windows that ended after `since`, with their evidence.
            acknowledgements: all of its incidents, in the order in which they were given.
            since: an hour.
            next_hour: the hour that is judged next.

        Returns:
            The incidents that are not stored like this.
        """
        self._drafts = {
            incident.incident_id: _Draft(
                incident.incident_id,
                incident.detected,
                {FindingKey.of(each): each for each in incident.findings},
            )
            for incident in sorted(stored, key=lambda incident: incident.detected)
            if incident.detected <= since and incident.state != "withdrawn"
        }
        self._receive(acknowledgements)
        paging = [each for each in verdicts if each.verdict == "page" and each.window_end > since]
        paging.sort(key=lambda each: each.window_end)
        for end, group in groupby(paging, key=lambda each: each.window_end):
            self._place(end, group)
        self._end = next_hour
        self._written = {incident.incident_id: incident for incident in stored}
        withdrawn = [
            replace(incident, state="withdrawn", revision=incident.revision + 1)
            for incident in stored
            if incident.incident_id not in self._drafts and incident.state != "withdrawn"
        ]
        self._written.update((incident.incident_id, incident) for incident in withdrawn)
        return [*withdrawn, *self._changes()]

    def _place(self, end: int, verdicts: Iterable[Verdict]) -> None:
        """Write the paging verdicts of the windows that end at an hour into their incidents."""
        paging = sorted((each for each in verdicts if each.verdict == "page"), key=_order)
        for key, group in groupby(paging, key=FindingKey.of):
            own = list(group)
            starts = [each.window_start if each.episode_start is None else each.episode_start for each in own]
            draft = self._draft(key, end, min(starts))
            self._touched.add(draft.incident_id)
            finding = draft.findings.get(key)
            for verdict in own:
                finding = Finding.of(verdict) if finding is None else finding.with_verdict(verdict)
                start = verdict.window_start if verdict.episode_start is None else verdict.episode_start
                is_old = end - start >= self._settings.accept_after_hours
                if (
                    is_old
                    and finding.accepted_at is None
                    and self._newest(draft.incident_id, end - 1) != "real"
                ):
                    finding = replace(finding, accepted_at=end)
                draft.findings[key] = finding

    def _draft(self, key: FindingKey, end: int, start: int) -> _Draft:
        """Return the incident that a finding belongs to, a new one where it belongs to none.

        A feature that moved less than others of the same cause pages days after them: what tells that it
        belongs to them is that it has moved since they did.

        Args:
            key: of the finding.
            end: when the windows end that page.
            start: since when it has moved.
        """
        quiet = self._settings.quiet_hours
        newest_first = [draft for draft in reversed(self._drafts.values()) if self._may_hold(draft, key, end)]
        for draft in newest_first:
            # What is accepted may go on for a day: judges learn of it a little later than it was given.
            accepted = self._acknowledged_at(draft.incident_id, "accept", by=end - 1)
            last = draft.last if accepted is None else min(accepted, draft.last)
            if draft.holds(key.feature, end, quiet) and end - last <= quiet:
                return draft
        for draft in newest_first:
            is_accepted = self._acknowledged_at(draft.incident_id, "accept", by=end - 1) is not None
            if min(end - draft.detected, abs(start - draft.since)) <= quiet and not is_accepted:
                return draft
        text = f"{self._stream.identity}\x1f{end}"
        incident_id = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        draft = self._drafts[incident_id] = _Draft(incident_id, end)
        self._receive(self._acknowledgements)
        return draft

    def _may_hold(self, draft: _Draft, key: FindingKey, end: int) -> bool:
        known = draft.findings.get(key)
        return draft.detected <= end and (known is None or not _is_known(known.accepted_at, end))

    def _changes(self) -> Sequence[Incident]:
        """Bring all incidents up to the newest hour and return those that changed."""
        changed = []
        for draft in self._drafts.values():
            known = self._written.get(draft.incident_id)
            has_settled = known is not None and known.state not in ("open", "dismissed")
            if has_settled and draft.incident_id not in self._touched:
                continue
            incident = self._incident(draft, known.revision if known else 1)
            if incident != known:
                incident = replace(incident, revision=known.revision + 1 if known else 1)
                self._written[draft.incident_id] = incident
                changed.append(incident)
        self._touched.clear()
        return changed

    def _incident(self, draft: _Draft, revision: int) -> Incident:
        findings = tuple(sorted(draft.findings.values(), key=lambda finding: finding.gravity))
        has_ended = self._end - draft.last >= self._settings.quiet_hours
        by_age = [each.accepted_at for each in findings if each.accepted_at is not None]
        accepted_at = self._acknowledged_at(draft.incident_id, "accept", by=self._end)
        if accepted_at is None and by_age and (has_ended or len(by_age) == len(findings)):
            accepted_at = max(by_age)
        name = self._newest(draft.incident_id, self._end)
        state: IncidentState = "ended" if has_ended else "dismissed" if name == "noise" else "open"
        return Incident(
            stream=self._stream,
            incident_id=draft.incident_id,
            detected=draft.detected,
            state=state if accepted_at is None else "accepted",
            findings=findings,
            acknowledged=name,
            accepted_at=accepted_at,
            revision=revision,
            quiet_hours=self._settings.quiet_hours,
        )

    def _receive(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        self._acknowledgements = tuple(acknowledgements)
        found: dict[str, list[Acknowledgement]] = {}
        for one in acknowledgements:
            incident_id = one.incident_id if one.incident_id in self._drafts else self._nearest(one.detected)
            if incident_id is not None:
                found.setdefault(incident_id, []).append(one)
        self._acknowledged = {incident_id: tuple(own) for incident_id, own in found.items()}
        self._touched.update(self._drafts)

    def _nearest(self, detected: int) -> str | None:
        near = [
            (abs(draft.detected - detected), draft.incident_id)
            for draft in self._drafts.values()
            if abs(draft.detected - detected) <= self._settings.quiet_hours
        ]
        return min(near)[1] if near else None

    def _newest(self, incident_id: str, by: int) -> AcknowledgementName | None:
        """Return as what an incident was acknowledged last, by what was known at an hour."""
        return next(
            (one.name for one in reversed(self._acknowledged.get(incident_id, ())) if one.known_from <= by),
            None,
        )

    def _acknowledged_at(self, incident_id: str, name: AcknowledgementName, *, by: int) -> int | None:
        """Return since which hour an acknowledgement of an incident is known, if it is by an hour."""
        return min(
            (
                one.known_from
                for one in self._acknowledged.get(incident_id, ())
                if one.name == name and one.known_from <= by
            ),
            default=None,
        )

    def _decided(self, incident_id: str, finding: Finding) -> Iterator[tuple[str, AcknowledgementName, int]]:
        newest = finding.episode_ids[-1:]
        for one in self._acknowledged.get(incident_id, ()):
            is_over = one.known_from - finding.last > self._settings.quiet_hours
            for episode_id in finding.episode_ids:
                is_normal_again = one.name == "accept" and (is_over or episode_id not in newest)
                yield episode_id, "noise" if is_normal_again else one.name, one.known_from
        if finding.accepted_at is not None:
            yield from ((episode_id, "accept", finding.accepted_at) for episode_id in newest)


class IncidentTracker:
    """Follows the incidents of one stream from hour to hour. For one thread.

    Args:
        book: of the stream's incidents, as they were before the first hour.
        unkept: incidents that are not stored as the book has them.
    """

    def __init__(self, book: IncidentBook, unkept: Sequence[Incident]) -> None:
        self._book = book
        self._unkept = list(unkept)

    @property
    def incidents(self) -> Sequence[Incident]:
        """All incidents of the stream, the oldest first."""
        return self._book.incidents

    @property
    def decisions(self) -> Sequence[Decision]:
        """What became of all episodes, as judges take it."""
        return self._book.decisions()

    def margin(self, hour: int) -> Margins:
        """Return what a page needs is multiplied by when an hour is judged, by feature."""
        return self._book.margin(hour)

    def take(self, hour: int, verdicts: Iterable[Verdict]) -> bool:
        """Take the verdicts of a judged hour; return whether any incident changed."""
        return self._note(self._book.take(hour, verdicts))

    def resume(self, pages: Iterable[Verdict]) -> None:
        """Take up stored page verdicts on hours that are not judged again, later than those before."""
        paging = sorted(pages, key=lambda verdict: verdict.window_end)
        for end, group in groupby(paging, key=lambda verdict: verdict.window_end):
            self._note(self._book.take(end - 1, group))

    def receive(self, acknowledgements: Sequence[Acknowledgement]) -> bool:
        """Take all acknowledgements of the stream's incidents; return whether any changed."""
        return self._note(self._book.acknowledge(acknowledgements))

    @property
    def unanswered(self) -> Sequence[Incident]:
        """The incidents that changed since `changed` was asked last, and that nobody acknowledged."""
        return [incident for incident in self._unkept if incident.acknowledged is None]

    def changed(self) -> Sequence[Incident]:
        """Return the incidents that changed since this was asked last, to be stored."""
        changed, self._unkept = self._unkept, []
        return changed

    def _note(self, incidents: Sequence[Incident]) -> bool:
        self._unkept += incidents
        return bool(incidents)


def _order(verdict: Verdict) -> tuple[FindingKey, int]:
    return FindingKey.of(verdict), verdict.scale_hours


def _is_known(hour: int | None, end: int) -> bool:
    """Return whether what is known from an hour on is known when the window that ends so is judged."""
    return hour is not None and hour < end
