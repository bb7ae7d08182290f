"""``driftline calibrate``: what a stream's own past says of the verdicts on it."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import clean_errors, json_option, store_option
from driftline.cli.output import echo, echo_json, echo_table
from driftline.cli.questions import ask_store
from driftline.domain.hours import hour_time
from driftline.domain.streams import REFERENCE
from driftline.drift import DriftSettings, Judge
from driftline.drift.calibrate import HourSpan, calibrate
from driftline.errors import StoreError
from driftline.store.grids import read_grids
from driftline.store.incidents import read_incidents
from driftline.store.ledger import Ledger
from driftline.store.profiles import read_hours, read_streams
from driftline.web.calibration import write_calibration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.calibration import Calibration
    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.profiles import Grid, HourProfile
    from driftline.store.connection import Connection
    from driftline.store.profiles import StreamSpan

_LEAVE_OUT = ("nothing", "real", "incidents")
_CONFIRMS = ("real", "accept")
"""Acknowledgements that confirm an incident."""


@dataclass(frozen=True, slots=True)
class _Past:
    """The stored history of a stream."""

    stream: Stream
    grids: Mapping[str, Grid]
    training: Sequence[HourProfile]
    profiles: Sequence[HourProfile]
    completeness: Mapping[int, float]
    incidents: Sequence[Incident]


@click.command("calibrate")
@store_option
@click.option("--model", "model_name", help="Which model; needed where the store holds several.")
@click.option("--version", "model_version", help="Which version; default: the one with the most predictions.")
@click.option("--environment", default="production", show_default=True, help="Which environment.")
@click.option(
    "--hours",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Judge at most so many of the newest hours.",
)
@click.option(
    "--dates",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Inject shifts at so many dates; each takes about as long as judging 700 hours. 0: none.",
)
@click.option(
    "--learn-weeks",
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help="Only learn from the stream's first weeks.",
)
@click.option(
    "--leave-out",
    type=click.Choice(_LEAVE_OUT),
    default="real",
    show_default=True,
    help="Hours that don't count: those of incidents acknowledged as real or accepted, of all that are "
    "stored, or none.",
)
@click.option(
    "--timezone",
    default="UTC",
    envvar="DRIFTLINE_TIMEZONE",
    show_default=True,
    help="The clock that your traffic follows, as given to watch.",
)
@click.option("--seed", default=1, show_default=True, help="Of what is left to chance in shifts.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this HTML file.")
@json_option
@clean_errors
def calibrate_command(
    store_url: str,
    model_name: str | None,
    model_version: str | None,
    environment: str,
    hours: int,
    dates: int,
    learn_weeks: int,
    leave_out: str,
    timezone: str,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Replay your own stream: how often it would page by itself, and how soon shifts would be found.

    Reads the stored profiles and writes nothing to the store. The stream is judged from its fifth week on
    (--learn-weeks) as if it came in now. At some dates, shifts of known size are made to a copy of it.
    """
    try:
        settings = DriftSettings(timezone=timezone)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    past = ask_store(
        store_url,
        lambda connection: _read_past(connection, (model_name, model_version, environment), settings, hours),
    )
    first = _first_judged(past, learn_weeks, hours)
    found = calibrate(
        Judge(grids=past.grids, training=past.training, settings=settings, identity="calibration"),
        past.profiles,
        settings=settings,
        grids=past.grids,
        first_judged=first,
        dates=dates,
        seed=seed,
        known=_known(past.incidents, leave_out),
        completeness=past.completeness,
        progress=_Progress() if sys.stderr.isatty() else lambda _share: None,
    )
    names = (past.stream.model_name, past.stream.model_version, past.stream.environment)
    if out is not None:
        out.write_text(write_calibration(found, past.stream, clock=time.time), encoding="utf-8")
    if as_json:
        echo_json(as_object(found, names))
    else:
        _tell(found, names)
        if out is not None:
            echo()
            echo(f"drawn into {out}")


