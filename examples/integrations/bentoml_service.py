"""BentoML: what a service monitors is logged by driftline. ``bentoml serve bentoml_service:Delays``.

The monitor's class may stand in BentoML's configuration (``monitoring: type``), and then nothing of it here.
"""

import bentoml
import numpy as np
from sklearn.linear_model import LinearRegression

FEATURES = ("distance", "departure_hour", "wind")

MONITOR = {
    "monitor_class": "driftline.sdk.bentoml.DriftlineMonitor",
    "monitor_options": {"model_version": "3", "training_run_id": "run-7f3a"},
}


@bentoml.service
class Delays:
    """Says how late flights are."""

    def __init__(self) -> None:
        flights = np.random.default_rng(0).uniform(0, 20, (100, len(FEATURES)))
        self._model = LinearRegression().fit(flights, flights @ [0.01, 0.5, 0.1])

    @bentoml.api
    def predict(self, flights: list[list[float]]) -> list[float]:
        """Return how many minutes each flight is late."""
        late = self._model.predict(np.array(flights))
        with bentoml.monitor("flight-delay", **MONITOR) as monitor:
            for name, values in zip(FEATURES, zip(*flights, strict=True), strict=True):
                monitor.log_batch(values, name, "feature", "numerical")
            monitor.log_batch(late.tolist(), "late", "prediction", "numerical")
        return late.tolist()
