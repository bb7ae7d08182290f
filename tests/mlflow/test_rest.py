"""What a tracking server refuses, or answers oddly, is an error that says what to do."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from driftline.mlflow.credentials import PASSWORD, TOKEN, USERNAME, Server
from driftline.mlflow.errors import ArtifactError, MlflowAwayError, MlflowError
from driftline.mlflow.rest import RestSource
from driftline.mlflow.source import Keeper, Place

MODELS = "/api/2.0/mlflow/registered-models/search"
VERSIONS = "/api/2.0/mlflow/model-versions/search"
RUN = "/api/2.0/mlflow/runs/get"
GONE = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"})


class Answering:
    """A server that answers each path with what a test wants, page by page."""

    def __init__(self):
        self.answers = {}
        self.headers = []
        self.logged = []
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answering.headers.append(dict(self.headers))
                parts = urlsplit(self.path)
                found = answering.answers.get(parts.path, (404, "<html>nothing here</html>"))
                if callable(found):
                    found = found(parse_qs(parts.query))
                status, body = found
                text = body if isinstance(body, bytes) else str(body).encode()
                content = json.dumps(body).encode() if isinstance(body, dict) else text
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *given):
                answering.logged.append(given)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def source(self, **environ):
        return RestSource(Server.from_environ(self.url, environ), timeout_s=5.0)


@pytest.fixture
def mlflow():
    answering = Answering()
    yield answering
    answering.server.shutdown()
    answering.server.server_close()


def test_all_pages_are_read(mlflow):
    pages = {"": (["a"], "2"), "2": (["b"], "3"), "3": (["c"], "")}

    def answer(query):
        names, token = pages[query.get("page_token", [""])[0]]
        return 200, {"registered_models": [{"name": name} for name in names], "next_page_token": token}

    mlflow.answers[MODELS] = answer
    assert [each.name for each in mlflow.source().models()] == ["a", "b", "c"]


def test_a_registry_that_holds_nothing_has_no_models(mlflow):
    mlflow.answers[MODELS] = (200, {})
    assert list(mlflow.source().models()) == []


def test_versions_come_in_the_order_of_their_numbers(mlflow):
    listed = [{"name": "m", "version": number} for number in ("10", "9", "1")]
    mlflow.answers[VERSIONS] = (200, {"model_versions": listed})
    assert [each.version for each in mlflow.source().versions()] == ["1", "9", "10"]


def test_a_run_that_is_gone_is_none(mlflow):
    mlflow.answers[RUN] = GONE
    assert mlflow.source().run("r") is None


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({TOKEN: "t"}, "Bearer t"),
        ({USERNAME: "ann", PASSWORD: "p"}, "Basic YW5uOnA="),
        ({}, None),
    ],
)
def test_credentials_are_sent(mlflow, environ, sent):
    mlflow.answers[MODELS] = (200, {})
    mlflow.source(**environ).models()
    given = {name.lower(): value for name, value in mlflow.headers[-1].items()}
    assert given.get("authorization") == sent


@pytest.mark.parametrize(
    ("answer", "kind", "reported"),
    [
        (
            (401, "who are you"),
            MlflowAwayError,
            "nobody in with no credentials: set MLFLOW_TRACKING_TOKEN",
        ),
        ((403, {"message": "not yours"}), MlflowError, "status 403: not yours"),
        ((500, "<h1>oops</h1>"), MlflowError, "status 500"),
        ((503, ""), MlflowAwayError, "does not answer"),
        ((404, "<html>"), MlflowError, "status 404"),
        ((302, ""), MlflowError, "status 302"),
        ((200, "<html>a login page</html>"), MlflowError, "answered no JSON"),
        ((200, "[]"), MlflowError, "answered no JSON"),
        ((200, {"registered_models": {}}), MlflowError, "answered no list"),
        ((200, {"registered_models": [{"tags": []}]}), MlflowError, "no registered model"),
    ],
)
def test_what_no_mlflow_answers_is_an_error_that_says_what_was_asked(mlflow, answer, kind, reported):
    mlflow.answers[MODELS] = answer
    with pytest.raises(MlflowError, match=reported) as raised:
        mlflow.source().models()
    assert type(raised.value) is kind


def test_a_server_that_is_not_there_is_away(mlflow):
    mlflow.server.server_close()
    with pytest.raises(MlflowAwayError, match="does not answer"):
        mlflow.source().models()


def test_a_file_that_can_not_be_read_is_an_error_of_files_alone(mlflow):
    place = Place(Keeper.RUN, "r", "model", "mlflow-artifacts:/1/r/model")
    mlflow.answers["/api/2.0/mlflow/artifacts/list"] = (500, {"message": "no such bucket"})
    mlflow.answers["/get-artifact"] = (403, {"message": "not yours"})
    with pytest.raises(ArtifactError, match="no such bucket"):
        mlflow.source().files(place)
    with pytest.raises(ArtifactError, match="model/MLmodel: status 403: not yours"):
        list(mlflow.source().content(place, "MLmodel"))


def test_files_are_found_in_all_folders(mlflow):
    place = Place(Keeper.RUN, "r", "model", "mlflow-artifacts:/1/r/model")
    folders = {
        "model": [{"path": "model/MLmodel", "file_size": "7"}, {"path": "model/data", "is_dir": True}],
        "model/data": [{"path": "model/data/model.pkl", "file_size": 9}],
    }
    mlflow.answers["/api/2.0/mlflow/artifacts/list"] = lambda query: (
        200,
        {"files": folders[query["path"][0]]},
    )
    assert mlflow.source().files(place) == {"MLmodel": 7, "data/model.pkl": 9}


def test_files_in_a_storage_are_read_where_they_lie_on_this_host(mlflow, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.pkl").write_bytes(b"weights")
    place = Place(Keeper.STORAGE, tmp_path.as_uri(), "", tmp_path.as_uri())
    source = mlflow.source()
    assert source.files(place) == {"data/model.pkl": 7}
    assert b"".join(source.content(place, "data/model.pkl")) == b"weights"


@pytest.mark.parametrize("uri", ["s3://bucket/model", "file:///nowhere/model", "dbfs:/model"])
def test_files_that_lie_elsewhere_can_not_be_read(mlflow, uri):
    with pytest.raises(ArtifactError, match="can't be read from here"):
        mlflow.source().files(Place(Keeper.STORAGE, uri, "", uri))


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "!!python/object:os.system {}"])
def test_yaml_that_says_nothing_is_empty(mlflow, text):
    assert mlflow.source().read_description(text) == {}
