"""Pages from templates: everything that is no markup of ours is escaped."""

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
from driftline.web import addresses, period, words
from driftline.web.draw import charts
from driftline.web.views import streams
from driftline.web.views.feature import LAYER_WORDS, missing_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


STYLE = Path(__file__).parent / "templates" / "style.css"
"""The style sheet."""


class Renderer:
    """Renders the package's templates.

    Args:
        clock: the time in seconds since the Unix epoch.
        style_version: part of the style sheet's address.
        interactive: whether a page may offer to show something else; a file that is sent around can't.
        leads_out: whether links to what is not on the page lead anywhere.
        links: label and address of what the foot of each page leads to.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        style_version: str = "",
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
            "at": words.at,
            "iso": words.iso,
            "duration": words.duration,
            "percent": words.percent,
            "points": words.points,
            "number": words.number,
            "count": words.count,
            "finding": words.finding,
            "listing": words.listing,
            "feature_name": words.feature_name,
            "day_hour": words.day_hour,
            "minute": words.day_minute,
            "clock": words.clock,
            "value": words.value,
            "hour": hour_of,
            "age": lambda hour: words.ago(clock() - hour * 3600),
        }
        self._environment.globals |= {
            "words": words,
            "meanings": MEANINGS,
            "out_of_training": OUT_OF_TRAINING,
            "all_days": period.DAYS,
            "default_days": period.DEFAULT_DAYS,
            "layer_words": LAYER_WORDS,
            "statistic_titles": titles_of,
            "model_path": addresses.model_path,
            "explorer_path": addresses.explorer_path,
            "history_path": addresses.history_path,
            "run_path": addresses.run_path,
            "performance_path": addresses.performance_path,
            "incident_path": addresses.incident_path,
            "prediction_path": addresses.prediction_path,
            "runbook_path": addresses.runbook_path,
            "feature_path": streams.stream_feature_path,
            "episode_path": streams.episode_path,
            "legend_cell": charts.cell,
            "missing_words": missing_words,
            "style_version": style_version,
            "interactive": interactive,
            "leads_out": leads_out,
            "links": [*links, ("Metrics", "/metrics"), ("Health", "/healthz")],
            "now": lambda: words.clock(datetime.fromtimestamp(clock(), UTC)),
        }

    def render(self, template: str, **values: object) -> str:
        """Return a page. No name in it turns around what stands beside it."""
        return printable(self._environment.get_template(template).render(values), keep="\n\t")
