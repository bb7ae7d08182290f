"""From the count of invalid values to the event that holds one, and back to its training run."""

from __future__ import annotations

import json
import urllib.request

from driftline import register_training_run
from tests.support.running import Up, wait_until
from tests.support.traffic import MODEL, RUN, START_S, VERSION, make_logger
from tests.support.training import WAIVED

SERIES = (
    f'driftline_invalid_values{{feature="amount",model_name="{MODEL}",model_version="{VERSION}",'
    'reason="below_range"} 2.0'
)


def test_an_invalid_value_is_counted_named_and_traced_to_its_training_run(place):
    register_training_run(
        RUN,
        model_name=MODEL,
        model_version=VERSION,
        waive=WAIVED,
        log=place.log_url,
        git_commit="5c0ffee",
        reference={"amount": [float(number % 11) for number in range(200)]},
    )
    assert place.run("land", "--until-idle").returncode == 0
    assert place.run("profile", "--until-idle").returncode == 0
    with make_logger(place.log_url) as logger:
        amounts = [-99.0 if number == 17 else float(number % 11) for number in range(50)]
        event_ids = [logger.log({"amount": amount}, event_time=START_S) for amount in amounts]
    assert place.run("land", "--until-idle").returncode == 0
    assert place.run("profile", "--until-idle").returncode == 0
    (line,) = place.ask("invalid", "--model", MODEL, "--version", VERSION, "--since", "2026-01-31")
    assert (line["feature"], line["reason"], line["count"], line["rows"]) == (
        "amount",
        "below_training_range",
        1,
        50,
    )
    assert line["examples"] == [event_ids[17]]
    found = place.ask("trace", line["examples"][0])
    assert found["prediction"]["numeric_features"] == {"amount": -99.0}
    assert found["training_run"]["git_commit"] == "5c0ffee"
    assert place.ask("invalid", "--since", "2026-02-01") == []


def test_rules_that_are_set_hold_for_what_landed_before_and_what_lands_from_then_on(place):
    with make_logger(place.log_url) as logger:
        logger.log({"amount": -99.0}, event_time=START_S)
    assert place.run("land", "--until-idle").returncode == 0
    assert place.run("profile", "--until-idle").returncode == 0
    given = place.folder / "rules.json"
    given.write_text(json.dumps({"amount": {"minimum": 0}}))
    assert place.ask("rules", MODEL, "--set", str(given))[""]["amount"]["minimum"] == 0.0
    with make_logger(place.log_url) as logger:
        logger.log({"amount": -99.0}, event_time=START_S)
    assert place.run("land", "--until-idle").returncode == 0
    assert place.run("profile", "--until-idle").returncode == 0
    assert [(line["reason"], line["count"]) for line in place.ask("invalid")] == [("below_range", 2)]
    for _ in range(2):  # The second one knows what the first has counted.
        up = Up(place).wait_until_up()
        wait_until(lambda url=up.url: SERIES in metrics(url), what="the metric")
        up.kill()


def metrics(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        return answer.read().decode()
