"""A pipeline ends with one version in production or says where it stopped, wherever it is killed."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from driftline import register_training_run
from driftline.domain.snapshots import Definition
from driftline.errors import SettingError
from driftline.lifecycle.archive import create_snapshot
from driftline.lifecycle.pipeline import Runner, claimant, process_is_gone
from driftline.lifecycle.pipeline_file import read_pipeline
from driftline.lifecycle.place import Location
from driftline.lifecycle.steps import STEPS
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from driftline.store.gates import read_gates
from driftline.store.pipelines import Claim, read_claims
from driftline.store.snapshots import read_snapshot_lines
from tests.lifecycle.traffic import START, event, serve
from tests.support.training import WAIVED

HOUR = timedelta(hours=1)
ROWS = range(400)
TRAIN = """
import csv, os, pathlib, sys
import pyarrow.parquet as pq
rows = pq.read_table(os.environ["DRIFTLINE_DATA"] + "/train").num_rows
work = pathlib.Path(os.environ["DRIFTLINE_WORK"])
(work / "model").write_text(f"learned from {rows}")
test = pq.read_table(os.environ["DRIFTLINE_DATA"] + "/test").to_pylist()
sign = float(sys.argv[1])
with open(os.environ["DRIFTLINE_SCORES"], "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["event_id", "prediction"])
    out.writerows([row["event_id"], (row["prediction_number"] - 0.5) * sign * 0.99 + 0.5] for row in test)
pathlib.Path(sys.argv[2]).open("a").write("trained\\n")
"""
FILE = """
version: 1
model: {model}
snapshots: sets
data: {{window: 520w, maturity: 1h, test_share: 0.6}}
train:
  command: {python} train.py {sign} {trained}
  score: "{true}"
gate: {{least_rows: 50, calibration_margin: 0.05}}
promote: {promote}
"""


class CrashError(BaseException):
    """What nothing catches, as a kill would be."""


@pytest.fixture
def place(landing, settled, tmp_path_factory):
    """Return a function that makes a model with version 1 in production, and what runs its pipeline."""

    def make(name, *, sign=1, promote="production", true="true"):
        folder = tmp_path_factory.mktemp(name)
        model = folder.name
        events = {
            number: {**event(number), "prediction": 0.2 + 0.06 * (event(number)["prediction"] * 10 // 1)}
            for number in ROWS
        }
        serve(landing, model, ROWS, events=events)
        as_of = settled()
        old = Definition(model_name=model, since=START, until=START + HOUR, as_of=as_of)
        sets = Location.at(str(folder / "sets"))
        data = create_snapshot(landing.client, old, sets, author="me", settled=as_of).reference()
        waive = {part: why for part, why in WAIVED.items() if part != "data"}
        names = {"model_name": model, "model_version": "1", "log": landing.log}
        register_training_run("run-1", **names, waive=waive, data=data)
        decide(landing, model, "1")
        landing.land()
        (folder / "train.py").write_text(TRAIN)
        given = {"model": model, "python": sys.executable, "sign": sign, "true": true, "promote": promote}
        file = folder / "driftline.yaml"
        file.write_text(FILE.format(**given, trained=folder / "trained"))
        return Runner(
            pipeline=read_pipeline(file),
            folder=folder,
            log=landing.log,
            ask=lambda question: question(landing.client),
            author="ann",
            is_left=lambda _: True,
            settled=lambda _: as_of,
        )

    return make


def decide(landing, model, version, stage=Stage.PRODUCTION):
    registry = Registry(landing.log)
    registry.submit(give_stage(registry.model(model), version, stage, author=Author("bob"), reason="so"))
    registry.close()


def state_of(landing, runner):
    registry = Registry(landing.log)
    state = registry.model(runner.pipeline.model)
    registry.close()
    return state


def test_it_ends_with_what_was_trained_in_production(landing, place):
    runner = place("whole")
    result = runner.run()
    assert (result.state, result.why) == ("done", "version 2 is production")
    state = state_of(landing, runner)
    assert state.in_production() == "2"
    assert state.versions["2"].training_run_id == result.run_id
    (gate,) = read_gates(landing.client, runner.pipeline.model)
    assert (gate.decision, gate.candidate, gate.production) == ("pass", "2", "1")
    assert runner.run().number == 2


def test_killed_between_any_two_steps_it_goes_on_and_nothing_is_there_twice(landing, place):
    """At each point one attempt dies, before what a step came to is written, and after."""
    runner = place("killed")
    points = [point for name in STEPS for point in (name, f"{name} written")]
    passed = Counter()

    def die_once(point):
        passed[point] += 1
        if passed[point] == 1:
            raise CrashError

    result = None
    for _ in range(len(points) + 1):
        try:
            result = replace(runner, after=die_once).run()
            break
        except CrashError:
            continue
    assert result is not None
    assert (result.state, result.number, result.run_id) == ("done", 1, result.run_id)
    assert set(passed) == set(points)
    (claim,) = read_claims(landing.client, runner.pipeline.model)
    assert claim.attempt == len(points) + 1
    state = state_of(landing, runner)
    assert (list(state.versions), state.in_production()) == (["1", "2"], "2")
    assert [move.event.model_version for move in state.production_moves()] == ["1", "2"]
    landing.land()
    assert len(read_gates(landing.client, runner.pipeline.model)) == 1
    assert len(read_snapshot_lines(landing.client, model_name=runner.pipeline.model)) == 2
    assert (runner.folder / "trained").read_text().count("trained") == 2


def test_a_candidate_that_is_worse_is_registered_and_never_promoted(landing, place):
    runner = place("worse", sign=-1)
    result = runner.run()
    assert (result.state, result.step) == ("failed", "gate")
    assert result.why.startswith("roc_auc: ")
    assert state_of(landing, runner).in_production() == "1"
    assert runner.plan().why == "a new run would begin"


def test_if_somebody_decided_meanwhile_it_promotes_nothing(landing, place):
    runner = place("moved")
    model = runner.pipeline.model

    def decide_meanwhile(point):
        if point == "gate":
            decide(landing, model, "1", Stage.ARCHIVED)

    result = replace(runner, after=decide_meanwhile).run()
    assert (result.state, result.step) == ("failed", "promote")
    assert "is not as it was when this was decided: meanwhile version 1 went from production" in result.why
    assert state_of(landing, runner).in_production() is None


def test_two_at_once_make_one_run(place):
    runner = place("twice")
    seen = []

    def run_another(point):
        if point == "train":
            seen.append(replace(runner, is_left=lambda _: False).run())

    assert replace(runner, after=run_another).run().state == "done"
    assert [(each.state, each.number) for each in seen] == [("busy", 1)]


def test_without_scores_it_holds_until_the_candidate_has_answered_beside_production(landing, place, settled):
    runner = place("shadowed")
    pipeline = runner.pipeline
    runner = replace(
        runner,
        pipeline=pipeline.model_copy(update={"train": pipeline.train.model_copy(update={"score": None})}),
    )
    held = runner.run()
    assert (held.state, held.step) == ("held", "gate")
    assert "is mature as of" in held.why
    assert state_of(landing, runner).stage("2") == Stage.SHADOW
    for version, environment, known in (("1", "production", True), ("2", "shadow", False)):
        names = {"version": version, "environment": environment, "known": known}
        events = {number: {**event(number), "event_time": None} for number in ROWS}
        serve(landing, pipeline.model, ROWS, events=events, **names)
    later = settled(180)
    result = replace(runner, settled=lambda _: later).run()
    assert (result.state, result.number, result.why) == ("done", 1, "version 2 is production")
    assert result.details["gate"]["rows"] == len(ROWS)


def test_a_decision_of_the_trigger_is_carried_out_once(place):
    runner = replace(place("decided", promote="never"), decision_id="d1")
    first, again = runner.run(), runner.run()
    assert (first.state, again.state, again.run_id) == ("done", "done", first.run_id)
    assert again.why == "this decision was carried out before"
    assert replace(runner, decision_id="d2").run().number == 2


@pytest.mark.parametrize(
    ("true", "message"),
    [("false", "train.score ended with status 1"), ("no-such", "train.score: 'no-such' can't be run")],
)
def test_a_command_that_fails_ends_the_run_and_is_named(place, true, message):
    result = place("fails", true=true).run()
    assert (result.state, result.step) == ("failed", "train")
    assert message in result.why


def test_what_passes_need_not_be_promoted(landing, place):
    runner = place("never", promote="never")
    assert runner.run().why == "version 2 is candidate"
    assert state_of(landing, runner).in_production() == "1"


def test_a_plan_says_how_far_it_has_come_and_writes_nothing(landing, place):
    runner = place("planned")
    assert (runner.plan().number, runner.plan().why) == (1, "a new run would begin")

    def die(point):
        if point == "snapshot written":
            raise CrashError

    with pytest.raises(CrashError):
        replace(runner, after=die).run()
    assert (runner.plan().step, list(runner.plan().details)) == ("train", ["define", "snapshot"])
    assert replace(runner, is_left=lambda _: False).plan().state == "busy"
    assert len(read_claims(landing.client, runner.pipeline.model)) == 1


def test_a_process_is_gone_or_is_another_of_the_same_number():
    def claimed(by):
        return Claim(model_name="m", number=1, attempt=1, run_id="r", claimed_by=by)

    mine = claimant()
    host, number, began, nonce = mine.split(" ")
    assert not process_is_gone(claimed(mine))
    assert process_is_gone(claimed(f"{host} {number} {int(began) + 1} {nonce}"))
    assert process_is_gone(claimed(f"{host} 4194303 {began} {nonce}"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("window: 520w", "window: long"), "data.window: Value error, 'long' is no time"),
        (("promote: production", "promote: maybe"), "promote: Input should be"),
        (("snapshots: sets", "snapshot: sets"), "snapshot: Extra inputs are not permitted"),
        (("version: 1", "version: ["), "expected"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, change, message):
    text = FILE.format(model="m", python="python", sign=1, true="true", trained="t", promote="production")
    path = tmp_path / "driftline.yaml"
    path.write_text(text.replace(*change))
    with pytest.raises(SettingError, match=message):
        read_pipeline(path)
