"""All pages, as data: the address of each, what it answers, where it is linked from, and what it shows.

Routes, the navigation at the foot of each page, the table in ``docs/pages.md`` and the pages that the tests
open in a browser follow from `PAGES`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from driftline.web import addresses
from driftline.web.acting import just_given
from driftline.web.draw.charts import time_axis
from driftline.web.formatting import parse_iso
from driftline.web.period import parse_days
from driftline.web.runbooks import list_runbooks, read_runbook
from driftline.web.views.compare import view_compare
from driftline.web.views.explorer import view_explorer
from driftline.web.views.feature import view_feature
from driftline.web.views.features import view_features
from driftline.web.views.fleet import view_fleet
from driftline.web.views.history import view_history
from driftline.web.views.incident import view_incident
from driftline.web.views.lifecycle import view_lifecycle
from driftline.web.views.live import view_live
from driftline.web.views.model import view_model
from driftline.web.views.performance import BASES, TITLES, view_performance
from driftline.web.views.prediction import view_prediction
from driftline.web.views.run import view_run
from driftline.web.views.streams import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.datastructures import Headers

    from driftline.store.connection import Connection
    from driftline.web.acting import AcknowledgeForm, Forms
    from driftline.web.addresses import Address
    from driftline.web.views.incident import IncidentView

_REFERENCES = ("production", "training")


@dataclass(frozen=True)
class PageRequest:
    """What a request for a page asks for.

    Args:
        names: those in the address, in its order.
        query: what follows the question mark; of a name that is given twice, the last.
        connect: returns a connection to the store, the same for the whole request.
        runbooks: their folder; None: this installation has none.
        headers: of the request.
        forms: for acknowledging incidents; None: these pages only show.
    """

    names: tuple[str, ...]
    query: Mapping[str, str]
    connect: Callable[[], Connection]
    runbooks: Path | None
    headers: Headers
    forms: Forms | None = None

    @property
    def name(self) -> str:
        """The first name in the address."""
        return self.names[0]

    @property
    def choice(self) -> Choice:
        """The period, version and reference that were asked for."""
        reference = self.query.get("reference", "production")
        return Choice(
            days=parse_days(self.query.get("days")),
            version=self.query.get("version"),
            environment=self.query.get("environment"),
            reference=reference if reference in _REFERENCES else "production",
        )


@dataclass(frozen=True)
class PageContent:
    """The content of a page.

    Args:
        values: of its template, by name.
        status: of the answer, as in HTTP.
        acts: whether it holds a form that changes something.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200
    acts: bool = False


@dataclass(frozen=True)
class Page:
    """One page.

    Args:
        name: identifies it; its template is called so, too.
        address: where it is.
        answers: the questions that it answers, for the documentation.
        show: makes its content; it may wait for the store, and raise what the store raises.
        example: an address of it, in which ``EVENT`` stands for the id of an event.
        label: what the foot of each page calls it; empty: it is not linked there.
        submits: whether it holds a form that leads to itself.
        shows: what its address names first, ``event`` or ``model``, where it shows single predictions: then
            it is logged who looked; empty: it shows none.
        moves: whether its content follows the store: while it is open, it is asked for again and again.
    """

    name: str
    address: Address
    answers: str
    show: Callable[[PageRequest], PageContent]
    example: str
    label: str = ""
    submits: bool = False
    shows: Literal["", "event", "model"] = ""
    moves: bool = False


def _fleet(request: PageRequest) -> PageContent:
    view = view_fleet(request.connect(), request.choice, request.query.get("project", ""))
    return PageContent({"view": view, "choice": request.choice})


def _model(request: PageRequest) -> PageContent:
    connection = request.connect()
    view, versions = view_model(connection, request.name, request.choice)
    pages = {row.href for row in view.rows}
    live = view_live(connection, request.name, request.choice, pages=pages)
    return PageContent({"view": view, "versions": versions, "live": live, "choice": request.choice})


def _feature(request: PageRequest) -> PageContent:
    model, feature = request.names
    at, kind = parse_iso(request.query.get("at", "")), request.query.get("kind", "")
    view = view_feature(request.connect(), model, feature, request.choice, at=at, kind=kind)
    return PageContent({"view": view, "choice": request.choice})


def _explorer(request: PageRequest) -> PageContent:
    found = view_explorer(request.connect(), request.name, request.query)
    return PageContent({"view": found}, status=400 if found.problems else 200)


def _history(request: PageRequest) -> PageContent:
    view = view_history(request.connect(), request.name, request.choice)
    return PageContent({"view": view, "axis": time_axis(view.period), "choice": request.choice})


def _run(request: PageRequest) -> PageContent:
    model, run = request.names
    return PageContent({"view": view_run(request.connect(), model, run)})


def _compare(request: PageRequest) -> PageContent:
    model, one, other = request.names
    return PageContent({"view": view_compare(request.connect(), model, one, other), "titles": TITLES})


def _lifecycle(request: PageRequest) -> PageContent:
    return PageContent({"view": view_lifecycle(request.connect(), request.name)})


def _performance(request: PageRequest) -> PageContent:
    segment = request.query.get("segment", "")
    view = view_performance(request.connect(), request.name, request.choice, segment=segment)
    return PageContent({"view": view, "choice": request.choice, "bases": BASES, "inf": math.inf})


def _features(request: PageRequest) -> PageContent:
    return PageContent({"listed": view_features(request.connect())})


