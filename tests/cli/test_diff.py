"""What differs between two versions is found by their names, and without any by what production was."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from click.testing import CliRunner

from driftline import register_training_run
from driftline.cli.app import driftline
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Kind, Stage
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.training import WAIVED


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Land three versions, of which two went to production, and a fourth without a run."""
    place = Place(tmp_path_factory.mktemp("diff"))
    with open_log(place.log_url) as log, closing(Registry(log)) as registry:
        for depth in ("4", "6", "6"):
            register_training_run(model_name="delay", log=log, parameters={"depth": depth}, waive=WAIVED)
        author = Author("ann")
        registry.submit(author.event("delay", Kind.VERSION, model_version="4", training_run_id="nowhere"))
        for version in ("1", "2"):
            registry.submit(
                give_stage(registry.model("delay"), version, Stage.PRODUCTION, author=author, reason="x")
            )
    landing = Landing(place)
    landing.land()
    landing.close()
    return place


def run(place, *arguments):
    return CliRunner().invoke(
        driftline, ["models", "diff", *arguments], env={"DRIFTLINE_STORE": place.store_url}
    )


def test_what_is_in_production_is_compared_with_what_was_there_before(place):
    done = run(place, "delay")
    assert "delay: version 1 (run " in done.output
    assert "    depth: 4 -> 6\n" in done.output


def test_differences_as_json(place):
    given = json.loads(run(place, "delay", "1", "2", "--json").output)
    assert (given["before"], given["after"], given["commits"]) == ("1", "2", None)
    assert given["differences"] == [{"part": "parameters", "name": "depth", "before": "4", "after": "6"}]


def test_versions_of_the_same_content_do_not_differ(place):
    assert "what was registered of both is the same" in run(place, "delay", "2", "3").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dely"], "no model 'dely' is registered; there is delay"),
        (["delay", "1", "7"], "delay has no version 7"),
        (
            ["delay", "--environment", "canary"],
            "no version of delay is in production in canary: name two versions",
        ),
        (["delay", "1", "4"], "version 4 of delay was made by run 'nowhere', of which nothing has landed"),
    ],
)
def test_errors_name_what_is_missing(place, arguments, message):
    done = run(place, *arguments)
    assert done.exit_code == 1
    assert message in done.output
