"""Who is to blame for an incident: upstream, serving, or the model.

The value that the model got is compared with the one that was stored as of when it was read. Where they
differ, serving is, and how is part of the answer. Where they are equal and moved all the same, what was
stored moved: upstream. Where they are equal and did not move, and answers or their performance did, the model
is. Where nothing says what the model was to get, that is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from driftline.domain.channels import number_text
from driftline.domain.hours import hour_time
from driftline.domain.names import JOINT, VOLUME, feature_of, is_answer
from driftline.features.consistency import SAMPLE, compare_window
from driftline.performance.drops import standings_of
from driftline.store.feature_events import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.features.compare import Consistency
    from driftline.features.consistency import Report
    from driftline.store.connection import Connection

Blame = Literal["upstream", "serving", "model", "unknown", "none"]

_LEAST_SHARE = 0.01
"""Of the values of a feature: fewer that differ explain nothing."""

_LEAST_KNOWN = 0.5
"""Of the predictions: where fewer say what they were made from, the others may be what moved."""

_LEAST_BEFORE, _MOST_BEFORE = timedelta(days=1), timedelta(days=7)
"""So much of the time before is compared, too: what serving did wrong until then moves what is right now."""

_EXPLAINED = 0.5
"""So much of a shift has to be values that differ, for serving to have made it."""


@dataclass(frozen=True, slots=True)
class FeatureBlame:
    """What is to blame for what one feature does.

    Args:
        feature: its name.
        blame: upstream, serving or unknown; none: it is as it should be.
        why: one sentence.
        effect: the share of rows that moved; None: it did not.
        consistency: logged beside stored; None: nothing of it could be compared.
    """

    feature: str
    blame: Blame
    why: str
    effect: float | None
    consistency: Consistency | None


@dataclass(frozen=True, slots=True)
class Triage:
    """Who is to blame.

    Args:
        blame: upstream, serving, model or unknown; none: nothing is wrong.
        why: one sentence.
        window: whose predictions were looked at, and of when.
        report: logged beside stored.
        features: those that moved first, then those that differ from what was stored.
        drops: metrics of performance that surely got worse.
    """

    blame: Blame
    why: str
    window: Window
    report: Report
    features: Sequence[FeatureBlame]
    drops: Sequence[str]


def triage_incident(
    connection: Connection, incident: Incident, *, now_s: float, limit: int = SAMPLE
) -> Triage:
    """Return who is to blame for an incident.

    Args:
        connection: to the store.
        incident: which.
        now_s: the time now, seconds since 1970.
        limit: compare at most so many predictions.

    Raises:
        StoreError: the store can't be asked.
    """
    since, until = hour_time(incident.since), hour_time(max(incident.last, incident.since + 1))
    window = Window(incident.stream, since, until)
    segments = {finding.segment for finding in incident.findings}
    segment = segments.pop() if len(segments) == 1 else ""
    moved: dict[str, float] = {}
    for finding in incident.findings:
        moved.setdefault(finding.feature, finding.effect)
        if finding.feature == JOINT and finding.channel is not None and finding.channel.feature:
            moved.setdefault(finding.channel.feature, finding.effect)
    return _triage(connection, window, moved, now_s=now_s, limit=limit, segment=segment)


def triage_window(connection: Connection, window: Window, *, now_s: float, limit: int = SAMPLE) -> Triage:
    """Return who is to blame for what a model did in a window, where no incident says what moved.

    Raises:
        StoreError: the store can't be asked.
    """
    return _triage(connection, window, {}, now_s=now_s, limit=limit, segment="")


def recent_window(stream: Stream, until_hour: int, hours: int) -> Window:
    """Return the window of so many hours that ends with an hour."""
    end = hour_time(until_hour)
    return Window(stream, end - timedelta(hours=hours), end)


def _triage(
    connection: Connection, window: Window, moved: dict[str, float], *, now_s: float, limit: int, segment: str
) -> Triage:
    length = min(max(window.until - window.since, _LEAST_BEFORE), _MOST_BEFORE)
    earlier = Window(window.stream, window.since - length, window.since)
    before = compare_window(connection, earlier, limit=limit, segment=segment) if moved else None
    own = before.own if before else frozenset[str]()
    report = compare_window(connection, window, limit=limit, segment=segment, own=own)
    drops = [
        standing.metric
        for standing in standings_of(connection, window.stream, now_s=now_s)
        if standing.drop > 0
    ]
    blame, why, features = blame_of(report, before, moved, drops)
    return Triage(blame, why, window, report, features, drops)


def blame_of(
    report: Report, before: Report | None, moved: Mapping[str, float], drops: Sequence[str]
) -> tuple[Blame, str, Sequence[FeatureBlame]]:
    """Return who is to blame, why, and what of each feature. Pure.

    Args:
        report: logged beside stored, in the window.
        before: the same of the time before; None: it was not looked at.
        moved: the share of rows that moved, by feature or answer.
        drops: metrics of performance that surely got worse.
    """
    features = list(_blames(report, before, moved))
    return *_together(report, _telling(features, before, moved), moved, drops), features


def _telling(
    features: Sequence[FeatureBlame], before: Report | None, moved: Mapping[str, float]
) -> Sequence[FeatureBlame]:
    """Return those that may have made what moved; one that did not move itself, if enough of it differs."""
    if not moved:
        return features
    needed = max(_LEAST_SHARE, _EXPLAINED * min(max(map(abs, moved.values())), 1.0))
    return [each for each in features if each.effect is not None or _excess(each, before) >= needed]


def _excess(each: FeatureBlame, before: Report | None) -> float:
    """Return the share of values that differ, beyond that of the time before."""
    usual = before.of(each.feature) if before else None
    now = each.consistency.share if each.consistency else 0.0
    return now - (usual.share if usual else 0.0)


def _blames(report: Report, before: Report | None, moved: Mapping[str, float]) -> Iterator[FeatureBlame]:
    named = [key for key in moved if not is_answer(key) and key not in {JOINT, VOLUME}]
    for key in named:
        feature = feature_of(key) or key
        found = report.of(feature)
        if found is None:
            yield FeatureBlame(feature, "unknown", _why_unknown(feature, report), moved[key], None)
        else:
            blamed = _blame_moved(moved[key], found, before.of(feature) if before else None)
            if blamed.blame == "upstream" and not _is_known(report):
                blamed = replace(blamed, blame="unknown", why=_why_partly(report))
            yield blamed
    seen = {feature_of(key) or key for key in named}
    for each in report.features:
        if each.feature not in seen and each.share >= _LEAST_SHARE:
            yield FeatureBlame(each.feature, "serving", describe(each), None, each)


def _blame_moved(effect: float, found: Consistency, before: Consistency | None) -> FeatureBlame:
    """Return what is to blame for a feature that moved, of which something could be compared.

    What differed in the time before just as well has moved nothing.
    """
    feature, needed = found.feature, max(_LEAST_SHARE, _EXPLAINED * min(abs(effect), 1.0))
    usual = before.share if before is not None else 0.0
    if found.share - usual >= needed:
        return FeatureBlame(feature, "serving", describe(found), effect, found)
    if before is not None and usual - found.share >= needed:
        why = f"the model gets what is stored now, and did not before: {describe(before)}"
        return FeatureBlame(feature, "serving", why, effect, found)
    too_little = "which was so before" if found.share >= needed else "which is too little to explain it"
    rest = f"; {describe(found)}, {too_little}" if found.mismatches else ""
    why = f"the model got what was stored, so what was stored moved{_shift(before, found)}{rest}"
    return FeatureBlame(feature, "upstream", why, effect, found)


def _shift(before: Consistency | None, now: Consistency) -> str:
    """Return how what was stored moved, as far as the middle or the share without a value shows it."""
    if before is None or not before.compared:
        return ""
    if abs(now.nulls - before.nulls) >= _LEAST_SHARE:
        return f": without a value were {before.nulls:.1%} before, and are {now.nulls:.1%}"
    if before.middle is None or now.middle is None or before.middle == now.middle:
        return ""
    return f": in the middle it was {number_text(before.middle)}, and is {number_text(now.middle)}"


def describe(found: Consistency) -> str:
    """Return in words how a feature differs from what was stored."""
    parts = []
    stale = found.counts["stale"]
    if stale:
        late = f", {_duration(found.behind_s)} late in the middle" if found.behind_s is not None else ""
        parts.append(f"{stale} of {found.compared} values are older ones{late}")
    different = found.counts["different"]
    if different and found.change is not None:
        parts.append(f"{different} of {found.compared} values are {found.change.text}")
    elif different:
        parts.append(f"{different} of {found.compared} values differ from what was stored")
    if found.constant is not None:
        constant = found.constant
        text = number_text(constant) if isinstance(constant, float) else repr(constant)
        parts.append(f"all that differ are {text}, as a default would be")
    if found.counts["missing"]:
        parts.append(f"{found.counts['missing']} of {found.compared} values were stored and not logged")
    if found.counts["extra"]:
        parts.append(f"{found.counts['extra']} of {found.compared} values were logged and not stored")
    if found.counts["misread"]:
        parts.append(f"{found.counts['misread']} of {found.compared} values are those of another entity")
    return "; ".join(parts) or "all values are what was stored"


def _why_unknown(feature: str, report: Report) -> str:
    if not report.events:
        return "no prediction of this window is kept"
    if not report.with_provenance:
        return (
            "no prediction says where its features came from; log them with the tags of their "
            "provenance (docs/features.md)"
        )
    if report.unregistered:
        return (
            f"predictions name versions of views that nobody registered: {', '.join(report.unregistered)}; "
            "`driftline features register FILE` does"
        )
    return f"{feature!r} is no feature of a view that these predictions were made from"


def _is_known(report: Report) -> bool:
    return report.with_provenance >= _LEAST_KNOWN * report.events


def _why_partly(report: Report) -> str:
    return (
        f"only {report.with_provenance} of {report.events} predictions say where their features came from; "
        "what these got was stored so"
    )


def _together(
    report: Report, features: Sequence[FeatureBlame], moved: Mapping[str, float], drops: Sequence[str]
) -> tuple[Blame, str]:
    # What moved counts before what merely differs.
    for has_moved in (True, False):
        for blame in ("serving", "upstream", "unknown"):
            chosen = [
                each for each in features if each.blame == blame and (each.effect is not None) == has_moved
            ]
            if chosen:
                more = f" (and {len(chosen) - 1} more)" if len(chosen) > 1 else ""
                return chosen[0].blame, f"{chosen[0].feature}{more}: {chosen[0].why}"
    if VOLUME in moved and len(moved) == 1:
        return "unknown", "the number of predictions moved, which no feature explains"
    if not any(each.compared for each in report.features):
        return "unknown", _why_unknown("", report)
    if not _is_known(report):
        return "unknown", _why_partly(report)
    if moved or drops:
        what = "the answers moved" if moved else f"{', '.join(drops)} got worse"
        return "model", f"{what}, and the features are what was stored and did not move"
    return "none", "every feature is what was stored, none moved, and no metric got worse"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
