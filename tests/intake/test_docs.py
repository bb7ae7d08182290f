"""What the pages show is taken as they say, and the versions are those that the tests run."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.integrations import BENTOML, FRAMEWORKS, MLSERVER

DOCS = Path(__file__).parents[2] / "docs"
NAMES = {"flask": "Flask", "fastapi": "FastAPI", "litestar": "Litestar", "lightgbm": "LightGBM"}
OWN = {"xgboost-cpu": "XGBoost", "bentoml": "BentoML", "mlserver": "MLServer", "scikit-learn": "scikit-learn"}
EXPORTER = {"opentelemetry-exporter-otlp-proto-http": "OpenTelemetry's exporter of logs"}


def test_the_batch_that_the_page_shows_is_taken_and_answered_so(client):
    text = (DOCS / "intake.md").read_text()
    body = json.loads(re.search(r"-d '(\{.*?\n\})'", text, re.DOTALL)[1])
    shown = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
    answer = client.post("/v1/events", json=body, headers={"Idempotency-Key": "night"}).json()
    assert answer.keys() == shown.keys()
    assert {name: answer[name] for name in ("accepted", "refused", "left_out")} == {
        name: shown[name] for name in ("accepted", "refused", "left_out")
    }


def test_the_versions_of_the_page_are_those_that_were_run():
    text = (DOCS / "integrations.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    shown = {row[0].removeprefix("| ").partition(",")[0]: row[1] for row in rows}
    pinned = dict(pin.split("==") for pin in (*FRAMEWORKS, *BENTOML, *MLSERVER))
    for package, name in {**NAMES, **OWN, **EXPORTER}.items():
        assert shown[name] == pinned[package], name
