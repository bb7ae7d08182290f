"""Accepting differences: who says so, and why, becomes a link of the chain itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.audit.verify import verify
from driftline.domain.chain import Link
from driftline.errors import NotFoundError, SettingError, StoreError
from driftline.store.chain import add_links, read_last_links, read_sealed
from driftline.store.chain_check import write_accepted

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.domain.chain import Finding
    from driftline.store.connection import Connection

_ROWS = frozenset({"changed", "deleted", "added"})


def acceptable(connection: Connection, model_name: str) -> list[Finding]:
    """Return the rows of a model that are not as they were sealed, and can be accepted as they are."""
    (report,) = verify(connection, model_name=model_name)
    return [finding for finding in report.findings if finding.what in _ROWS and finding.place is not None]


def accept(
    connection: Connection, model_name: str, findings: Collection[Finding], *, author: str, reason: str
) -> Link:
    """Have rows be what they are now, in a further link; return it. What they were stays in the chain.

    Args:
        connection: to the store.
        model_name: whose rows.
        findings: which, as `acceptable` names them.
        author: who accepts them.
        reason: why.

    Raises:
        SettingError: nobody says so, or there is no reason, or no row.
        NotFoundError: the model has no chain.
        StoreError: another link was made meanwhile; try again.
    """
    if not author or not reason.strip():
        raise SettingError("a difference is accepted by somebody, and for a reason")
    places = {finding.place for finding in findings if finding.place is not None}
    if not places:
        raise SettingError(f"no row of {model_name} is to be accepted")
    head = read_last_links(connection).get(model_name)
    if head is None:
        raise NotFoundError(f"nothing of {model_name} is sealed yet")
    number = head.number + 1
    write_accepted(connection, model_name, places, number=number, until_ms=head.until_ms)
    sealed = read_sealed(connection, model_name, head.until_ms, head.until_ms)[head.until_ms, number]
    link = Link(
        model_name=model_name,
        number=number,
        since_ms=head.until_ms,
        until_ms=head.until_ms,
        rows=sealed.rows,
        first_hour=sealed.first_hour,
        last_hour=sealed.last_hour,
        root=sealed.root,
        previous=head.hash,
        accepted_by=author,
        reason=reason,
    )
    if not add_links(connection, [link]):
        raise StoreError(f"somebody added another link to the chain of {model_name} meanwhile; try again")
    return link
