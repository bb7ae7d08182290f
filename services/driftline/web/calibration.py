"""A calibration as one self-contained HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from driftline.domain.hours import hour_time
from driftline.web.draw.calibration import delays_of, false_pages
from driftline.web.render import STYLE, Renderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.domain.calibration import Calibration
    from driftline.domain.streams import Stream


def write_calibration(found: Calibration, stream: Stream, *, clock: Callable[[], float]) -> str:
    """Return the page as HTML.

    Args:
        found: the result of replaying the stream's past.
        stream: whose past was replayed.
        clock: the time in seconds since the Unix epoch.
    """
    shifts = dict.fromkeys((each.feature.kind, each.shift) for each in found.delays)
    return Renderer(clock=clock, interactive=False, leads_out=False).render(
        "calibration.html",
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704  the package's own style sheet
        found=found,
        stream=stream,
        first=hour_time(found.first_hour),
        end=hour_time(found.end_hour),
        dates=[hour_time(date) for date in found.dates],
        without=sum(feature.pages == 0 for feature in found.features),
        false_pages=false_pages(found),
        shifts=[
            (
                shift,
                "numbers" if kind == "numeric" else "categories",
                delays_of(
                    [each for each in found.delays if (each.feature.kind, each.shift) == (kind, shift)]
                ),
            )
            for kind, shift in shifts
        ],
    )
