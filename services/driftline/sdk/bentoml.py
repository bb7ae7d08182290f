"""A monitor for BentoML: what a service monitors there is logged here. BentoML is not imported."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from driftline.sdk.logger import PredictionLogger

_FEATURE: Final = "feature"
_PREDICTION: Final = "prediction"
_TARGET: Final = "target"
_NUMERICAL: Final = "numerical"

_columns: ContextVar[dict[tuple[str, str, str], list[Any]] | None] = ContextVar(
    "driftline_bentoml_columns", default=None
)


class DriftlineMonitor:
    """Logs each record of ``bentoml.monitor`` as a prediction. Never raises on its own account.

    ``monitoring: {type: driftline.sdk.bentoml.DriftlineMonitor, options: {...}}`` in BentoML's configuration.
    Columns of the role ``feature`` are features. Of the role ``prediction`` a numerical column is the number
    and a categorical one the label. Of the role ``target`` the value is logged as the outcome.

    Args:
        name: of the monitor.
        model_name: default: the monitor's name.
        options: of ``PredictionLogger``.

    Raises:
        SettingError: (a ValueError) as ``PredictionLogger``.
    """

    def __init__(self, name: str, *, model_name: str = "", **options: Any) -> None:
        self.name = name
        self.logger = PredictionLogger(model_name=model_name or name, **options)

    def start_record(self) -> None:
        """Begin a record."""
        _columns.set({})

    def log(self, data: Any, name: str, role: str, data_type: str) -> None:
        """Add a value to a column of the record."""
        self.log_batch([data], name, role, data_type)

    def log_batch(self, data_batch: Any, name: str, role: str, data_type: str) -> None:
        """Add values to a column of the record."""
        columns = _columns.get()
        if columns is not None:
            columns.setdefault((name, role, data_type), []).extend(data_batch)

    def stop_record(self) -> None:
        """Log the record's rows."""
        columns = _columns.get() or {}
        _columns.set(None)
        for row in range(max(map(len, columns.values()), default=0)):
            self._log({key: values[row] for key, values in columns.items() if row < len(values)})

    def _log(self, row: dict[tuple[str, str, str], Any]) -> None:
        features = {name: value for (name, role, _), value in row.items() if role == _FEATURE}
        answers = {kind: value for (_, role, kind), value in row.items() if role == _PREDICTION}
        number = answers.pop(_NUMERICAL, None)
        event_id = self.logger.log(features, number, label=next(iter(answers.values()), None))
        for (_, role, _), value in row.items():
            if role == _TARGET and event_id is not None:
                self.logger.log_outcome(event_id, value)
