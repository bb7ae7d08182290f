"""Metrics as data: each service has one table of them, from which they are made, documented and tested."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a service.

    Args:
        name: as Prometheus sees it, unit last.
        kind: counter or gauge.
        labels: their names.
        help: what it says.
        alerts: names of the alerts whose rules ask for it; empty: nobody is called because of it.
    """

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    help: str
    alerts: tuple[str, ...] = ()


BUILD = "driftline_build_info"

COMMON_METRICS = (
    Metric(
        BUILD,
        "gauge",
        ("version",),
        "1, with the version of driftline that runs. While it is there, the service answers.",
    ),
)
"""What every service exports."""


class Metrics(Collector):
    """The live metrics of one process, the common ones among them. Safe to use from several threads.

    Args:
        tables: of the services that run in it.
    """

    def __init__(self, *tables: Sequence[Metric]) -> None:
        self._lock = threading.Lock()
        self._table = {metric.name: metric for table in (COMMON_METRICS, *tables) for metric in table}
        self._series: dict[str, dict[tuple[str, ...], float]] = {
            name: {} if metric.labels else {(): 0.0} for name, metric in self._table.items()
        }
        self.set(BUILD, 1.0, version=version("driftline"))
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = self._key(name, labels)
        with self._lock:
            self._series[name][key] = self._series[name].get(key, 0.0) + amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set one series of a gauge."""
        key = self._key(name, labels)
        with self._lock:
            self._series[name][key] = value

    def replace(self, name: str, series: Mapping[tuple[str, ...], float]) -> None:
        """Set a gauge's series, by label values in the table's order; others are exported no more."""
        with self._lock:
            self._series[name] = dict(series)

    def series(self, name: str) -> Mapping[tuple[str, ...], float]:
        """Return a metric's series as they are now, by label values in the table's order."""
        with self._lock:
            return dict(self._series[name])

    def expose(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self._registry)

    def app(self) -> ASGIApp:
        """Return an application that serves them at ``/metrics`` and nothing else."""
        return Starlette(routes=[Route("/metrics", self._answer)])

    async def _answer(self, request: Request) -> Response:
        del request
        return Response(self.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Yield every metric with its series, as they are at one moment."""
        with self._lock:
            snapshot = {name: dict(series) for name, series in self._series.items()}
        for name, metric in self._table.items():
            family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            exported = family(name, metric.help, labels=metric.labels)
            for values, number in snapshot[name].items():
                exported.add_metric(list(values), number)
            yield exported

    def _key(self, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(labels[label] for label in self._table[name].labels)
