"""The data sources that the dashboards ask, as Grafana's API takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.store.url import ServerUrl, parse_store_url

if TYPE_CHECKING:
    from collections.abc import Mapping

PROMETHEUS_UID = "driftline-prometheus"
CLICKHOUSE_UID = "driftline-clickhouse"
_SCRAPE_INTERVAL = "15s"


def prometheus_source(url: str) -> Mapping[str, Any]:
    """Return the data source of a Prometheus, by its address as Grafana sees it."""
    if not url.startswith(("http://", "https://")):
        raise SettingError(f"Prometheus' address {url!r} is no http://host:9090")
    return {
        "uid": PROMETHEUS_UID,
        "name": PROMETHEUS_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": url,
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": _SCRAPE_INTERVAL,
            "prometheusType": "Prometheus",
        },
    }


def clickhouse_source(url: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the data source of a store, by its URL as Grafana sees it.

    Args:
        url: ``clickhouse://user@host:8123/driftline``; ``clickhouses://`` for TLS.
        environ: the password is where every command finds a store's.

    Raises:
        SettingError: the URL is no server's, or the password can't be read.
    """
    server = parse_store_url(url, environ)
    if not isinstance(server, ServerUrl):
        raise SettingError("Grafana can't ask an embedded store; name a ClickHouse server: clickhouse://...")
    return {
        "uid": CLICKHOUSE_UID,
        "name": CLICKHOUSE_UID,
        "type": "grafana-clickhouse-datasource",
        "access": "proxy",
        "jsonData": {
            "host": server.host,
            "port": server.port,
            "protocol": "http",
            "secure": server.secure,
            "defaultDatabase": server.database,
            "username": server.user,
        },
        "secureJsonData": {"password": server.password},
    }


def is_current(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a data source in Grafana is as wanted, as far as Grafana shows it: not its secrets.

    One with a secret never is: it may be another one by now.
    """
    if any(wanted.get("secureJsonData", {}).values()):
        return False
    options = known.get("jsonData") or {}
    plain = [name for name in wanted if name not in {"jsonData", "secureJsonData"}]
    return all(known.get(name) == wanted[name] for name in plain) and all(
        options.get(name) == value for name, value in wanted["jsonData"].items()
    )
