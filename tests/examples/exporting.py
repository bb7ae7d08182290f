"""Exports predictions by OpenTelemetry's own exporter. Runs in an environment that has it.

Run: python exporting.py URL TOKEN
"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

url, token = sys.argv[1:]
resource = Resource.create(
    {
        "driftline.model.name": "flight-delay",
        "driftline.model.version": "3",
        "driftline.training_run.id": "run-7f3a",
    }
)
provider = LoggerProvider(resource=resource)
exporter = OTLPLogExporter(endpoint=url, headers={"Authorization": f"Bearer {token}"})
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = provider.get_logger("service")
for number in range(100):
    attributes = {"driftline.feature.distance": float(number), "driftline.answer": number / 100}
    logger.emit(
        LogRecord(
            event_name="driftline.prediction",
            severity_number=SeverityNumber.INFO,
            timestamp=1_767_225_600_000_000_000 + number,
            attributes=attributes,
        )
    )
provider.shutdown()
