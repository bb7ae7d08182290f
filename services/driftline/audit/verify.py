"""Verifying chains: the links by themselves, the digests by the links, the rows by the digests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from driftline.domain.chain import Finding, Head, Link, check_links
from driftline.errors import StatementError
from driftline.store.chain import NO_ROW, read_heads, read_links, read_sealed, read_sealed_models
from driftline.store.chain_check import (
    UNREADABLE,
    count_unsealed,
    read_accepted,
    read_at_places,
    read_differences,
    read_retention,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.domain.chain import Place
    from driftline.store.chain_check import Difference, Retention, Row
    from driftline.store.connection import Connection

MOST_ROWS = 250_000
"""So many rows are compared by one statement, unless one link alone has more."""

_DETAILS = {
    "added": "it stands among rows that were sealed before it came; added by hand, or by an insert that hung",
    "deleted": "it was sealed, and is gone",
    "doubled": "there are several rows where one was sealed",
    "changed": "it is not what was sealed",
}


@dataclass(slots=True)
class Report:
    """What verifying a model's chain found.

    Args:
        model_name: which model.
        links: how many its chain has.
        rows: that are sealed, of the links that were compared.
        expired: of these, gone since their time was over.
        unsealed: rows that landed after the last link, and are not sealed yet.
        unsealed_since: when the earliest of them landed; None: there are none.
        head: the last link's number and hash; None: there is no chain.
        findings: what is not as it was sealed.
        unnamed: rows that differ, beyond those that are named.
    """

    model_name: str
    links: int = 0
    rows: int = 0
    expired: int = 0
    unsealed: int = 0
    unsealed_since: datetime | None = None
    head: tuple[int, str] | None = None
    findings: list[Finding] = field(default_factory=list)
    unnamed: int = 0


def verify(
    connection: Connection,
    *,
    model_name: str = "",
    since: datetime | None = None,
    expired_before: datetime | None = None,
    kept: Sequence[Head] = (),
) -> Iterator[Report]:
    """Yield what is found of each model, or of one. Blocks for the store; reads every row once.

    Args:
        connection: to the store.
        model_name: of this model only; empty: of all.
        since: compare only rows that landed at this time or later; the links are checked as a whole.
        expired_before: rows of hours before this time may be gone.
        kept: heads that were kept elsewhere.

    Raises:
        StoreError: the store is away.
    """
    retention = read_retention(connection, expired_before=expired_before)
    models = (
        [model_name]
        if model_name
        else sorted({*read_sealed_models(connection), *(each.model_name for each in kept)})
    )
    for each in models:
        heads = [*read_heads(connection, each), *(head for head in kept if head.model_name == each)]
        yield _Verification(connection, retention, since).report(each, heads)


class _Verification:
    """The verification of one model."""

    def __init__(self, connection: Connection, retention: Retention, since: datetime | None) -> None:
        self._connection = connection
        self._retention = retention
        self._since_ms = int(since.timestamp() * 1000) if since else 0

    def report(self, model_name: str, heads: Sequence[Head]) -> Report:
        report = Report(model_name)
        links = read_links(self._connection, model_name)
        report.links = len(links)
        report.findings += check_links(links, heads)
        if links:
            report.head = links[-1][0].number, links[-1][1]
        last_ms = links[-1][0].until_ms if links else 0
        report.unsealed, first_ms = count_unsealed(self._connection, model_name, last_ms)
        if report.unsealed:
            report.unsealed_since = datetime.fromtimestamp(first_ms / 1000, UTC)
        accepted = read_accepted(self._connection, model_name, self._retention)
        compared = [link for link, _ in links if link.until_ms >= self._since_ms]
        for batch in _batches(compared):
            self._compare(batch, accepted, report)
        self._check_accepted(accepted, report)
        moved = {found.place for found in report.findings if found.what == "changed"}
        report.findings = [
            each for each in report.findings if each.what != "added" or each.place not in moved
        ]
        return report

    def _compare(
        self, links: Sequence[Link], accepted: Mapping[Place, tuple[str, bool]], report: Report
    ) -> None:
        """Compare the rows of some links that follow each other with what was sealed."""
        try:
            self._check_digests(links, report)
            since_ms, until_ms = links[0].since_ms, links[-1].until_ms
            differences = read_differences(
                self._connection, report.model_name, since_ms, until_ms, self._retention
            )
        except StatementError as error:
            if error.code not in UNREADABLE:
                raise
            self._narrow(links, accepted, report, error)
            return
        report.rows += sum(link.rows for link in links if not link.accepted_by)
        for difference in differences:
            self._note(difference, links, accepted, report)

    def _narrow(
        self,
        links: Sequence[Link],
        accepted: Mapping[Place, tuple[str, bool]],
        report: Report,
        error: StatementError,
    ) -> None:
        """Look for the link whose rows the engine can't read."""
        if len(links) > 1:
            middle = len(links) // 2
            self._compare(links[:middle], accepted, report)
            self._compare(links[middle:], accepted, report)
            return
        detail = f"of link {links[0].number} the engine can't read a file that it wrote: {error.detail[:500]}"
        report.findings.append(Finding(report.model_name, "unreadable", detail, links[0].number))

    def _check_digests(self, links: Sequence[Link], report: Report) -> None:
        """Check the digests of rows by the roots of their links."""
        first, last = links[0], links[-1]
        sealed = read_sealed(self._connection, report.model_name, first.since_ms, last.until_ms)
        for link in links:
            held = sealed.get((link.until_ms, link.acceptance))
            if held is None or (held.rows, held.root) != (link.rows, link.root):
                rows = held.rows if held else 0
                detail = (
                    f"the digests of link {link.number} ({rows} of {link.rows} rows) are not those that it "
                    f"was made of: of what landed from {_shown(link.since_ms)} to "
                    f"{_shown(link.until_ms)} nothing can be verified"
                )
                report.findings.append(Finding(report.model_name, "digests", detail, link.number))

    def _note(
        self,
        difference: Difference,
        links: Sequence[Link],
        accepted: Mapping[Place, tuple[str, bool]],
        report: Report,
    ) -> None:
        if difference.what == "expired":
            report.expired += difference.count
            return
        rows = [row for row in difference.rows if row.place not in accepted]
        report.unnamed += difference.count - len(difference.rows)
        elsewhere = (
            read_at_places(self._connection, [row.place for row in rows])
            if difference.what == "deleted"
            else {}
        )
        between = f"sealed in link {links[0].number}"
        if len(links) > 1:
            between = f"sealed in links {links[0].number} to {links[-1].number}"
        for row in rows:
            report.findings.append(self._finding(report.model_name, difference.what, row, elsewhere, between))

    @staticmethod
    def _finding(
        model_name: str, what: str, row: Row, elsewhere: Mapping[Place, Sequence[Row]], between: str
    ) -> Finding:
        if moved := elsewhere.get(row.place):
            detail = "it has another model or landing time than it was sealed with"
            return Finding(model_name, "changed", f"{detail} ({between})", 0, row.place, moved[0].event_id)
        return Finding(model_name, what, f"{_DETAILS[what]} ({between})", 0, row.place, row.event_id)

    def _check_accepted(self, accepted: Mapping[Place, tuple[str, bool]], report: Report) -> None:
        """Check that the rows that somebody accepted are what they were accepted to be."""
        if not accepted:
            return
        held = read_at_places(self._connection, accepted)
        for place, (digest, is_over) in accepted.items():
            wanted = [] if digest == NO_ROW.hex() else [digest]
            rows = held.get(place, [])
            if [row.digest for row in rows] == wanted or (not rows and is_over):
                continue
            what = "deleted" if not rows else "changed" if wanted else "added"
            detail = "it is not what it was accepted to be"
            event_id = rows[0].event_id if rows else ""
            report.findings.append(Finding(report.model_name, what, detail, 0, place, event_id))


def _batches(links: Sequence[Link]) -> Iterator[Sequence[Link]]:
    batch: list[Link] = []
    rows = 0
    for link in links:
        if batch and rows + link.rows > MOST_ROWS:
            yield batch
            batch, rows = [], 0
        batch.append(link)
        rows += link.rows
    if batch:
        yield batch


def _shown(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}" if time_ms else "at any time"
