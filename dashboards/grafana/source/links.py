"""Links: among the dashboards, and to driftline's own pages."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DynamicConfigValue

FLEET, MODEL, FEATURE = "driftline-fleet", "driftline-model", "driftline-feature"
PIPELINE, PREDICTIONS = "driftline-pipeline", "driftline-predictions"

_KEPT = "${__url_time_range}&${prometheus:queryparam}&${clickhouse:queryparam}"


def others() -> DashboardLink:
    """Lead to the other dashboards, with what is looked at here."""
    return (
        DashboardLink("driftline")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["driftline"])
        .include_vars(True)
        .keep_time(True)
    )


def own_pages(title: str, path: str) -> DashboardLink:
    """Lead from a dashboard to one of driftline's own pages."""
    return (
        DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("external link")
        .url("${driftline_url}" + path)
        .target_blank(True)
    )


def field(name: str) -> str:
    """Return the value of a row's column, as it may stand in an address."""
    return f'${{__data.fields["{name}"]:percentencode}}'


def variable(name: str) -> str:
    """Return the value of a variable, as it may stand in an address."""
    return f"${{{name}:percentencode}}"


def to_dashboard(title: str, uid: str, **chosen: str) -> dict[str, object]:
    """Return a link from a cell or point to a dashboard, by variable what it is to be there."""
    named = "".join(f"&var-{name}={value}" for name, value in chosen.items())
    return {"title": title, "url": f"/d/{uid}?{_KEPT}{named}"}


def to_page(title: str, path: str) -> dict[str, object]:
    """Return a link from a cell or point to one of driftline's own pages."""
    return {"title": title, "url": "${driftline_url}" + path, "targetBlank": True}


def linked(*links: dict[str, object]) -> DynamicConfigValue:
    """Give a column its links."""
    return DynamicConfigValue(id_val="links", value=list(links))
