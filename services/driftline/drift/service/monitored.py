"""What a model's monitor changes about judging it: features left out, and pages that only warn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.domain.verdicts import VerdictName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from driftline.domain.verdicts import Verdict
    from driftline.monitors import ModelMonitor
    from driftline.profiles import HourProfile

_ONLY_WARNS = "This only warns, as the file of monitors says."


def without_ignored(profile: HourProfile, monitor: ModelMonitor[Any]) -> HourProfile:
    """Return an hour without the features that are not judged, so that these take no share of the budget.

    A judge has to be given every hour so: what it remembers, what it judges, and its training reference.
    """
    if not monitor.ignored_features:
        return profile
    return replace(
        profile, numeric=_judged(profile.numeric, monitor), categorical=_judged(profile.categorical, monitor)
    )


def as_told(verdicts: Iterable[Verdict], monitor: ModelMonitor[Any]) -> list[Verdict]:
    """Return verdicts with those as warnings that would have paged for what only warns.

    They keep their episodes: a judge that takes them up after a restart still holds their hours out of its
    reference. Do this before incidents are made of verdicts, and before they are written.
    """
    return [
        verdict
        if verdict.verdict != "page" or monitor.may_page(verdict.feature)
        else replace(verdict, verdict=VerdictName.WARN, reason=f"{verdict.reason} {_ONLY_WARNS}".lstrip())
        for verdict in verdicts
    ]


def _judged(counts: Mapping[str, Any], monitor: ModelMonitor[Any]) -> dict[str, Any]:
    return {name: count for name, count in counts.items() if not monitor.ignores(name)}
