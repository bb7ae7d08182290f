"""A model behind each kind of server. Notes what `log` accepted. Runs in an environment of the server."""

import os
import time

from driftline import DriftlineMiddleware, DriftlineWSGIMiddleware, PredictionLogger

SLOW_S = float(os.environ.get("SERVED_SLOW_S", "0"))
logger = PredictionLogger(
    model_name="served",
    model_version="1",
    training_run_id="run",
    log=os.environ["SERVED_LOG"],
    flush_interval_s=2.0,  # Whoever is not closed in order loses what came last, on a quick machine, too.
)


def predict(number=1.0):
    """Log a prediction, and note that it was accepted."""
    note(logger.log({"x": float(number)}, 0.5))
    time.sleep(SLOW_S)
    return os.getpid()


def note(event_id):
    """Note an event that was accepted; what stands in a file outlives the process, however it ends."""
    line = f"{os.getpid()} {logger.session_id} {event_id}\n".encode()
    file = os.open(os.environ["SERVED_ACCEPTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)


def application(_, start_response):
    """Answer as WSGI asks for."""
    body = str(predict()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    """Answer as ASGI asks for."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = str(predict()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


application_within = DriftlineWSGIMiddleware(application)
asgi_within = DriftlineMiddleware(asgi)
