"""A runbook says what can be done: each command and each query that it names runs."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.embedded import open_store
from driftline.features import Entity, FeatureView, Source
from driftline.features.history import backfill
from driftline.features.registering import register
from driftline.log import Record
from driftline.store.incidents import write_incidents
from driftline.wire import PREDICTIONS_TOPIC
from tests.dashboards.rules import RUNBOOKS
from tests.drift.service.incident import INCIDENT
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.traffic import MODEL, RUN, VERSION
from tests.support.training import WAIVED

HOUR_S = 3600
NOW_S = int(time.time()) - 3600  # Queries ask for the last day.
FILES = sorted(RUNBOOKS.glob("*.md"))
TITLES = ["How to confirm", "What to do", "How to silence it honestly", "How it resolves"]
# What needs a cluster, a file, or a host on which processes died, or never ends, has tests of its own.
ELSEWHERE = {"mlflow sync", "forward", "intake", "land", "migrate", "monitors", "profile", "models watch"}


def blocks(language):
    return [
        (file.stem, block)
        for file in FILES
        for block in re.findall(rf"```{language}\n(.*?)```", file.read_text(), re.DOTALL)
    ]


def commands():
    """The lines of driftline's own commands, in blocks and between backticks, with their runbook."""
    lines = [(name, line) for name, block in blocks("sh") for line in block.splitlines()]
    inline = [(file.stem, line) for file in FILES for line in re.findall(r"`(driftline [^`]*)`", _flat(file))]
    return [(name, line) for name, line in (*lines, *inline) if line.startswith("driftline ")]


def _flat(file):
    return re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL).replace("\n  ", " ")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("runbooks"))
    landing = Landing(place)
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", b"no event")])
    events = [
        {"features": {"amount": float(number)}, "event_time": NOW_S + 60.0 * number} for number in range(9)
    ]
    events.append({"features": {"amount": 1.0}, "event_time": 0.0})  # Set aside: it is of 1970.
    names = {"EVENT_ID": put(landing, events)[0], "MODEL": MODEL, "INCIDENT": INCIDENT.incident_id}
    last = NOW_S // HOUR_S
    findings = tuple(replace(each, since=last, detected=last, last=last) for each in INCIDENT.findings)
    write_incidents(landing.client, [replace(INCIDENT, detected=last, findings=findings)])
    put(landing, [{"features": {"amount": 1.0}, "event_time": NOW_S}], training_run_id="run-of-nobody")
    names |= {"TOPIC/PARTITION@OFFSET": f"{PREDICTIONS_TOPIC}/0@0", "TOPIC": PREDICTIONS_TOPIC}
    register_training_run(RUN, model_name=MODEL, model_version=VERSION, waive=WAIVED, log=landing.log)
    fleet = place.folder / "fleet.parquet"
    parquet.write_table(pa.table({"plane": ["N1"], "event_time": [float(NOW_S)], "seats": [9.0]}), fleet)
    source = Source(path=str(fleet), delay=timedelta(0))
    view = FeatureView("fleet", Entity("plane"), {"seats": "numeric"}, source=source)
    register(landing.client, [view], author="a test")
    backfill(landing.client, view)
    landing.land()
    names |= {
        "VIEW": "fleet",
        "VERSION": VERSION,
        "REASON": "unknown_frame",
        '"$DRIFTLINE_LOG"': place.log_url,
    }
    landing.close()
    return place, names


def filled(text, names):
    for name, value in names.items():
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", value, text)
    return text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_runbook_says_how_to_confirm_mend_silence_and_when_it_ends(file):
    text = file.read_text()
    assert text.startswith(f"# {file.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == TITLES
    assert f"alertname={file.stem}" in text
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (file.parent / link).exists(), link


@pytest.mark.parametrize(("name", "line"), commands(), ids=lambda value: value[:60])
def test_a_command_of_a_runbook_runs(place, name, line):
    where, names = place
    parts = shlex.split(filled(line, names), comments=True)[1:]
    command = driftline.commands[parts[0]]
    options = {part for part in parts if part.startswith("--")}
    if getattr(command, "commands", None):
        command = command.commands[parts[1]]
    assert options <= {option for parameter in command.params for option in parameter.opts}, name
    if {parts[0], " ".join(parts[:2])} & ELSEWHERE:
        return
    online_url = f"sqlite://{where.folder}/online.db"
    environment = {
        "DRIFTLINE_STORE": where.store_url,
        "DRIFTLINE_LOG": where.log_url,
        "DRIFTLINE_ONLINE": online_url,
    }
    done = CliRunner().invoke(driftline, parts, env=environment)
    assert done.exit_code == 0, f"{name}: {done.output}"


@pytest.mark.parametrize(("name", "query"), blocks("sql"), ids=lambda value: value[:30])
def test_a_query_of_a_runbook_runs(place, name, query):
    where, names = place
    with open_store(where.store_url) as store:
        client = store.connect()
        assert client.rows(filled(query, names)), name
        client.close()


def test_there_is_something_to_run():
    assert len(commands()) > 20
    assert len(blocks("sql")) > 3
