"""Pages from templates: everything that is no markup of ours is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2

from driftline.web import addresses, period, words
from driftline.web.draw import charts
from driftline.web.views import models
from driftline.web.views.feature import LAYER_WORDS, missing_words

if TYPE_CHECKING:
    from collections.abc import Callable


class Renderer:
    """Renders the package's templates.

    Args:
        clock: the time in seconds since the Unix epoch.
        style_version: part of the style sheet's address.
    """

    def __init__(self, *, clock: Callable[[], float], style_version: str) -> None:
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
            "age": lambda hour: words.ago(clock() - hour * 3600),
        }
        self._environment.globals |= {
            "words": words,
            "all_days": period.DAYS,
            "default_days": period.DEFAULT_DAYS,
            "layer_words": LAYER_WORDS,
            "model_path": addresses.model_path,
            "feature_path": models.stream_feature_path,
            "episode_path": models.episode_path,
            "legend_cell": charts.cell,
            "missing_words": missing_words,
            "style_version": style_version,
        }

    def render(self, template: str, **values: object) -> str:
        """Return a page."""
        return self._environment.get_template(template).render(values)
