"""A process that runs a pipeline is killed while the model trains; run again, it goes on and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from driftline import register_training_run
from driftline.log import open_log
from driftline.registry.client import Registry
from tests.lifecycle.traffic import serve
from tests.support.landing import Landing
from tests.support.running import Place, wait_until
from tests.support.training import WAIVED

MODEL = "killed"
TRAIN = """
import os, pathlib, time
work = pathlib.Path(os.environ["DRIFTLINE_WORK"])
began = pathlib.Path("began")
is_first = not began.exists()
began.open("a").write("began\\n")
if is_first:
    time.sleep(600)
(work / "model").write_text("a model")
"""
FILE = """
version: 1
model: killed
snapshots: sets
data: {{window: 520w, maturity: 1h}}
train: {{command: "{python} train.py", score: "true -x"}}
promote: never
"""


@pytest.fixture
def place(tmp_path):
    """A store in which a model served an hour ago, that nobody owns; nothing is in production."""
    place = Place(tmp_path)
    landing = Landing(place)
    serve(landing, MODEL, range(200))
    register_training_run("run-1", model_name=MODEL, model_version="1", log=landing.log, waive=WAIVED)
    landing.land()
    for table in ("predictions", "outcomes"):
        earlier = f"ALTER TABLE {table} UPDATE landed_at = landed_at - INTERVAL 1 HOUR WHERE 1"
        landing.client.command(earlier, settings={"mutations_sync": 2})
    landing.close()
    (tmp_path / "train.py").write_text(TRAIN)
    score = "import os; open(os.environ['DRIFTLINE_SCORES'], 'w').write('event_id,prediction')"
    (tmp_path / "score.py").write_text(score)
    text = FILE.format(python=sys.executable).replace("true -x", f"{sys.executable} score.py")
    (tmp_path / "driftline.yaml").write_text(text)
    return place


def start(place):
    line = [sys.executable, "-m", "driftline.cli", "pipeline", "run", str(place.folder / "driftline.yaml")]
    line += ["--log", place.log_url, "--store", place.store_url, "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, **pipes, text=True, start_new_session=True)


def test_killed_while_it_trains_the_run_goes_on_in_the_next_process(place):
    first = start(place)
    wait_until(lambda: Path(place.folder / "began").exists() or first.poll() is not None, what="training")
    assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    try:
        second = start(place)
        output, errors = second.communicate(timeout=90)
    finally:
        os.killpg(first.pid, signal.SIGKILL)  # What it had started trains on, into a folder of its own.
    assert second.returncode == 0, output + errors
    result = json.loads(output)
    assert (result["state"], result["number"], result["step"]) == ("done", 1, "promote")
    assert (place.folder / "began").read_text() == "began\n" * 2
    with open_log(place.log_url) as log:
        registry = Registry(log)
        state = registry.model(MODEL)
        registry.close()
    made = [version for version in state.versions.values() if version.training_run_id == result["run_id"]]
    assert [version.name for version in made] == ["2"]
