"""The tables of panels in the documentation; ``python -m dashboards.grafana.source`` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BEGIN = "The text is each panel's own description.\n"


def document(text: str, dashboards: Sequence[Mapping[str, Any]]) -> str:
    """Return a page with the tables of panels as they are; the text before them stays.

    Args:
        text: the page.
        dashboards: as JSON, in their order on the page.
    """
    kept, begin, _ = text.partition(BEGIN)
    return kept + begin + "".join(line for dashboard in dashboards for line in _lines(dashboard))


def _lines(dashboard: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {dashboard['title'].partition(' / ')[2]}\n\n| panel | queries | shows |\n|---|---|---|\n"
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            queried = "the store" if "rawSql" in panel["targets"][0] else "Prometheus"
            yield f"| {panel['title']} | {queried} | {panel['description']} |\n"
