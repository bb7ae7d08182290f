"""A runtime of MLServer, with one line of driftline: ``mlserver start .`` in this folder.

Without parallel workers: those of MLServer 1.7.1 do not start with today's uvloop.
"""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from driftline import PredictionLogger, request_context, wrap


class Delay:
    """A model as any other; one of scikit-learn, of mlserver-sklearn's runtime, is wrapped just so."""

    feature_names_in_ = ("distance", "departure_hour")

    def predict(self, flights: np.ndarray) -> np.ndarray:
        """Return the minutes that each flight is late."""
        return flights @ np.array([0.01, 0.5])


class LoggedRuntime(MLModel):
    """Loads a model, wraps it, and answers as MLServer asks for."""

    async def load(self) -> bool:
        """Load the model; in each worker its logger has a session of its own."""
        names = {"model_name": self.name, "model_version": self.version, "training_run_id": "run-7f3a"}
        self._model = wrap(Delay(), logger=PredictionLogger(**names))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a request, whose id is logged with each prediction."""
        flights = NumpyCodec.decode_input(payload.inputs[0])
        with request_context(request_id=payload.id):
            answer = self._model.predict(flights)
        outputs = [NumpyCodec.encode_output("late", answer)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)

    async def unload(self) -> bool:
        """Have everything logged that was answered."""
        self._model.driftline_logger.close()
        return True
