"""Taking the form of an incident's page: one at a time, at a bounded pace, and not over who was quicker."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from driftline.domain.incidents import MEANINGS
from driftline.store.incidents import find_incident, write_acknowledgement
from driftline.web.acting import LONGEST_NOTE, is_from_own_page, moment_of
from driftline.web.addresses import incident_path
from driftline.web.incidents import with_acknowledgements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from driftline.domain.incidents import Acknowledgement
    from driftline.store import Store
    from driftline.web.acting import Acting, Forms
    from driftline.web.incidents import KnownIncident

    ShowAgain = Callable[[Request, Mapping[str, str], str, int], Response]
    """Shows an incident with its form once more: for a request, its fields, why, with which status."""

    Refuse = Callable[[int, str, str], Response]
    """Answers with a page that says why not: status, title, message."""

_logger = logging.getLogger(__name__)

_LARGEST_BODY = 16 * 1024
_MOST_FIELDS = 8
_A_MINUTE = 30
_FORM_TYPE = "application/x-www-form-urlencoded"


class Pace:
    """So many in a minute, however they are spread.

    Args:
        a_minute: how many.
        monotonic: a clock in seconds.
    """

    def __init__(self, a_minute: int, monotonic: Callable[[], float]) -> None:
        self._a_minute = a_minute
        self._monotonic = monotonic
        self._left, self._since_s = float(a_minute), monotonic()

    def takes(self) -> bool:
        """Return whether one more is within it, and count it."""
        now_s = self._monotonic()
        gained = (now_s - self._since_s) * self._a_minute / 60.0
        self._left, self._since_s = min(self._left + gained, float(self._a_minute)), now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Acknowledging:
    """Takes acknowledgements from forms. For one event loop.

    Args:
        acting: who may acknowledge.
        forms: that are taken.
        store: of a user who may acknowledge.
        show_again: the page with the form.
        refuse: a page without.
        clock: the time in seconds since the Unix epoch.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        acting: Acting,
        forms: Forms,
        store: Store,
        *,
        show_again: ShowAgain,
        refuse: Refuse,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._acting = acting
        self._forms = forms
        self._store = store
        self._show_again = show_again
        self._refuse = refuse
        self._clock = clock
        self._pace = Pace(_A_MINUTE, monotonic)
        self._one_at_a_time = threading.Lock()

    async def answer(self, request: Request) -> Response:
        """Take a form: 303 to the incident as it is then, else the form once more, or why not."""
        if not is_from_own_page(request.headers):
            return self._refuse(
                403,
                "Not from this page",
                "an acknowledgement is taken from the incident's own page only; where a proxy stands in "
                "front, it has to pass the Host header on as it came",
            )
        if not self._pace.takes():
            refused = self._refuse(
                429, "Too many", "too many forms came within a minute; try again in a moment"
            )
            refused.headers["Retry-After"] = "10"
            return refused
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            return self._refuse(415, "No form", f"a form is sent as {_FORM_TYPE}")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST_BODY:
                return self._refuse(413, "Too large", f"a form has at most {_LARGEST_BODY:,} bytes")
        try:
            fields = dict(parse_qsl(body.decode("ascii"), True, errors="strict", max_num_fields=_MOST_FIELDS))
        except ValueError:
            return self._refuse(400, "No form", "what was sent is no form of this page")
        return await run_in_threadpool(self._take, request, fields)

    def _take(self, request: Request, fields: Mapping[str, str]) -> Response:
        chosen, note = fields.get("acknowledgement", ""), _lines(fields.get("note", ""))
        who = self._acting.bearer(fields.get("token", "")) or self._acting.asker(request.headers)
        incident_id = request.path_params["names"][0]
        with self._one_at_a_time, self._store.connect() as connection:
            (known,) = with_acknowledgements(connection, [find_incident(connection, incident_id)])
            incident_id = known.incident.incident_id
            seen = self._forms.seen(incident_id, request.headers, fields.get("seal", ""))
            problem = self._problem(known, who, seen, chosen, note)
            if problem is None:
                now = datetime.fromtimestamp(self._clock(), UTC)
                _, given = write_acknowledgement(
                    connection, incident_id, name=chosen, given_by=who, note=note, given_at=now
                )
                _logger.info("incident %s was acknowledged as %s by %s", incident_id, chosen, who)
                return RedirectResponse(incident_path(incident_id, given=moment_of(given)), 303)
        status, why = problem
        return self._show_again(request, {**fields, "note": note}, why, status)

    def _problem(
        self, known: KnownIncident, who: str, seen: int | None, chosen: str, note: str
    ) -> tuple[int, str] | None:
        """Return status and reason of a form that is not taken, the first that there is; None: it is."""
        unnamed = (
            "nobody here has this token"
            if self._acting.tokens
            else "the proxy in front does not say who you are"
        )
        withdrawn = known.incident.state == "withdrawn"
        is_late = seen is not None and len(known.acknowledgements) > seen
        reasons = (
            (not who, 403, unnamed),
            (seen is None, 403, "this form was made for something else, or is too old: send it now"),
            (withdrawn, 409, "events that arrived late took it back: there is nothing to say of it"),
            (chosen not in MEANINGS, 400, f"choose one of {', '.join(MEANINGS)}"),
            (len(note) > LONGEST_NOTE, 400, f"a note has at most {LONGEST_NOTE} characters"),
            (is_late, 409, _meanwhile(known.acknowledgements) if is_late else ""),
        )
        return next(((status, why) for holds, status, why in reasons if holds), None)


def _meanwhile(given: Sequence[Acknowledgement]) -> str:
    one = given[-1]
    when = f" at {one.given_at:%Y-%m-%d %H:%M:%S} UTC" if one.given_at else ""
    note = f", noting: {one.note}" if one.note else ""
    return (
        f"meanwhile {one.given_by or 'somebody'} acknowledged it as {one.name}{when}{note}. "
        "Nothing was written; send the form again if yours is to count instead"
    )


def _lines(text: str) -> str:
    """Return a text with line ends as the store has them, since forms are sent with others."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
