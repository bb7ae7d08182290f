"""Flask, with two lines of driftline: ``gunicorn flask_service:app``."""

import pandas as pd
from flask import Flask, request
from flights import FEATURES, NAMES, train

from driftline import DriftlineWSGIMiddleware, PredictionLogger, wrap

model = wrap(train(), logger=PredictionLogger(**NAMES))
app = Flask(__name__)
app.wsgi_app = DriftlineWSGIMiddleware(app.wsgi_app)


@app.post("/predict")
def predict() -> list[float]:
    """Return how likely each flight is late."""
    late = model.predict_proba(pd.DataFrame(request.get_json(), columns=FEATURES))[:, 0]
    return late.tolist()
