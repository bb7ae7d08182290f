"""Who asks an MLflow is given as for MLflow's own client, and no secret gets into a message."""

from __future__ import annotations

import pytest

from driftline.errors import SettingError
from driftline.mlflow.credentials import PASSWORD, TOKEN, USERNAME, Server


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("http://mlflow:5000/", "http://mlflow:5000"),
        ("https://example.com/ml/", "https://example.com/ml"),
        ("http://ann:secret@mlflow", "http://mlflow"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_an_address_has_no_secret_and_no_slash_at_its_end(url, shown):
    assert Server.from_environ(url, {}).url == shown


def test_credentials_are_those_of_mlflows_own_client():
    server = Server.from_environ("http://mlflow", {USERNAME: "ann", PASSWORD: "p", TOKEN: "t\n"})
    assert (server.user, server.password, server.token) == ("ann", "p", "t")
    assert Server.from_environ("http://bob:q@mlflow", {USERNAME: "ann", PASSWORD: "p"}).user == "bob"


@pytest.mark.parametrize(
    "url", ["sqlite:///mlflow.db", "mlruns", "http://", "http://mlflow:many", "databricks"]
)
def test_what_is_no_address_of_a_server_is_refused_with_what_to_do(url):
    with pytest.raises(SettingError, match=r"no address of an MLflow"):
        Server.from_environ(url, {})


def test_a_refused_address_hides_its_password():
    with pytest.raises(SettingError) as refused:
        Server.from_environ("mysql://ann:secret@db/mlflow", {})
    assert "secret" not in str(refused.value)


def test_a_token_with_characters_that_no_header_takes_is_refused():
    with pytest.raises(SettingError, match=TOKEN):
        Server.from_environ("http://mlflow", {TOKEN: "a\r\nb: c"})