def _incident(request: PageRequest) -> PageContent:
    view = view_incident(request.connect(), request.name)
    form = request.forms.form(view.known, request.headers) if request.forms else None
    return incident_content(view, form, given=request.query.get("given", ""))


def incident_content(view: IncidentView, form: AcknowledgeForm | None, *, given: str = "") -> PageContent:
    """Return the content of an incident's page.

    Args:
        view: the incident.
        form: acknowledges it; None: this page only shows.
        given: when the acknowledgement was given that leads here.
    """
    values = {"view": view, "form": form, "given": just_given(view.known, given)}
    return PageContent(values, status=200, acts=form is not None)


def _prediction(request: PageRequest) -> PageContent:
    return PageContent({"view": view_prediction(request.connect(), request.name)})


def _runbooks(request: PageRequest) -> PageContent:
    return PageContent({"names": list_runbooks(request.runbooks)})


def _runbook(request: PageRequest) -> PageContent:
    return PageContent({"view": read_runbook(request.runbooks, request.name)})


PAGES: Final = (
    Page(
        "fleet",
        addresses.fleet_path,
        "Which models need attention? Open incidents first; then each model with its state, its incidents "
        "over time, how much of the newest window's traffic arrived, and when it was judged last; then "
        "earlier incidents and how they were acknowledged; of all models or of a project (`project=`).",
        _fleet,
        example="/",
        moves=True,
    ),
    Page(
        "model",
        addresses.model_path,
        "What is open, what is asked and answered at this moment and how fast, beside what the model learned "
        "from; which features moved when, when a version began to serve, what features do together, "
        "which values are invalid, what arrived of each version and which run made it.",
        _model,
        example="/models/flight-delay",
        moves=True,
    ),
    Page(
        "feature",
        addresses.feature_path,
        "Where the values are now, where they were in the same hours of past weeks and in the training "
        "data; how much moved over time, in which part of the traffic; which values are invalid, with "
        "events. `at=` shows a past window as it was. Where a number and a text bear one name, "
        "`kind=categorical` shows the text.",
        _feature,
        example="/models/flight-delay/features/temp",
        moves=True,
    ),
    Page(
        "history",
        addresses.history_path,
        "Which version was declared to be in production, and which in fact answered, on one timeline; all "
        "versions with their stages and runs; who decided what, when and why.",
        _history,
        example="/models/flight-delay/history",
    ),
    Page(
        "lifecycle",
        addresses.lifecycle_path,
        "Whether the model was trained again, and each time that it was not, why; how candidates compared "
        "with production; how far runs of its pipeline have come; its training sets.",
        _lifecycle,
        example="/models/flight-delay/lifecycle",
        moves=True,
    ),
    Page(
        "run",
        addresses.run_path,
        "What made a version: commit, environment, data, artifact, metrics; the commands that rebuild it; "
        "which predictions it answered.",
        _run,
        example="/models/flight-delay/runs/run-7f3a",
    ),
    Page(
        "compare",
        addresses.compare_path,
        "How do two versions compare? Traffic and latency; how right each is, row by row where both answered "
        "the same rows; how their answers differ; what differs between the runs that made them.",
        _compare,
        example="/models/fare/compare/1/2",
    ),
    Page(
        "features",
        addresses.features_path,
        "Which features are defined, in which version, who uses them, and how fresh are they?",
        _features,
        example="/features",
        label="Feature store",
    ),
    Page(
        "incident",
        addresses.incident_path,
        "The story of one incident: what moved, since when, how sure, on how much traffic and how much of "
        "that arrived; from which part of the traffic, configured or not; "
        "which version, run and commit, and whether the "
        "version was new; whether the model got what was stored, so whether upstream, serving or the model "
        "is to blame; all findings; predictions that show it; how it was acknowledged, and the form or "
        "the commands that do so. The beginning of the id is enough.",
        _incident,
        example="/incidents/a1b2c3d4e5f6",
        moves=True,
    ),
    Page(
        "explorer",
        addresses.explorer_path,
        "Which predictions? By version, environment, time, tag or category, and a feature's value, range or "
        "absence; the newest first, 50 at a time.",
        _explorer,
        example="/models/flight-delay/predictions?feature=temp",
        submits=True,
        shows="model",
    ),
    Page(
        "performance",
        addresses.performance_path,
        "How right is the model? Each metric over time with its interval, what is final and what is partial, "
        "the value of the known truths alone, that of a constant answer, and what it was likely to be by the "
        "scores before any truth; in all of the traffic or in a part (`segment=`).",
        _performance,
        example="/models/flight-delay/performance",
        moves=True,
    ),
    Page(
        "prediction",
        addresses.prediction_path,
        "What one prediction was made from, which of its values are invalid or were never in the reference, "
        "its outcome, the run, commit and data behind it, and what was judged around it.",
        _prediction,
        example="/predictions/EVENT",
        shows="event",
    ),
    Page(
        "runbooks",
        addresses.runbooks_path,
        "Which alerts are there?",
        _runbooks,
        example="/runbooks",
        label="Runbooks",
    ),
    Page(
        "runbook",
        addresses.runbook_path,
        "What an alert means, how to confirm it, what to do.",
        _runbook,
        example="/runbooks/DriftlineDataDrift",
    ),
)
"""All pages. An address belongs to the first page that matches it."""
