"""Every metric that some service of driftline exports."""

from __future__ import annotations

from driftline.audit import SEALER_METRICS
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.features.metrics import FEATURE_METRICS
from driftline.intake import INTAKE_METRICS
from driftline.lander import LANDER_METRICS
from driftline.lifecycle.metrics import RETRAIN_METRICS
from driftline.metrics import COMMON_METRICS
from driftline.mlflow.metrics import MLFLOW_METRICS
from driftline.profiling import PROFILER_METRICS
from driftline.web import WEB_METRICS

ALL_METRICS = (
    *COMMON_METRICS,
    *LANDER_METRICS,
    *PROFILER_METRICS,
    *SEALER_METRICS,
    *WORKER_METRICS,
    *WEB_METRICS,
    *MLFLOW_METRICS,
    *INTAKE_METRICS,
    *FEATURE_METRICS,
    *RETRAIN_METRICS,
)
