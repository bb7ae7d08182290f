"""A policy says what may be waived, and what becomes of unregistered versions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from driftline.errors import SettingError
from driftline.registry.policy import PARTS, Handling, Policy, read_policy
from driftline.registry.state import ModelState, Version

NAMES = {"model_name": "delay", "model_version": "3", "training_run_id": "run-3", "environment": "production"}


@pytest.fixture
def policy(tmp_path):
    def written(text):
        (tmp_path / "policy.toml").write_text(text)
        return read_policy(str(tmp_path / "policy.toml"))

    return written


@pytest.mark.parametrize("name", [None, ""])
def test_without_a_file_everything_may_be_waived_and_unregistered_versions_alert(name):
    read_policy(name).check_waivers(PARTS)
    assert read_policy(name).handling("production") is Handling.ALERT


def test_handling_is_by_environment(policy):
    read = policy('[unregistered]\nproduction = "refuse"\ncanary = "flag"\ndefault = "alert"\n')
    handled = [read.handling(name) for name in ("production", "canary", "shadow")]
    assert handled == [Handling.REFUSE, Handling.FLAG, Handling.ALERT]


def test_a_waiver_that_is_not_allowed_is_refused_by_name_and_file(policy):
    read = policy('waivable = ["data"]\n')
    read.check_waivers(["data"])
    with pytest.raises(SettingError, match=r"waive: code may not be waived, .*policy\.toml"):
        read.check_waivers(["data", "code"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('waivabel = ["data"]', "'waivabel' is unknown; there are waivable, unregistered"),
        ('waivable = ["dta"]', "waivable: 'dta' is unknown; there are data, "),
        ("waivable = true", "waivable is a list of artifact, code, environment, data"),
        ('unregistered = "refuse"', "unregistered is a table"),
        (
            '[unregistered]\nproduction = "deny"',
            "unregistered.production: 'deny' is unknown; there are refuse, alert, flag",
        ),
        ("[unregistered]\nproduction = 3", "unregistered.production: 3 is unknown"),
        ("waivable = [", "Invalid value|Unclosed|Unterminated|invalid"),
    ],
)
def test_what_it_cannot_mean_is_refused_with_the_nearest(policy, text, message):
    with pytest.raises(SettingError, match=message):
        policy(text)


def test_a_file_that_is_missing_is_named():
    with pytest.raises(SettingError, match=r"the policy in /nowhere/p\.toml .*: No such file"):
        read_policy("/nowhere/p.toml")


def version(name, run):
    return Version("delay", name, run, datetime(2026, 1, 1, tzinfo=UTC), "ann", None, None)


def test_only_a_version_that_its_own_run_registered_is_served():
    read = Policy(source="p.toml")
    state = ModelState("delay", versions={"3": version("3", "run-3")})
    read.check_served(state, NAMES)
    for unknown in (None, ModelState("delay")):
        with pytest.raises(SettingError, match=r"version 3 of delay was never registered, .* in production"):
            read.check_served(unknown, NAMES)
    with pytest.raises(SettingError, match="was made by run run-3, not by run-2"):
        read.check_served(state, {**NAMES, "training_run_id": "run-2"})