class _Progress:
    """A line on the terminal that shows the progress."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, share: float) -> None:
        percent = int(100 * share)
        if percent != self._shown:
            self._shown = percent
            click.echo(f"\rreplaying: {percent} %" + ("\r" if percent >= 100 else ""), nl=False, err=True)


def _read_past(
    connection: Connection, wanted: tuple[str | None, str | None, str], settings: DriftSettings, hours: int
) -> _Past:
    spans = read_streams(connection)
    span = _choose(spans, *wanted)
    stream = span.stream
    history = settings.history_hours + 2 * settings.longest_scale_hours
    first_hour = max(span.first_hour, span.last_hour - hours - history)
    # The newest hour may not have closed yet.
    profiles = _read(connection, stream, first_hour, span.last_hour)
    reference = [each for each in spans if each.stream == stream._replace(environment=REFERENCE)]
    missing = Ledger(connection).missing(stream, since_hour=first_hour)
    return _Past(
        stream=stream,
        grids=read_grids(connection, stream.model_name),
        training=[
            profile
            for each in reference
            for profile in _read(connection, each.stream, each.first_hour, each.last_hour + 1)
        ],
        profiles=profiles,
        completeness={
            profile.hour: profile.rows / (profile.rows + missing[profile.hour])
            for profile in profiles
            if missing.get(profile.hour, 0.0) > 0
        },
        incidents=read_incidents(connection, stream=stream),
    )


def _read(connection: Connection, stream: Stream, first_hour: int, end_hour: int) -> Sequence[HourProfile]:
    read = read_hours(connection, stream, first_hour=first_hour, end_hour=end_hour)
    if read.end_hour < end_hour:
        raise StoreError(
            f"the profiles of {stream} at {hour_time(read.end_hour):%Y-%m-%d %H:%M} are being written; "
            "try again in a moment"
        )
    return read.profiles


def _choose(
    spans: Sequence[StreamSpan], model_name: str | None, model_version: str | None, environment: str
) -> StreamSpan:
    fitting = [
        span
        for span in spans
        if span.stream.environment == environment
        and model_name in (None, span.stream.model_name)
        and model_version in (None, span.stream.model_version)
    ]
    if not fitting:
        raise click.UsageError(
            f"the store holds no predictions of {model_name or 'any model'}, "
            f"version {model_version or 'any'}, in {environment}"
        )
    models = sorted({span.stream.model_name for span in fitting})
    if len(models) > 1:
        raise click.UsageError(f"the store holds several models; choose one by --model: {', '.join(models)}")
    return max(fitting, key=lambda span: span.rows)


def _first_judged(past: _Past, learn_weeks: int, hours: int) -> int:
    """Return the first hour to judge: after what is learned from, and at most so many before the end."""
    if not past.profiles:
        raise click.ClickException("the stream has no hour that has closed")
    learned = past.profiles[0].hour + learn_weeks * 168
    last = past.profiles[-1].hour
    if learned > last:
        days = (last + 1 - past.profiles[0].hour) / 24
        raise click.ClickException(
            f"the stream is {days:.0f} days old, and the first {learn_weeks * 7} are only learned from; "
            "wait, or give --learn-weeks"
        )
    return max(learned, last + 1 - hours)


def _known(incidents: Sequence[Incident], leave_out: str) -> Sequence[HourSpan]:
    """Return the hours of stored incidents that are no false ones."""
    if leave_out == "nothing":
        return []
    return [
        HourSpan(incident.since, incident.last)
        for incident in incidents
        if incident.state != "withdrawn" and (leave_out == "incidents" or incident.acknowledged in _CONFIRMS)
    ]


def as_object(found: Calibration, names: tuple[str, str, str]) -> dict[str, Any]:
    """Return a calibration as JSON can hold it."""
    return {
        **dict(zip(("model_name", "model_version", "environment"), names, strict=True)),
        "first_hour": hour_time(found.first_hour),
        "end_hour": hour_time(found.end_hour),
        "page_budget_hours": found.budget_hours,
        "model": _pages_object(found.model),
        "features": [_pages_object(feature) for feature in found.features],
        "dates": [hour_time(date) for date in found.dates],
        "delays": [
            {
                "feature": each.feature.name,
                "kind": each.feature.kind,
                "shift": each.shift,
                "hours": list(each.hours),
                "median_hours": each.quantile(0.5),
                "p90_hours": each.quantile(0.9),
                "not_found": each.missed,
                "dates": len(each.hours),
            }
            for each in found.delays
        ],
    }


def _pages_object(pages: Any) -> dict[str, Any]:
    rate = pages.per_1000_hours
    return dataclasses.asdict(pages) | {"per_1000_hours": None if math.isnan(rate) else rate}


def _tell(found: Calibration, names: tuple[str, str, str]) -> None:
    model, span = (
        found.model,
        f"{hour_time(found.first_hour):%Y-%m-%d} to {hour_time(found.end_hour):%Y-%m-%d}",
    )
    echo(f"{names[0]} version {names[1]}, {names[2]}: {model.hours} hours judged, {span}", bold=True)
    promised = model.hours / found.budget_hours
    echo(
        f"pages by themselves: {model.pages} where the budget allows {promised:.1f}"
        + (f"; {model.known} more over hours that were left out" if model.known else "")
    )
    paging = [feature for feature in found.features if feature.pages]
    if paging:
        echo_table(
            [
                {"feature": each.name, "pages": each.pages, "per 1000 hours": each.per_1000_hours}
                for each in sorted(paging, key=lambda each: -each.pages)
            ],
            ["feature", "pages", "per 1000 hours"],
        )
    echo()
    if not found.dates:
        echo("no shifts were injected: they need a date with a week behind it, see --dates")
        return
    echo(f"hours until a shift pages, at {len(found.dates)} dates", bold=True)
    echo_table(
        [
            {
                "feature": each.feature.name,
                "shift": each.shift,
                "median": _hours(each.quantile(0.5), each.hours),
                "90 %": _hours(each.quantile(0.9), each.hours),
                "not found": f"{each.missed} of {len(each.hours)}",
            }
            for each in found.delays
        ],
        ["feature", "shift", "median", "90 %", "not found"],
    )
    if any(len(each.hours) < each.dates for each in found.delays):
        echo("dates at which a feature paged by itself are left out")


def _hours(delay: int | None, tried: Sequence[int | None]) -> str:
    if not tried:
        return "-"
    return "not in a week" if delay is None else f"{delay} h"
