"""What a second process is answered while ``driftline up`` runs, and after it was killed."""

from __future__ import annotations

import stat
import urllib.error
import urllib.request
import uuid

import pytest

from tests.support.running import Place, Up, wait_until
from tests.support.traffic import REFERENCE_ROWS, serve

EVENTS = 900


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Answers of every command, asked while ``up`` ran and after it was killed; the first event's id."""
    place = Place(tmp_path_factory.mktemp("asked"))
    up = Up(place).wait_until_up()
    event_id = serve(place.log_url, EVENTS, 0, with_reference=True)[0]
    wait_until(lambda: place.lag() == 0, what="landing")
    wait_until(lambda: len(place.ask("verdicts")) > 0, what="a verdict")
    unknown = str(uuid.uuid4())
    questions = (("completeness",), ("trace", event_id), ("verdicts", "--model", "till"))
    running = [place.ask(*question) for question in questions]
    wrong = [place.run("trace", unknown), place.run("trace", "17")]
    up.kill()
    killed = [place.ask(*question) for question in questions]
    return running, killed, wrong, event_id, unknown


def test_the_ledger_is_reported(asked):
    running, killed, *_ = asked
    by_environment = {line["environment"]: line for line in running[0]}
    assert by_environment["production"]["sent"] == by_environment["production"]["landed"] == EVENTS
    assert by_environment["reference"]["landed"] == REFERENCE_ROWS
    assert killed[0] == running[0]


def test_a_prediction_is_traced_to_its_training_run_and_outcome(asked):
    running, killed, _, event_id, _ = asked
    found = running[1]
    assert found["prediction"]["event_id"] == event_id
    assert found["prediction"]["numeric_features"]["amount"] == -3.5
    assert found["training_run"]["git_commit"] == "5c0ffee"
    assert found["training_run"]["artifact_uri"] == "s3://models/till/3"
    assert found["training_run"]["reference_rows"] == REFERENCE_ROWS
    assert [outcome["actual_number"] for outcome in found["outcomes"]] == [1.0]
    assert killed[1] == found


def test_verdicts_are_reported_with_their_evidence(asked):
    running, killed, *_ = asked
    promised = "model_name model_version feature reference scale_hours window_end verdict effect statistics"
    for verdict in running[2]:
        assert {*promised.split(), "sample_size", "completeness"} <= verdict.keys()
        assert verdict["completeness"] == 1.0
    ends = [verdict["window_end"] for verdict in killed[2]]
    assert ends == sorted(ends, reverse=True)
    assert len(killed[2]) >= len(running[2]) > 0


def test_times_say_that_they_are_utc(asked):
    found = asked[0][1]
    assert found["prediction"]["event_time"] == "2026-01-31T12:00:00+00:00"
    assert all(verdict["window_end"].endswith("+00:00") for verdict in asked[0][2])


def test_a_wrong_event_id_is_an_error_that_says_why(asked):
    unknown, no_uuid = asked[2]
    assert (unknown.returncode, no_uuid.returncode) == (1, 1)
    assert f"no prediction {asked[4]} has landed" in unknown.stderr
    assert "'17' is no UUID" in no_uuid.stderr
    assert "Traceback" not in unknown.stderr + no_uuid.stderr


def test_the_owner_answers_those_who_know_its_token_only(place):
    up = Up(place).wait_until_up()
    owner = place.ask_owner()
    assert stat.S_IMODE(place.owner_file.stat().st_mode) == 0o600
    assert owner["process_id"] == up.process_id
    url = f"http://{owner['host']}:{owner['port']}/?query=SELECT+41%2B1"
    for headers in ({}, {"X-ClickHouse-Key": "wrong"}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60)
        assert refused.value.code == 403
        refused.value.close()
    request = urllib.request.Request(url, headers={"X-ClickHouse-Key": owner["token"]})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.read() == b"42\n"
    assert up.stop() == 0
    assert not place.owner_file.exists()


def test_two_processes_that_find_no_owner_are_both_answered(place):
    place.run("migrate")
    answers = [
        place.start("completeness", "--json"),
        place.start("verdicts", "--json"),
        place.start("migrate"),
    ]
    for answer in answers:
        out, errors = answer.communicate(timeout=60)
        assert answer.returncode == 0, errors
        assert out.strip() in {"[]", "0 applied; the store is up to date"}


def test_a_command_waits_for_an_owner_that_comes_up_and_follows_one_that_is_killed(place):
    assert place.run("migrate").returncode == 0
    up = Up(place)
    assert place.ask("completeness") == []
    up.wait_until_up()
    wait_until(place.owner_file.exists, what="an owner that stays, after the command")
    up.kill()
    assert place.owner_file.exists()  # Left behind; whoever asks next replaces it.
    assert place.ask("completeness") == []
    assert not place.owner_file.exists()


def test_up_outlives_the_command_that_owned_the_store_when_it_came_up(place):
    first = Up(place).wait_until_up()
    second = Up(place).wait_until_up()
    first.kill()
    serve(place.log_url, 50, 0)
    wait_until(lambda: place.lag() == 0, what="landing by the one that is left")
    (line,) = place.ask("completeness")
    assert (line["landed"], line["duplicates"]) == (50, 0)
    assert second.stop() == 0
