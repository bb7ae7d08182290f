"""Pages from templates: everything but their own markup is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from driftline.domain.hours import hour_of
from driftline.domain.incidents import MEANINGS
from driftline.domain.statistics import titles_of
from driftline.printable import printable
from driftline.store.rules import OUT_OF_TRAINING
from driftline.web import addresses, formatting, period
from driftline.web.draw import charts
from driftline.web.draw.svg import element
from driftline.web.views import streams
from driftline.web.views.feature import LAYER_LABELS, missing_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup


STYLE = Path(__file__).parent / "templates" / "style.css"
"""The style sheet."""

SCRIPT = STYLE.with_name("page.js")
"""What a page gains from scripts."""


def _time(time: datetime, text: str) -> Markup:
    """Return a time as an element, which a script may show in the reader's time zone."""
    return element("time", text, datetime=f"{time:%Y-%m-%dT%H:%M:%S}Z")


class Renderer:
    """Renders the package's templates.

    Args:
        clock: the time in seconds since the Unix epoch.
        style_version: part of the style sheet's address.
        script_version: part of the script's address.
        interactive: whether a page may offer to show something else; a file that is sent around can't.
        leads_out: whether links to other pages lead anywhere.
        links: label and address of each link at the foot of a page.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        style_version: str = "",
        script_version: str = "",
        interactive: bool = True,
        leads_out: bool = True,
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("driftline.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "at": formatting.at,
            "iso": formatting.iso,
            "duration": formatting.duration,
            "percent": formatting.percent,
            "age_of": formatting.age_of,
            "points": formatting.points,
            "number": formatting.number,
            "count": formatting.count,
            "finding": formatting.finding,
            "listing": formatting.listing,
            "milliseconds": formatting.milliseconds,
            "feature_name": formatting.feature_name,
            "day_hour": formatting.day_hour,
            "minute": lambda time: _time(time, formatting.day_minute(time)),
            "clock": lambda time, short=False: _time(
                time, formatting.clock(time) + ("" if short else " UTC")
            ),
            "value": formatting.value,
            "hour": hour_of,
            "age": lambda hour: formatting.ago(clock() - hour * 3600),
        }
        self._environment.globals |= {
            **{name: each for name, each in vars(addresses).items() if isinstance(each, addresses.Address)},
            "formatting": formatting,
            "meanings": MEANINGS,
            "out_of_training": OUT_OF_TRAINING,
            "all_days": period.DAYS,
            "default_days": period.DEFAULT_DAYS,
            "layer_labels": LAYER_LABELS,
            "statistic_titles": titles_of,
            "feature_path": streams.stream_feature_path,
            "episode_path": streams.episode_path,
            "legend_cell": charts.cell,
            "missing_text": missing_text,
            "style_version": style_version,
            "script_version": script_version,
            "refresh_s": 0,
            "interactive": interactive,
            "leads_out": leads_out,
            "links": [*links, ("Metrics", "/metrics"), ("Health", "/healthz")],
            "now": lambda: formatting.clock(datetime.fromtimestamp(clock(), UTC)),
        }

    def render(self, template: str, **values: object) -> str:
        """Return a page. No name in it changes the direction of the text around it."""
        return printable(self._environment.get_template(template).render(values), keep="\n\t")
