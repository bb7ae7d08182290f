"""MLflow's webhook as a hint to look at once; what it says is not believed, only that there is something."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

PATH: Final = "/mlflow/webhook"
SIGNATURE: Final = "x-mlflow-signature"
DELIVERY: Final = "x-mlflow-delivery-id"
TIMESTAMP: Final = "x-mlflow-timestamp"

MAX_AGE_S: Final = 300.0
"""An older call may be one that somebody has recorded."""

_MAX_BYTES = 1 << 20
_SCHEME = "v1,"


class Hints:
    """Hints that there is something to look at; many are as good as one. Safe to use from several threads."""

    def __init__(self) -> None:
        self._given = threading.Event()

    def give(self) -> None:
        """Hint that there is something."""
        self._given.set()

    def take(self) -> bool:
        """Return whether there was a hint since the last call."""
        was_given = self._given.is_set()
        self._given.clear()
        return was_given


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """Return what MLflow signs a call with."""
    signed = f"{delivery}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return _SCHEME + base64.b64encode(digest).decode()


def refusal(headers: Mapping[str, str], body: bytes, *, secret: str, now_s: float) -> str:
    """Return why a call is not MLflow's; empty: it is.

    Args:
        headers: of the call, by names in lower case.
        body: as it was sent.
        secret: that MLflow was given with the webhook.
        now_s: the time now, seconds since 1970-01-01T00:00:00Z.
    """
    given = [headers.get(name, "") for name in (SIGNATURE, DELIVERY, TIMESTAMP)]
    if not all(given):
        return f"{SIGNATURE}, {DELIVERY} and {TIMESTAMP} are needed; give the webhook the secret in MLflow"
    sign, delivery, timestamp = given
    if not timestamp.isdecimal() or abs(now_s - int(timestamp)) > MAX_AGE_S:
        return f"{TIMESTAMP} is not of the last {MAX_AGE_S:.0f} seconds; look at both clocks"
    wanted = signature(secret, delivery, timestamp, body).encode()
    # While a secret is replaced, there may be several signatures.
    if not any(hmac.compare_digest(wanted, each.encode()) for each in sign.split()):
        return f"{SIGNATURE} is not made with the secret that driftline knows"
    return ""


def webhook_route(
    secret: str,
    hints: Hints,
    *,
    count: Callable[[str], object],
    clock: Callable[[], float] = time.time,
) -> Route:
    """Return the route that MLflow calls.

    Args:
        secret: that MLflow signs with.
        hints: are given for calls that are MLflow's.
        count: is called with ``accepted`` or ``refused``.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    async def called(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_BYTES:
                count("refused")
                return PlainTextResponse(f"at most {_MAX_BYTES} bytes\n", 413)
        if problem := refusal(request.headers, body, secret=secret, now_s=clock()):
            count("refused")
            return PlainTextResponse(f"{problem}\n", 401)
        count("accepted")
        hints.give()
        return Response(status_code=204)

    return Route(PATH, called, methods=["POST"])
