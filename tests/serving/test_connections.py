"""Clients that do nothing: a server ends with them, and goes on with the others."""

from __future__ import annotations

import errno
import resource
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from driftline.serving import Limits, WebServer
from driftline.serving.server import AcceptErrors
from tests.web.browser import Browser

HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = HALF + b"\r\n"
LARGE = 50 << 20
QUICK = Limits(head_s=0.2, progress_s=0.2)
PATIENT = Limits(connections=8, head_s=600, progress_s=600)


async def read_body(request):
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def serve():
    """Serve with limits; `/slow` says that it has begun, and answers once `let_go` is set."""
    let_go, begun, servers = threading.Event(), threading.Semaphore(0), []

    def slow(request):
        del request
        begun.release()
        let_go.wait(60)
        return PlainTextResponse("slow")

    routes = [
        Route("/", lambda _: PlainTextResponse("here")),
        Route("/large", lambda _: PlainTextResponse(b"x" * LARGE)),
        Route("/body", read_body, methods=["POST"]),
        Route("/slow", slow),
    ]

    def start(limits):
        servers.append(WebServer(Starlette(routes=routes), "127.0.0.1", 0, limits=limits))
        servers[-1].start()
        servers[-1].let_go, servers[-1].begun = let_go, begun
        return servers[-1]

    yield start
    let_go.set()
    for server in servers:
        server.stop()


@pytest.fixture
def connect():
    with ExitStack() as stack:

        def connected(server, sent=b""):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            connection.sendall(sent)
            return connection

        yield connected


def is_ended(connection):
    """Wait until the server ends the connection; say whether it did."""
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError as error:
        return error.errno in {errno.ECONNRESET, errno.EPIPE}
    return True


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HALF,
        WHOLE + HALF,
        b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
    ],
    ids=["nothing", "half a head", "half of a second head", "half a body"],
)
def test_a_request_that_does_not_come_is_given_up(serve, connect, sent):
    assert is_ended(connect(serve(QUICK), sent))


def test_an_answer_that_nobody_takes_is_given_up(serve, connect):
    server = serve(QUICK)
    connect(server, WHOLE.replace(b"/ ", b"/large "))
    ended = threading.Event()
    while not server.connections:
        ended.wait(0.01)
    for _ in range(3000):  # It is not read, so only the server can tell.
        if not server.connections or ended.wait(0.01):
            break
    assert not server.connections


def test_a_request_that_takes_long_to_answer_is_not_given_up(serve, connect):
    server = serve(QUICK)
    connection = connect(server, WHOLE.replace(b"/ ", b"/slow "))
    assert is_ended(connect(server, HALF)), "patience has run out meanwhile"
    server.let_go.set()
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_who_sends_half_requests_makes_way_for_others(serve, connect):
    server = serve(PATIENT)
    halves = [connect(server, HALF) for _ in range(100)]
    assert Browser(server.url).get("/") == "here"
    assert all(is_ended(half) for half in halves[:80])


def test_whom_is_worked_for_does_not_make_way(serve, connect):
    server = serve(PATIENT)
    slow = [connect(server, WHOLE.replace(b"/ ", b"/slow ")) for _ in range(4)]
    for _ in slow:
        assert server.begun.acquire(timeout=60)
    halves = [connect(server, HALF) for _ in range(100)]
    assert Browser(server.url).get("/") == "here"
    server.let_go.set()
    assert all(connection.recv(1 << 16).startswith(b"HTTP/1.1 200") for connection in slow)
    assert is_ended(halves[0])


_SERVER = """
import resource, sys, time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from driftline.serving import WebServer

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
server = WebServer(Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))]), "127.0.0.1", 0)
server.start()
print(server.port, flush=True)
sys.stdin.read()
"""


def test_more_half_requests_than_a_process_may_open_files_stop_nothing_and_fill_no_log():
    """asyncio tells of each connection that it can't accept a hundred times, and tries again at once."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([sys.executable, "-c", _SERVER], **pipes, text=True)
    with ExitStack() as stack:
        stack.callback(process.kill)
        port = int(process.stdout.readline())
        for _ in range(1224):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            connection.sendall(HALF)
        assert Browser(f"http://127.0.0.1:{port}").get("/") == "here"
        _, errors = process.communicate(timeout=60)
    assert len(errors) < 10_000


def test_a_process_may_open_as_many_files_as_the_system_lets_it():
    code = _SERVER.replace("(128, 128)", "(128, 1024)").replace("print(server.port", "print(0")
    code = code.replace("sys.stdin.read()", "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1024"]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 128


def test_connections_that_cant_be_accepted_are_reported_once_a_minute(caplog):
    class Loop:
        now_s = 0.0
        others = 0

        def time(self):
            return self.now_s

        def default_exception_handler(self, context):
            del context
            self.others += 1

    loop, tell = Loop(), AcceptErrors("http://here")
    full = {"exception": OSError(errno.EMFILE, "Too many open files")}
    for loop.now_s in (0.0, 1.0, 59.0, 60.0):
        tell(loop, full)
    tell(loop, {"exception": ValueError("another")})
    assert [record.getMessage() for record in caplog.records] == [
        "http://here takes no more connections for now: Too many open files"
    ] * 2
    assert loop.others == 1
