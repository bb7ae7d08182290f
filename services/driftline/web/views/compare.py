"""Two versions of a model side by side: what made each, how right each is, what each answers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.errors import NotFoundError, SettingError
from driftline.performance.answers import QUANTILES
from driftline.performance.compare import compare_versions, two_versions
from driftline.registry.client import known_model
from driftline.registry.decisions import known_version
from driftline.registry.diff import code_command, differences
from driftline.store.hours import read_store_time
from driftline.store.registry import read_registry
from driftline.store.runs import read_run_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.performance.compare import Comparison
    from driftline.registry.diff import Difference
    from driftline.registry.events import Stage
    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class CompareView:
    """Two versions of a model side by side.

    Args:
        name: the model.
        versions: the first and the second, with their stages and runs.
        parts: of their runs, those in which they differ, with the differences.
        problem: why their runs can't be compared; empty: they can.
        commits: command that lists the commits between them; None: there is none.
        comparison: of their predictions; None: one of them answered nothing.
        without: why there is none.
        since: of what time the predictions are, UTC; None: there is no comparison.
        until: likewise.
        quantiles: of latencies.
    """

    name: str
    versions: Sequence[tuple[str, Stage, str]]
    parts: Sequence[tuple[str, Sequence[Difference]]]
    problem: str
    commits: str | None
    comparison: Comparison | None
    without: str
    since: datetime | None
    until: datetime | None
    quantiles: Sequence[float] = QUANTILES


def view_compare(connection: Connection, model_name: str, one: str, other: str) -> CompareView:
    """Return two versions side by side, by the newest 28 days of either.

    Raises:
        NotFoundError: the model or a version is not registered, or both are the same.
    """
    state = known_model(read_registry(connection), model_name)
    names = [known_version(state, version) for version in (one, other)]
    if one == other:
        raise NotFoundError(f"both are version {one} of {model_name}: name two versions")
    found: Sequence[Difference] = ()
    commits, problem = None, ""
    try:
        before, after = (read_run_of(connection, state, version) for version in names)
        found, commits = differences(before, after), code_command(before, after)
    except NotFoundError as error:
        problem = str(error)
    comparison, without = _compared(connection, model_name, one, other)
    parts = itertools.groupby(found, key=lambda each: each.part)
    return CompareView(
        name=model_name,
        versions=[(each, state.stage(each), state.versions[each].training_run_id) for each in names],
        parts=[(part, list(own)) for part, own in parts],
        problem=problem,
        commits=commits,
        comparison=comparison,
        without=without,
        since=hour_time(comparison.two.since) if comparison else None,
        until=hour_time(comparison.two.until) if comparison else None,
    )


def _compared(connection: Connection, model_name: str, one: str, other: str) -> tuple[Comparison | None, str]:
    try:
        two = two_versions(connection, model_name, one, other)
        return compare_versions(connection, two, now_s=read_store_time(connection).timestamp()), ""
    except (NotFoundError, SettingError) as error:
        return None, str(error)
