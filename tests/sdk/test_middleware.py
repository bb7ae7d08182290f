"""Within a request each prediction has its latency and its ids, and nothing else of the service changes."""

from __future__ import annotations

import asyncio
import io

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from driftline import DriftlineMiddleware, DriftlineWSGIMiddleware, PredictionLogger, request_context
from driftline.sdk.request import MOST_EVENT_IDS, RequestContext, current_request, trace_of
from driftline.testing import MemoryLog

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r1"}
NAMES = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def logger(log):
    with PredictionLogger(**NAMES, log=log) as logger:
        yield logger


@pytest.fixture
def client(logger):
    async def echo(request):
        body = await request.body()
        logger.log({"x": 1.0}, 0.5)
        return PlainTextResponse(body)

    async def streamed(request):
        given = [piece async for piece in request.stream() if piece]

        async def pieces():
            for piece in given:
                await run_in_threadpool(logger.log, {"x": float(len(piece))}, 0.5)
                yield piece

        return StreamingResponse(pieces(), background=BackgroundTask(logger.log, {"x": 0.0}, 0.5))

    async def failing(_):
        logger.log({"x": 1.0}, 0.5)
        raise LookupError

    async def talk(websocket):
        await websocket.accept()
        logger.log({"x": 1.0}, 0.5)
        await websocket.send_text(await websocket.receive_text())

    app = Starlette(
        routes=[
            Route("/echo", echo, methods=["POST"]),
            Route("/streamed", streamed, methods=["POST"]),
            Route("/failing", failing),
            WebSocketRoute("/talk", talk),
        ]
    )
    app.add_middleware(DriftlineMiddleware, tags={"service": "web"})
    return TestClient(app)


def test_a_prediction_knows_the_request_that_it_was_made_for(client, log):
    assert client.post("/echo", content=b"abc", headers=HEADERS).content == b"abc"
    (only,) = log.predictions
    assert (only.request_id, only.trace_id, dict(only.tags)) == ("r1", TRACE, {"service": "web"})
    assert only.latency_us > 0


def test_a_request_without_headers_has_a_latency(client, log):
    client.post("/echo", content=b"")
    (only,) = log.predictions
    assert (only.request_id, only.trace_id) == (None, None)
    assert only.latency_us is not None


def test_what_is_streamed_in_and_out_is_not_held_and_knows_its_request(client, log):
    answer = client.post("/streamed", content=iter([b"a", b"bc"]), headers=HEADERS)
    assert answer.content == b"abc"
    assert {one.request_id for one in log.predictions} == {"r1"}
    latencies = [one.latency_us for one in log.predictions]
    assert len(latencies) >= 2
    assert latencies == sorted(latencies)


def test_what_the_service_raises_is_raised_and_ends_the_request(client, log):
    with pytest.raises(LookupError):
        client.get("/failing", headers=HEADERS)
    assert [one.request_id for one in log.predictions] == ["r1"]
    assert current_request.get() is None


def test_websockets_go_by(client, log):
    with client.websocket_connect("/talk", headers=HEADERS) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    assert [one.request_id for one in log.predictions] == [None]


def test_an_aborted_request_ends_as_it_would_without():
    """What the server says, and what the application sends, are the very objects."""
    given = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]
    taken, sent = [], []

    async def app(_, receive, send):
        while (message := await receive())["type"] != "http.disconnect":
            taken.append(message)
            await send(message)
        raise ConnectionAbortedError

    async def receive():
        return given.pop(0)

    async def send(message):
        sent.append(message)

    async def run():
        middleware = DriftlineMiddleware(app)
        with pytest.raises(ConnectionAbortedError):
            await middleware({"type": "http", "headers": []}, receive, send)

    first = given[0]
    asyncio.run(run())
    assert taken[0] is first
    assert sent[0] is first
    assert not given


def test_requests_at_once_know_nothing_of_each_other(logger, log):
    async def app(*_):
        await asyncio.sleep(0)
        logger.log({"x": 1.0}, 0.5)

    async def run():
        middleware = DriftlineMiddleware(app)
        scopes = [{"type": "http", "headers": [(b"x-request-id", b"%d" % n)]} for n in range(20)]
        await asyncio.gather(*(middleware(scope, None, None) for scope in scopes))

    asyncio.run(run())
    assert sorted(int(one.request_id) for one in log.predictions) == list(range(20))


def test_a_handler_of_fastapi_in_a_thread_knows_its_request(logger, log):
    app = FastAPI()
    app.add_middleware(DriftlineMiddleware)

    @app.get("/")
    def root() -> int:
        return len(logger.log_batch({"x": [1.0, 2.0]}, [0.1, 0.2]))

    assert TestClient(app).get("/", headers=HEADERS).json() == 2
    assert [(one.request_id, one.trace_id) for one in log.predictions] == [("r1", TRACE)] * 2


class Streamed:
    """An answer of WSGI that is made piece by piece, and says whether it was closed."""

    def __init__(self, logger):
        self._logger = logger
        self.is_closed = False

    def __iter__(self):
        for piece in (b"a", b"b"):
            self._logger.log({"x": 1.0}, 0.5)
            yield piece

    def close(self):
        self.is_closed = True


def test_an_answer_of_wsgi_is_made_within_its_request_piece_by_piece(logger, log):
    streamed = Streamed(logger)
    app = DriftlineWSGIMiddleware(lambda *_: streamed)
    environ = {"HTTP_X_REQUEST_ID": "r1", "HTTP_TRACEPARENT": HEADERS["traceparent"]}
    answer = app(environ, None)
    assert b"".join(answer) == b"ab"
    answer.close()
    assert streamed.is_closed
    assert [(one.request_id, one.trace_id) for one in log.predictions] == [("r1", TRACE)] * 2
    assert current_request.get() is None


def test_an_answer_of_wsgi_that_is_there_goes_out_as_it_is():
    class FileWrapper:
        def __init__(self, file):
            self.file = file

    for answer in ([b"all"], (b"all",), FileWrapper(io.BytesIO())):
        app = DriftlineWSGIMiddleware(lambda *_, answer=answer: answer)
        assert app({"wsgi.file_wrapper": FileWrapper}, None) is answer


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_trace_is_read_as_w3c_has_it(header, trace):
    assert trace_of(header) == trace


def test_without_a_header_the_trace_is_that_of_the_open_span(logger, log):
    trace = pytest.importorskip("opentelemetry.trace")
    span = trace.NonRecordingSpan(trace.SpanContext(int(TRACE, 16), 1, is_remote=False))
    with trace.use_span(span), request_context(request_id="r1"):
        logger.log({"x": 1.0}, 0.5)
    assert log.predictions[0].trace_id == TRACE


def test_a_request_remembers_so_many_of_its_predictions():
    request = RequestContext(monotonic=lambda: 1.0)
    request.note(map(str, range(MOST_EVENT_IDS + 5)))
    request.note(["one more", None])
    assert len(request.event_ids) == MOST_EVENT_IDS
    assert request.latency_us == 0.0
