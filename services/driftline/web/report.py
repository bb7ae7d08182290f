"""The pages of some models as one self-contained HTML file."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from driftline.domain.hours import hour_time
from driftline.errors import NotFoundError
from driftline.web.addresses import feature_path, incident_path, model_path
from driftline.web.incidents import read_known_incidents
from driftline.web.render import STYLE, Renderer
from driftline.web.views.feature import view_feature
from driftline.web.views.fleet import view_fleet
from driftline.web.views.incident import view_incident
from driftline.web.views.model import view_model
from driftline.web.views.streams import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.store.connection import Connection
    from driftline.web.views.fleet import FleetRow

INCIDENTS = 10
"""Of each model so many of the newest incidents are reported in full."""

_LINK = re.compile(r'<a ([^>]*?)href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
_HEADING = re.compile(r"<(/?)h([1-5])\b")


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the report: the address that shows the same, and what it shows."""

    path: str
    body: str


def write_report(
    connection: Connection,
    *,
    days: int,
    clock: Callable[[], float],
    model_name: str | None = None,
    url: str = "",
) -> str:
    """Return the report as HTML.

    Its overview lists all models. Those that paged in the period are reported in full, with their newest
    incidents and the features that these name first; or the one that is asked for, whether it paged or not.

    Args:
        connection: to the store.
        days: length of the period; one of `period.DAYS`.
        clock: the time in seconds since the Unix epoch.
        model_name: of this model only.
        url: of the pages, such as ``https://driftline.example``: what is not in the report is linked there.
            Empty: it is not linked.

    Raises:
        NotFoundError: there is no such model.
    """
    renderer = Renderer(clock=clock, interactive=False, leads_out=bool(url))
    choice = Choice(days=days)
    fleet = view_fleet(connection, choice)
    rows = [row for row in fleet.rows if model_name in {None, row.name}]
    if model_name is not None and not rows:
        raise NotFoundError(f"no event of a model called {model_name!r} has landed")
    paged = {known.incident.stream.model_name for known in (*fleet.open, *fleet.recent)}
    in_full = [row for row in rows if model_name is not None or row.name in paged]
    parts = [part for row in in_full for part in _model_parts(connection, renderer, row, choice)]
    if model_name is None:
        parts.insert(0, _Part("/", renderer.render("bodies/fleet.html", view=fleet, choice=choice)))
    anchors = {part.path: f"part-{place}" for place, part in enumerate(parts)}
    page = renderer.render(
        "report.html",
        title=model_name or fleet.headline,
        days=days,
        url=url,
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704  the package's own style sheet
        parts=[(anchors[part.path], _lowered(part.body)) for part in parts],
    )
    return _relinked(page, anchors, url)


def _model_parts(
    connection: Connection, renderer: Renderer, row: FleetRow, choice: Choice
) -> Iterator[_Part]:
    view, versions = view_model(connection, row.name, choice)
    body = renderer.render("bodies/model.html", view=view, versions=versions, live=None, choice=choice)
    yield _Part(model_path(row.name), body)
    if view.period is None:
        return
    since = hour_time(view.period.first_hour)
    incidents = read_known_incidents(connection, model_name=row.name, since=since)[:INCIDENTS]
    for known in incidents:
        story = view_incident(connection, known.incident.incident_id)
        yield _Part(
            incident_path(known.incident.incident_id),
            renderer.render("bodies/incident.html", view=story, form=None, given=None),
        )
    shown: set[str] = set()
    for known in incidents:
        feature, at = known.main.feature_key, None if known.incident.state == "open" else known.last
        if known.incident.stream == view.stream and feature.name not in shown:
            shown.add(feature.name)
            found = view_feature(connection, row.name, feature.name, choice, at=at, kind=feature.kind)
            body = renderer.render("bodies/feature.html", view=found, choice=choice)
            yield _Part(feature_path(row.name, feature.name), body)


def _lowered(body: str) -> Markup:
    """Set headings one level lower, since the report has a title of its own.

    Tables that are scrolled are no landmarks here: those of several parts bear the same name.
    """
    body = body.replace('role="region"', 'role="group"')
    body = _HEADING.sub(lambda found: f"<{found[1]}h{int(found[2]) + 1}", body)
    return Markup(body)  # noqa: S704  templates have rendered it


def _relinked(page: str, anchors: Mapping[str, str], url: str) -> str:
    """Return the page with links to parts of the report, else to the pages, else replaced by their text."""

    def replaced(found: re.Match[str]) -> str:
        before, href, after, text = found.groups()
        address = html.unescape(href)
        anchor = anchors.get(address.partition("?")[0])
        if anchor is not None:
            return f'<a {before}href="#{anchor}"{after}>{text}</a>'
        if not address.startswith("/"):
            return found[0]
        return f'<a {before}href="{html.escape(url + address)}"{after}>{text}</a>' if url else text

    return _LINK.sub(replaced, page)
