"""The README's code runs as it stands."""

import re
from pathlib import Path

import pytest

from driftline.log import open_log
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, TOPICS, TRAINING_RUNS_TOPIC

ROOT = Path(__file__).parents[1]


def test_the_examples_log_a_prediction_an_outcome_and_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "log").as_uri())
    names: dict[str, object] = {"features": {"distance": [733.0], "carrier": ["UA"]}, "scores": [0.81]}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    for block in blocks:
        exec(block, names)
    names["logger"].close()  # type: ignore[attr-defined]  # PredictionLogger
    with open_log((tmp_path / "log").as_uri()) as log:
        reader = log.reader("test", TOPICS)
        found = {
            topic: reader.fetch(topic) for topic in (PREDICTIONS_TOPIC, OUTCOMES_TOPIC, TRAINING_RUNS_TOPIC)
        }
        reader.close()
    assert {topic: len(batch.values) for topic, batch in found.items() if batch} == {
        PREDICTIONS_TOPIC: 2,
        OUTCOMES_TOPIC: 1,
        TRAINING_RUNS_TOPIC: 1,
    }


def test_every_file_that_the_readme_points_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
