"""An inference service as any other: it answers, and driftline logs what it answered.

``uvicorn app:app``. Where the log is says ``DRIFTLINE_LOG``, where the model ``MODEL_PATH``.
"""

import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import joblib
from fastapi import FastAPI, Header, Request
from model import FEATURES, HIGH, MODEL_NAME, MODEL_VERSION
from pydantic import BaseModel, Field

from driftline import PredictionLogger

_trace_of = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


class Patient(BaseModel):
    """What is known of a patient; what was not measured is null."""

    age: float | None
    sex: str | None
    bmi: float | None
    blood_pressure: float | None = Field(description="Mean arterial pressure, mmHg.")
    total_cholesterol: float | None
    ldl: float | None
    hdl: float | None
    cholesterol_ratio: float | None
    log_triglycerides: float | None
    glucose: float | None
    patient_id: str = ""
    clinic: str = "unknown"
    seen_at: datetime | None = Field(None, description="When the patient was seen; default: now.")


class Questions(BaseModel):
    """Patients to predict for."""

    patients: list[Patient] = Field(min_length=1, max_length=1000)


class Answer(BaseModel):
    """What the model says of a patient, and under which id that was logged."""

    progression: float
    risk: str
    event_id: str | None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model; at the end, have everything logged that was answered."""
    app.state.model = joblib.load(os.environ.get("MODEL_PATH", "model.joblib"))
    app.state.logger = PredictionLogger(
        model_name=MODEL_NAME,
        model_version=MODEL_VERSION,
        training_run_id=app.state.model.training_run_id,
    )
    yield
    app.state.logger.close(timeout=10.0)


app = FastAPI(title="Progression of diabetes", lifespan=_lifespan)


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the service answers."""
    return {"status": "ok"}


@app.post("/predict")
def predict(
    questions: Questions, request: Request, traceparent: Annotated[str, Header()] = ""
) -> list[Answer]:
    """Predict for each patient. The trace that the request belongs to is logged with each prediction."""
    begun = time.perf_counter()
    rows = [patient.model_dump(include=set(FEATURES)) for patient in questions.patients]
    progressions = request.app.state.model.predict(rows)
    compute_us = (time.perf_counter() - begun) * 1e6 / len(rows)
    trace = _trace_of(traceparent)
    answers = []
    for patient, row, progression in zip(questions.patients, rows, progressions, strict=True):
        risk = "high" if progression >= HIGH else "low"
        event_id = request.app.state.logger.log(
            features=row,
            prediction=progression,
            label=risk,
            entity_id=patient.patient_id or None,
            trace_id=trace["trace"] if trace else None,
            tags={"clinic": patient.clinic},
            event_time=patient.seen_at,
            compute_us=compute_us,
        )
        answers.append(Answer(progression=progression, risk=risk, event_id=event_id))
    return answers
