"""What is exported of the newest verdicts."""

from driftline.domain.streams import Stream
from driftline.domain.verdicts import VerdictName
from driftline.drift.service.export import export_verdicts
from driftline.drift.service.metrics import VERDICT, WORKER_METRICS
from driftline.drift.verdict import Verdict
from driftline.metrics import Metrics

STREAM = Stream("m", "1", "production")


def verdict(name, scale_hours):
    return Verdict(
        feature="amount",
        kind="numeric",
        reference="production",
        scale_hours=scale_hours,
        window_start=100 - scale_hours,
        window_end=100,
        verdict=VerdictName(name),
    )


def test_a_quiet_night_looks_as_on_the_pages_where_a_longer_window_was_judged():
    metrics = Metrics(WORKER_METRICS)
    export_verdicts(metrics, {STREAM: [verdict("insufficient_data", 1), verdict("ok", 24)]})
    assert {key[-1]: told for key, told in metrics._series[VERDICT].items()} == {
        "ok": 1,
        "warn": 0,
        "page": 0,
    }
