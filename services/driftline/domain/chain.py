"""The chain of what landed: one link a window of landings of a model, each with the hash of the one before.

Whoever holds the hash of a link can tell whether anything in the windows up to it has changed since: a row
changes its digest, that the root of its link, and that the hashes of all links behind it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

FORMAT: Final = 1
"""Of links and of the digests of rows; a field more in either is another one."""

FIRST: Final = ""
"""What the first link holds as the hash of the one before."""


class Place(NamedTuple):
    """Where a record stands in the log: what identifies a landed row.

    Args:
        log_id: which log.
        partition: which of its partitions.
        offset: its offset there.
    """

    log_id: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"partition {self.partition}, offset {self.offset} of log {self.log_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a model's chain.

    Args:
        model_name: whose.
        number: counts from 1.
        since_ms: of the rows that it holds, the earliest landing, milliseconds since the Unix epoch.
        until_ms: behind their latest landing. A link that accepts a difference begins and ends where the
            link before it ends.
        rows: how many there are.
        first_hour: the earliest hour that one of them is counted in, since the Unix epoch, UTC.
        last_hour: the latest.
        root: hash of their places and digests.
        previous: hash of the link before.
        accepted_by: who says that rows are to differ from earlier links; empty: it holds what landed.
        reason: why.
        layout: the format of the link and of the digests.
    """

    model_name: str
    number: int
    since_ms: int
    until_ms: int
    rows: int
    first_hour: int
    last_hour: int
    root: str
    previous: str
    accepted_by: str = ""
    reason: str = ""
    layout: int = FORMAT

    @property
    def hash(self) -> str:
        """SHA-256 of all of it, in hexadecimal digits; docs/audit.md says how it is made."""
        fields = [
            *("driftline link", self.layout, self.model_name, self.number, self.since_ms, self.until_ms),
            *(self.rows, self.first_hour, self.last_hour, self.root, self.previous),
            *(self.accepted_by, self.reason),
        ]
        return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()

    @property
    def acceptance(self) -> int:
        """The link's number if it accepts a difference, or 0: which row digests are its own."""
        return self.number if self.accepted_by else 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a window of landings holds.

    Args:
        until_ms: behind its latest landing.
        rows: how many there are.
        first_hour: the earliest hour that one of them is counted in.
        last_hour: the latest.
        root: hash of their places and digests.
    """

    until_ms: int
    rows: int
    first_hour: int
    last_hour: int
    root: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a model's chain was when a day had ended.

    Args:
        model_name: the model.
        day: in UTC.
        number: of the last link.
        hash: of that link.
    """

    model_name: str
    day: date
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed.

    Args:
        model_name: of this model.
        what: ``changed``, ``deleted``, ``added`` or ``doubled`` of a row; ``digests``, ``link``, ``missing``,
            ``forked`` or ``head`` of the chain.
        detail: what exactly, for a person.
        number: of the link; 0: none.
        place: of the row.
        event_id: of the row; empty: not known.
    """

    model_name: str
    what: str
    detail: str
    number: int = 0
    place: Place | None = None
    event_id: str = ""

    def __str__(self) -> str:
        row = "" if self.place is None else f" row at {self.place}"
        event = f" (event {self.event_id})" if self.event_id else ""
        return f"{self.model_name}: {self.what}{row}{event}: {self.detail}"


def root_of(parts: Iterable[str]) -> str:
    """Return the hash of a link's rows, of the hashes of its parts in order, all in hexadecimal digits."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(bytes.fromhex(part))
    return whole.hexdigest()


def day_root(heads: Iterable[tuple[str, int, str]]) -> str:
    """Return one hash for the heads of all models, each a name, a number and a hash: what to sign."""
    listed = json.dumps(sorted(heads), separators=(",", ":"))
    return hashlib.sha256(listed.encode()).hexdigest()


def extend(model_name: str, head: Link | None, sealed: Sequence[Sealed]) -> Sequence[Link]:
    """Return the links that follow a head, one a window that holds rows.

    Args:
        model_name: whose.
        head: the last link; None: there is none yet.
        sealed: windows, in order.
    """
    links: list[Link] = []
    for window in sealed:
        links.append(
            Link(
                model_name=model_name,
                number=head.number + 1 if head else 1,
                since_ms=head.until_ms if head else 0,
                until_ms=window.until_ms,
                rows=window.rows,
                first_hour=window.first_hour,
                last_hour=window.last_hour,
                root=window.root,
                previous=head.hash if head else FIRST,
            )
        )
        head = links[-1]
    return links


def check_links(links: Sequence[tuple[Link, str]], heads: Sequence[Head] = ()) -> Iterator[Finding]:
    """Yield what is wrong with the links of one model by themselves.

    Args:
        links: each with the hash that stands beside it, by number.
        heads: that were kept of the model, in the store or elsewhere.
    """
    for link, stored in links:
        if link.hash != stored:
            yield _of_link(link, "link", f"link {link.number} is not what its hash {stored[:12]} was made of")
    yield from _gaps(links)
    for (before, stored), (link, _) in pairwise(links):
        if link.number == before.number:
            yield _of_link(link, "forked", f"there are two links {link.number}, which differ")
        elif link.number == before.number + 1:
            if link.previous != stored:
                follows = f"link {link.number} follows {link.previous[:12]}"
                yield _of_link(link, "link", f"{follows}, and link {before.number} is {stored[:12]}")
            if link.since_ms != before.until_ms:
                yield _of_link(
                    link, "link", f"link {link.number} does not begin where the one before it ends"
                )
    yield from _check_heads(links, heads)


def _gaps(links: Sequence[tuple[Link, str]]) -> Iterator[Finding]:
    expected = 1
    for link, _ in links:
        if link.number > expected:
            last = link.number - 1
            gone = f"link {last} is gone" if last == expected else f"links {expected} to {last} are gone"
            yield _of_link(link, "missing", f"{gone} from the chain")
        expected = max(expected, link.number + 1)


def _check_heads(links: Sequence[tuple[Link, str]], heads: Sequence[Head]) -> Iterator[Finding]:
    known: dict[int, set[str]] = {}
    for link, stored in links:
        known.setdefault(link.number, set()).update((stored, link.hash))
    for head in heads:
        if head.number not in known:
            detail = f"of the day {head.day} the head was link {head.number}, and there is none"
        elif head.hash not in known[head.number]:
            detail = (
                f"of the day {head.day} the head was link {head.number} with hash {head.hash[:12]}; "
                f"the chain has {min(known[head.number])[:12]} there"
            )
        else:
            continue
        yield Finding(head.model_name, "head", detail, head.number)


def _of_link(link: Link, what: str, detail: str) -> Finding:
    return Finding(link.model_name, what, detail, link.number)
