"""Who may acknowledge an incident from its page, and the form that does so. Nothing is kept between requests.

A form is sealed: the seal says for which incident and whom it was made, when, and how many acknowledgements
it showed. A page elsewhere can't read a form, so it can't send one that holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from driftline.web.addresses import acknowledge_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import Headers

    from driftline.domain.incidents import Acknowledgement
    from driftline.store import Store
    from driftline.web.incidents import KnownIncident

LONGEST_NOTE: Final = 1000
"""Characters that a note may have."""

_LONGEST_NAME = 200
_FORM_AGE_S = 12 * 3600


@dataclass(frozen=True)
class Acting:
    """Who may acknowledge from the pages, and where that is written.

    Args:
        key: seals the forms; the same for all processes that serve the same pages.
        store: of a user who may acknowledge; None: the pages' own.
        tokens: the token of each person, by name; empty: a proxy says who asks.
        user_header: in which it does so.
    """

    key: bytes = field(repr=False)
    store: Store | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_header: str = ""

    @property
    def varies(self) -> tuple[str, ...]:
        """The headers of a request that its form depends on."""
        return (self.user_header,) if self.user_header and not self.tokens else ()

    def asker(self, headers: Headers) -> str:
        """Return whom the proxy names; empty: nobody, more than one, or tokens say who."""
        named = headers.getlist(self.user_header) if self.varies else []
        name = named[0].strip() if len(named) == 1 else ""
        return name if len(name) <= _LONGEST_NAME else ""

    def bearer(self, token: str) -> str:
        """Return whose token it is; empty: nobody's. Takes as long whoever it is."""
        given, found = token.strip().encode(), ""
        for name, known in self.tokens.items():
            if hmac.compare_digest(given, known.encode()):
                found = name
        return found


@dataclass(frozen=True, slots=True)
class AcknowledgeForm:
    """The form on an incident's page.

    Args:
        action: where it is sent.
        seal: says what it was made for.
        who: as whom it acknowledges, by the proxy; empty: it asks for a token, or nobody is named.
        asks_token: whether it asks for one.
        chosen: what was chosen already, when it comes back.
        note: what was noted already.
        problem: why it comes back; empty: it does not.
    """

    action: str
    seal: str
    who: str = ""
    asks_token: bool = False
    chosen: str = ""
    note: str = ""
    problem: str = ""

    @property
    def longest_note(self) -> int:
        """How many characters a note may have."""
        return LONGEST_NOTE


class Forms:
    """Makes forms, and says whether one that comes back was made here.

    Args:
        acting: who may acknowledge.
        clock: the time in seconds since the Unix epoch.
    """

    def __init__(self, acting: Acting, clock: Callable[[], float]) -> None:
        self._acting = acting
        self._clock = clock

    def form(self, known: KnownIncident, headers: Headers) -> AcknowledgeForm | None:
        """Return the form for an incident and who asks for it; None: there is nothing to say of it."""
        if known.incident.state == "withdrawn":
            return None
        incident_id, who = known.incident.incident_id, self._acting.asker(headers)
        return AcknowledgeForm(
            action=acknowledge_path(incident_id),
            seal=self._seal(incident_id, who, len(known.acknowledgements), int(self._clock())),
            who=who,
            asks_token=bool(self._acting.tokens),
        )

    def returned(
        self, known: KnownIncident, headers: Headers, fields: Mapping[str, str], problem: str
    ) -> AcknowledgeForm | None:
        """Return a form once more, with what was chosen and noted in it, and why."""
        form = self.form(known, headers)
        chosen, note = fields.get("acknowledgement", ""), fields.get("note", "")[:LONGEST_NOTE]
        return None if form is None else replace(form, chosen=chosen, note=note, problem=problem)

    def seen(self, incident_id: str, headers: Headers, seal: str) -> int | None:
        """Return how many acknowledgements a form showed; None: it was not made here, or is too old."""
        issued, _, rest = seal.partition(".")
        count = rest.partition(".")[0]
        if not (issued.isascii() and issued.isdigit() and count.isascii() and count.isdigit()):
            return None
        if len(issued) > 12 or len(count) > 9:
            return None
        made = self._seal(incident_id, self._acting.asker(headers), int(count), int(issued))
        is_fresh = 0 <= self._clock() - int(issued) <= _FORM_AGE_S
        return int(count) if is_fresh and hmac.compare_digest(made.encode(), seal.encode()) else None

    def _seal(self, incident_id: str, who: str, seen: int, issued: int) -> str:
        sealed = json.dumps([incident_id, who, seen, issued]).encode()
        return f"{issued}.{seen}.{hmac.new(self._acting.key, sealed, hashlib.sha256).hexdigest()}"


def is_from_own_page(headers: Headers) -> bool:
    """Return whether a browser says that a request comes from a page of this host.

    A page elsewhere can forge neither header. A proxy in front has to keep the Host header.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site is not None
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False


def just_given(known: KnownIncident, given: str) -> Acknowledgement | None:
    """Return the acknowledgement that was given at a time, as the address behind a form says it."""
    return next((one for one in known.acknowledgements if one.given_at and given == moment_of(one)), None)


def moment_of(one: Acknowledgement) -> str:
    """Return when an acknowledgement was given, for an address; it tells it from others of its incident."""
    return one.given_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if one.given_at else ""
