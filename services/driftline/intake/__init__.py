"""A service that takes what others logged, over HTTP, and appends it to the log.

For senders that are not Python, or whose server logs by itself: JSON, CloudEvents of KServe and Seldon, and
OpenTelemetry's logs.
"""

from driftline.intake.app import Intake
from driftline.intake.metrics import INTAKE_METRICS

__all__ = ["INTAKE_METRICS", "Intake"]
