"""The event log: what stands between the SDK and the lander, durable and in order."""

from driftline.log.address import default_log_url, open_log, opened_log
from driftline.log.base import Batch, EventLog, LogReader, LogScan, LogWriter, Record, Run
from driftline.log.local import LocalLog

__all__ = [
    "Batch",
    "EventLog",
    "LocalLog",
    "LogReader",
    "LogScan",
    "LogWriter",
    "Record",
    "Run",
    "default_log_url",
    "open_log",
    "opened_log",
]
