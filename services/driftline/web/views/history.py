"""A model's history: which versions were declared and which answered, on one timeline."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import PRODUCTION
from driftline.registry.client import known_model
from driftline.registry.history import declared_periods, was_declared
from driftline.store.answered import newest_answer, read_answered
from driftline.store.registry import read_registry
from driftline.web.draw.timeline import answered_strip, declared_strip
from driftline.web.period import Period

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from markupsafe import Markup

    from driftline.registry.events import Stage
    from driftline.registry.history import Declared
    from driftline.registry.state import ModelState, Move, Refusal, Version
    from driftline.store.answered import Answered
    from driftline.store.connection import Connection
    from driftline.web.views.streams import Choice

_DECISIONS = 50


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One version that answered in the period.

    Args:
        version: its name.
        is_registered: whether the registry knows it.
        events: how many predictions.
        undeclared_hours: hours in which it answered and was not declared.
        strip: its answers over time.
    """

    version: str
    is_registered: bool
    events: int
    undeclared_hours: int
    strip: Markup


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A model's history.

    Args:
        name: the model.
        environment: where it answers.
        environments: in which anything was decided.
        period: what is shown.
        declared: when which version was in production.
        answered: the versions that answered, those that are not declared now last.
        serving: the version in production; None: none.
        versions: the model's, with their stages, the newest first.
        decisions: the newest first.
        refusals: decisions that did not count, the newest first.
    """

    name: str
    environment: str
    environments: Sequence[str]
    period: Period
    declared: Markup
    answered: Sequence[AnsweredRow]
    serving: str | None
    versions: Sequence[tuple[Version, Stage]]
    decisions: Sequence[Move]
    refusals: Sequence[Refusal]


def view_history(connection: Connection, model_name: str, choice: Choice) -> HistoryView:
    """Return a model's history.

    Raises:
        NotFoundError: the model is not registered.
    """
    state = known_model(read_registry(connection), model_name)
    environment = choice.environment or PRODUCTION
    period = _period(connection, state, environment, choice.days)
    since, until = hour_time(period.first_hour), hour_time(period.end_hour)
    declared = declared_periods(state, since, until, environment)
    answered = read_answered(connection, model_name, since, until, environment=environment)
    return HistoryView(
        name=model_name,
        environment=environment,
        environments=state.environments,
        period=period,
        declared=declared_strip(declared, period, label=_declared_label(declared)),
        answered=list(_answered(answered, state, environment, period)),
        serving=state.in_production(environment),
        versions=[
            (each, state.stage(each.name, environment)) for each in reversed([*state.versions.values()])
        ],
        decisions=list(reversed(state.moves))[:_DECISIONS],
        refusals=list(reversed([*state.refusals.values()]))[:_DECISIONS],
    )


def _period(connection: Connection, state: ModelState, environment: str, days: int) -> Period:
    """Return a period that ends with the newest answer; of a model that never answered, decision."""
    newest = newest_answer(connection, state.model_name, environment)
    if newest is None:
        times = [move.event.event_time for move in state.moves]
        times += [version.registered_at for version in state.versions.values()]
        newest = hour_of(max(times))
    return Period(newest + 1, days)


def _answered(
    answered: Sequence[Answered], state: ModelState, environment: str, period: Period
) -> Iterator[AnsweredRow]:
    by_version: dict[str, list[Answered]] = defaultdict(list)
    for each in answered:
        by_version[each.version].append(each)
    most = max((each.events for each in answered), default=0)
    for version, hours in sorted(by_version.items(), key=lambda each: each[1][-1].last, reverse=True):
        undeclared = {
            hour_of(each.hour)
            for each in hours
            if not was_declared(state, version, each.first, each.last, environment)
        }
        label = f"version {version} answered in {len(hours)} hours, in {len(undeclared)} of them undeclared"
        yield AnsweredRow(
            version=version,
            is_registered=version in state.versions,
            events=sum(each.events for each in hours),
            undeclared_hours=len(undeclared),
            strip=answered_strip(hours, undeclared, most, period, label=label),
        )


def _declared_label(declared: Sequence[Declared]) -> str:
    versions: Mapping[str, None] = dict.fromkeys(each.version or "nothing" for each in declared)
    return f"in production: {', then '.join(versions)}"
