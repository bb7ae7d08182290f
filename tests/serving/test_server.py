"""Serving an application from a thread."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.error

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from driftline.errors import SettingError
from driftline.web import WebServer
from tests.web.browser import Browser

APP = Starlette(routes=[Route("/", lambda request: PlainTextResponse(request.url.path))])


def test_answers_once_started_and_lets_the_port_go_when_stopped():
    server = WebServer(APP, "127.0.0.1", 0)
    server.start()
    assert Browser(server.url).get("/") == "/"
    server.stop()
    with pytest.raises(urllib.error.URLError):
        Browser(server.url).get("/")
    again = WebServer(APP, "127.0.0.1", server.port)
    again.stop()


def test_a_taken_port_is_reported_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"can't listen on port {port} of 127.0.0.1"):
            WebServer(APP, "127.0.0.1", port)


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements():
    server = WebServer(APP, "127.0.0.1", 0)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    took_s = []
    for _ in range(20):
        begun = time.perf_counter()
        connection.request("GET", "/")
        connection.getresponse().read()
        took_s.append(time.perf_counter() - begun)
    connection.close()
    server.stop()
    assert sorted(took_s)[10] < 0.035
