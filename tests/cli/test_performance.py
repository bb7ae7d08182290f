"""`driftline performance` says how right models were, and what that rests on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger

START = datetime(2026, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two weeks of a model that is right three times of four, in the second one half of the time."""
    landing = Landing(Place(tmp_path_factory.mktemp("performance")))
    with make_logger(landing.log, model_name="till") as logger:
        for number in range(400):
            when = START + timedelta(hours=number * 336 / 400)
            event_id = logger.log(prediction=0.9 if number % 2 else 0.1, event_time=when)
            right = number % 4 != 0 if number < 200 else number % 4 < 2
            truth = float(number % 2 == right)
            logger.log_outcome(event_id, truth, observed_time=when + timedelta(minutes=1))
    with make_logger(landing.log, model_name="acting") as logger:
        logger.log_outcome(logger.log(prediction=0.9, event_time=START), acted_on=True)
    landing.land()
    landing.close()
    return landing.place


def run(place, *options):
    return CliRunner().invoke(driftline, ["performance", "--store", place.store_url, *options])


def test_each_period_has_its_metrics_with_intervals(place):
    done = run(place, "--model", "till", "--metric", "accuracy", "--json")
    assert done.exit_code == 0, done.output
    first, second = json.loads(done.output)
    assert (first["start"], first["predictions"], first["known"]) == ("2026-02-02T00:00:00+00:00", 200, 200)
    assert (first["value"], second["value"], first["sample"]) == (0.75, 0.5, 200)
    assert first["low"] < 0.75 < first["high"] < 0.82
    assert (first["basis"], second["basis"], first["task"]) == ("final", "weighted", "binary")


def test_people_get_a_table_of_what_matters_first(place):
    done = run(place, "--period", "2w")
    assert done.exit_code == 0, done.output
    heading, *lines = done.output.splitlines()
    assert heading.split()[:5] == ["start", "model_name", "version", "metric", "value"]
    assert [line.split()[4] for line in lines][:4] == ["accuracy", "precision", "recall", "f1"]


def test_what_was_acted_on_is_counted_apart_and_no_truth_is_no_metric(place):
    assert "no outcome is known" in run(place, "--model", "acting").output
    assert "no outcome is known" in run(place, "--model", "nobody").output


def test_at_an_age_there_is_what_was_known_by_then(place):
    done = run(place, "--model", "till", "--age", "0m")
    assert "no outcome is known" in done.output
    assert json.loads(run(place, "--model", "till", "--age", "2m", "--json").output)


@pytest.mark.parametrize("option", [("--period", "10m"), ("--as-of", "never"), ("--age", "x")])
def test_what_is_no_time_is_refused(place, option):
    assert run(place, *option).exit_code == 2


@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    """Thirteen days of a model whose truths come two hours later, and of the last day not yet."""
    landing = Landing(Place(tmp_path_factory.mktemp("waiting")))
    random = np.random.default_rng(1)
    with make_logger(landing.log, model_name="waiting") as logger:
        for day in range(13):
            score = random.random(100)
            truth = (random.random(100) < score).astype(float)
            times = [START + timedelta(days=day, seconds=30 * place) for place in range(100)]
            event_ids = logger.log_batch(predictions=score, event_times=times)
            if day < 12:
                known = [time + timedelta(hours=2) for time in times]
                logger.log_outcomes(event_ids, truth, observed_times=known)
    landing.land()
    landing.close()
    return landing.place


def test_before_truths_come_there_is_an_estimate_and_what_it_was_off_by(waiting):
    asked = ("--model", "waiting", "--period", "24h", "--metric", "accuracy")
    rows = json.loads(run(waiting, *asked, "--json").output)
    assert [row["basis"] for row in rows] == ["final"] * 12 + ["estimated"]
    assert rows[0]["estimate"] is None
    last = rows[-1]
    assert last["value"] is None
    estimate = last["estimate"]
    assert estimate["low"] < 0.75 < estimate["high"]
    assert (estimate["tested_periods"], estimate["is_withdrawn"]) == (8, False)
    assert 0 < estimate["error"] < 0.1
    assert estimate["calibrated_by"] == "known truths"
    lines = run(waiting, *asked).output.splitlines()
    assert "estimated" in lines[-2]
    assert "concept drift" in lines[-1]


def test_drops_are_listed_with_what_they_are_compared_with(place):
    assert "enough truths" in run(place, "--drops", "--model", "nobody").output
    done = run(place, "--drops", "--model", "till", "--json")
    rows = json.loads(done.output)
    assert {(row["metric"], row["segment"]) for row in rows} == {("roc_auc", ""), ("brier_score", "")}
    assert [row["drop"] for row in rows] == sorted((row["drop"] for row in rows), reverse=True)
    assert rows[0]["drop"] > 0.1
    assert run(place, "--drops").output.split()[:3] == ["model_name", "version", "metric"]
