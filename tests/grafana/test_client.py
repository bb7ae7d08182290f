"""What goes wrong between here and Grafana is reported so that a person can act on it, without the token."""

from __future__ import annotations

import socket

import pytest

from driftline.errors import SettingError
from driftline.grafana.client import Grafana
from driftline.grafana.errors import GrafanaError
from tests.support.grafana import serving_grafana, serving_page

EDITOR = "token-of-an-editor"


def test_a_wrong_token_says_how_to_get_a_right_one():
    with serving_grafana() as fake, pytest.raises(GrafanaError, match=r"401.*service account") as caught:
        Grafana(fake.url, "not-a-token-there").folder("driftline")
    assert "not-a-token-there" not in str(caught.value)


def test_a_missing_right_says_which_role_has_it():
    with serving_grafana() as fake:
        with pytest.raises(GrafanaError, match=r"403.*folders:create.*role Editor"):
            Grafana(fake.url, "token-of-a-viewer").create_folder("driftline", "driftline")
        with pytest.raises(GrafanaError, match=r"403.*datasources:read.*Admin"):
            Grafana(fake.url, EDITOR).data_source("driftline-prometheus")


def test_what_grafana_does_not_have_is_none():
    with serving_grafana() as fake:
        grafana = Grafana(fake.url, "token-of-an-admin")
        assert grafana.folder("x") is None
        assert grafana.dashboard("x") is None
        assert grafana.data_source("x") is None


def test_a_grafana_below_a_path_is_found_there():
    with serving_grafana("/grafana") as fake:
        grafana = Grafana(f"{fake.url}/", EDITOR)
        grafana.create_folder("driftline", "driftline")
        assert grafana.folder("driftline")["title"] == "driftline"


@pytest.mark.parametrize("status", [200, 404, 502])
@pytest.mark.parametrize("text", ["<html>Log in</html>", '<html>a "message" for you</html>'])
def test_a_page_instead_of_an_answer_is_reported_with_its_address(status, text):
    """The library stumbles over a page that holds the text message."""
    with serving_page(text, status) as url, pytest.raises(GrafanaError) as caught:
        Grafana(url, EDITOR).folder("driftline")
    assert url in str(caught.value)
    assert ("no JSON" in str(caught.value)) or (str(status) in str(caught.value))


def test_a_grafana_that_is_away_is_reported_with_its_address_and_the_cause():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GrafanaError, match=r"can't be reached: .*refused") as caught:
            Grafana(url, EDITOR).folder("driftline")
    assert url in str(caught.value)


def test_a_host_that_nobody_knows_is_reported():
    with pytest.raises(GrafanaError, match=r"grafana\.invalid.*can't be reached"):
        Grafana("http://grafana.invalid:3000", EDITOR).folder("driftline")


@pytest.mark.parametrize(
    "url", ["grafana:3000", "ftp://grafana", "http://", "http://g:3000?x=1", "http://g:x"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SettingError, match="http"):
        Grafana(url, EDITOR)


def test_a_password_in_the_address_is_refused_and_not_shown():
    with pytest.raises(SettingError, match="TOKEN_FILE") as caught:
        Grafana("http://admin:swordfish@grafana:3000", EDITOR)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("token", ["swordfish\nX: y", "sword fish", "swördfish"])
def test_a_token_that_can_be_none_is_refused_and_not_shown(token):
    with pytest.raises(SettingError) as caught:
        Grafana("http://grafana:3000", token)
    assert "fish" not in str(caught.value)
