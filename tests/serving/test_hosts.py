"""A page elsewhere that has a browser ask this host, under a name of its own, gets nothing."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from driftline.serving import AllowedHosts


def status_for(host, names=()):
    app = AllowedHosts(PlainTextResponse("here"), names)
    return TestClient(app).get("/", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8321", "a.localhost", "localhost.", "127.0.0.1:8321", "10.1.2.3", "[::1]:8321"],
)
def test_addresses_and_loopback_names_are_answered(host):
    assert status_for(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "rebound.example",
        "rebound.example:8321",
        "localhost.rebound.example",
        "notlocalhost",
        "127.0.0.1.rebound.example",
        "2130706433",
        "[rebound.example]",
        "*",
    ],
)
def test_any_other_name_is_refused(host):
    assert status_for(host) == 421
    assert status_for(host, ["driftline.example", "*.inside.example"]) == 421


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("driftline.example:80", ["Driftline.example"]),
        ("a.b.inside.example", ["*.inside.example"]),
        ("anything", ["*"]),
    ],
)
def test_names_that_are_given_are_answered(host, names):
    assert status_for(host, names) == 200


def test_a_pattern_holds_below_its_name_alone():
    assert status_for("inside.example", ["*.inside.example"]) == 421
    assert status_for("outinside.example", ["*.inside.example"]) == 421
