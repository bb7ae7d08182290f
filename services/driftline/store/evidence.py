"""What stands behind an incident, and by part of the traffic. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.domain.names import JOINT
from driftline.domain.verdicts import VerdictName
from driftline.store.hours import STREAM, stream_parameters
from driftline.store.judged import END_HOUR, ENDS, FINAL
from driftline.store.moved import MOVED, SURE, Moved, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.channels import Channel
    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.domain.verdicts import Feature
    from driftline.store.connection import Connection


# The first page verdict of a feature has no more evidence than its surest one, so that one is shown.
_SUREST = f"""
SELECT toString(segment), toString(feature), toString(kind), toString(reference),
    argMax(
        (effect_low, effect_high, z, critical, reference_size, completeness, scale_hours, {END_HOUR}, drivers,
            {MOVED}),
        ({SURE}, window_end))
FROM verdict_records FINAL
WHERE {STREAM} AND verdict = 'page' AND {ENDS}
    AND segment IN {{segments:Array(String)}} AND feature IN {{features:Array(String)}}
GROUP BY segment, feature, kind, reference
"""

_PARTS = f"""
SELECT toString(segment), scale_hours, toString(verdict), effect_low, effect_high, {MOVED}
FROM verdict_records FINAL
WHERE {STREAM} AND segment != '' AND reference = 'production'
    AND feature = {{feature:String}} AND kind = {{kind:String}}
    AND window_end = toDateTime({{end:UInt32}} * 3600, 'UTC')
"""

_JOINT = f"""
SELECT {MOVED} FROM verdict_records FINAL
WHERE {STREAM} AND segment = '' AND reference = 'production' AND feature = '{JOINT}'
    AND verdict IN ('page', 'warn') AND {ENDS}
ORDER BY if(isNaN(z), 0, z) DESC, window_end DESC LIMIT 1
"""


EvidenceKey = tuple[str, str, str, str]
"""Segment, feature, kind and reference."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The surest window of a finding: how sure it is, on how much, and where it comes from.

    Args:
        effect_low: lower end of the 95 % interval of the effect; None: there is none.
        effect_high: its upper end.
        z: the evidence; None: it needs no test.
        critical: what the evidence had to exceed.
        sample_size: events of the window.
        reference_size: events that it was compared with.
        completeness: the share of the window's events that arrived.
        scale_hours: length of the window.
        first: its first hour.
        end: the hour behind it.
        drivers: which share of the effect each part of the traffic makes.
        reason: the verdict's own sentence.
    """

    effect_low: float | None
    effect_high: float | None
    z: float | None
    critical: float | None
    sample_size: int
    reference_size: int
    completeness: float
    scale_hours: int
    first: int
    end: int
    drivers: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class PartVerdict:
    """What the newest windows say of a feature in one part of the traffic: the gravest, of the longest."""

    segment: str
    scale_hours: int
    verdict: str
    channel: Channel | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    expected: float
    observed: float
    sample_size: int
    reason: str


def read_evidence(connection: Connection, incident: Incident) -> Mapping[EvidenceKey, Evidence]:
    """Return the evidence of an incident by segment, feature, kind and reference, unless it aged out."""
    bound = {
        **stream_parameters(incident.stream),
        "first": incident.since,
        "end": incident.last,
        "segments": sorted({finding.segment for finding in incident.findings}),
        "features": sorted({finding.feature for finding in incident.findings}),
    }
    rows = connection.rows(_SUREST, parameters=bound, settings=FINAL)
    return {(row[0], row[1], row[2], row[3]): _evidence(row[4]) for row in rows}


def read_parts(connection: Connection, stream: Stream, feature: Feature, end: int) -> Sequence[PartVerdict]:
    """Return what windows that ended at an hour say of a feature by part of the traffic, gravest first."""
    bound = {**stream_parameters(stream), "feature": feature.name, "kind": feature.kind, "end": end}
    rows = connection.rows(_PARTS, parameters=bound, settings=FINAL)
    found: dict[str, PartVerdict] = {}
    for segment, scale, verdict, low, high, *columns in rows:
        moved = Moved(*columns)
        each = PartVerdict(
            segment,
            scale,
            verdict,
            moved.channel,
            moved.effect,
            number(low),
            number(high),
            moved.expected or 0.0,
            moved.observed or 0.0,
            moved.sample_size,
            moved.text,
        )
        known = found.get(segment)
        if known is None or _order(each) < _order(known):
            found[segment] = each
    return sorted(found.values(), key=lambda each: (*_order(each)[:1], -abs(each.effect or 0), each.segment))


def read_joint_reason(connection: Connection, incident: Incident) -> str:
    """Return what the joint check reported at the time of an incident; empty: nothing that changed."""
    bound = {**stream_parameters(incident.stream), "first": incident.since, "end": incident.last}
    rows = connection.rows(_JOINT, parameters=bound, settings=FINAL)
    return Moved(*rows[0]).text if rows else ""


def _evidence(row: Sequence[Any]) -> Evidence:
    low, high, z, critical, reference_size, completeness, scale_hours, end, drivers, *columns = row
    moved = Moved(*columns)
    return Evidence(
        number(low),
        number(high),
        number(z),
        number(critical),
        moved.sample_size,
        reference_size,
        completeness,
        scale_hours,
        end - scale_hours,
        end,
        drivers,
        moved.text,
    )


def _order(each: PartVerdict) -> tuple[int, int]:
    return -VerdictName(each.verdict).severity, -each.scale_hours
