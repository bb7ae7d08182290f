"""Two versions side by side: row by row where both answered, else by their own rows, and it says which."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

from driftline.cli.app import driftline
from tests.lifecycle.traffic import START, event, serve, truth
from tests.support.landing import Landing
from tests.support.running import Place

ROWS = 200


def _answered(number: int, score: float, *, latency_us: int, request: str = "r") -> dict[str, object]:
    return {
        **event(number),
        "prediction": score,
        "latency_us": latency_us,
        "request_id": f"{request}{number}",
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Land version 1 in production, version 2 in shadow on the same requests, and version 3 on others."""
    place = Place(tmp_path_factory.mktemp("compare"))
    landing = Landing(place)
    numbers = range(ROWS)
    # Version 1 is wrong of each tenth row, version 2 of each twentieth of the others.
    first = {n: _answered(n, abs(truth(n) - (0.9 if n % 10 == 0 else 0.2)), latency_us=9000) for n in numbers}
    second = {
        n: _answered(n, abs(truth(n) - (0.9 if n % 20 == 1 else 0.1)), latency_us=4000) for n in numbers
    }
    third = {
        n: _answered(n, abs(truth(n) - (0.9 if n % 5 == 1 else 0.1)), latency_us=4000, request="other")
        for n in range(ROWS, 2 * ROWS)
    }
    serve(landing, "delay", numbers, version="1", events=first)
    serve(landing, "delay", numbers, version="2", events=second, environment="shadow", known=False)
    serve(landing, "delay", third, version="3", events=third)
    landing.close()
    return place


def run(place, *arguments):
    return CliRunner().invoke(
        driftline, ["models", "compare", *arguments], env={"DRIFTLINE_STORE": place.store_url}
    )


def by_metric(given):
    return {each["metric"]: each for each in given["metrics"]}


def test_a_shadow_is_compared_row_by_row_by_the_truths_of_production(place):
    given = json.loads(run(place, "delay", "1", "2", "--json").output)
    assert given["how"].startswith("paired: on 200 rows with truths that both answered")
    accuracy = by_metric(given)["accuracy"]
    assert (accuracy["one"], accuracy["other"]) == (0.9, 0.95)
    assert (accuracy["rows"], accuracy["method"]) == (ROWS, "McNemar, exact")
    # Twenty rows the one alone has wrong, ten the other alone.
    assert (accuracy["verdict"] == "better") == (binomtest(10, 30).pvalue < 0.05)
    assert by_metric(given)["roc_auc"]["method"] == "DeLong, paired"
    assert by_metric(given)["brier_score"]["verdict"] == "better"


def test_traffic_answers_and_latency_stand_beside(place):
    given = json.loads(run(place, "delay", "1", "2", "--json").output)
    one, other = given["versions"]
    assert [each["environment"] for each in one["traffic"]] == ["production"]
    assert [each["environment"] for each in other["traffic"]] == ["shadow"]
    assert (one["latency_us"]["p50"]["value"], other["latency_us"]["p50"]["value"]) == (9000, 4000)
    assert given["answers"]["statistic"] == "ks"
    assert given["answers"]["same_share"] == 0
    assert 0.1 <= given["answers"]["apart"] < 0.3


def test_versions_that_answered_other_rows_are_compared_by_the_intervals_of_each(place):
    given = json.loads(run(place, "delay", "1", "3", "--json").output)
    assert given["how"] == "not paired: no row was answered by both; each by its own rows"
    accuracy = by_metric(given)["accuracy"]
    assert (accuracy["one"], accuracy["other"], accuracy["rows"]) == (0.9, 0.8, None)
    assert accuracy["low"] < -0.1 < accuracy["high"]
    assert accuracy["verdict"] == "worse"
    assert accuracy["method"].startswith("own rows")


def test_a_time_bounds_the_rows(place):
    until = START.replace(hour=14).isoformat()
    given = json.loads(run(place, "delay", "1", "2", "--until", until, "--json").output)
    assert [each["predictions"] for each in given["versions"]] == [40, 40]
    assert by_metric(given)["accuracy"]["rows"] == 40


def test_it_is_shown_as_a_table(place):
    shown = run(place, "delay", "1", "2").output
    assert "version 2: 200 in shadow; 50% within 4 ms" in shown
    assert "McNemar, exact" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["delay", "1", "7"], "no prediction of version 7 of delay has landed in that time"),
        (["delay", "1", "1"], "both are version 1 of delay: name two versions"),
        (["dely", "1", "2"], "no prediction of version 1 or 2 of dely has landed"),
        (["delay", "1", "2", "--since", "2026-02-03", "--until", "2026-02-02"], "there is no hour from"),
    ],
)
def test_errors_name_what_is_missing(place, arguments, message):
    done = run(place, *arguments)
    assert done.exit_code == 1
    assert message in done.output
