"""The routes of the intake: who may come in, what is taken, and what each sender is answered."""

from __future__ import annotations

import hashlib
import hmac
import time
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.errors import DriftlineError, LogError, WireError
from driftline.intake.batches import encode_batch
from driftline.intake.bodies import BodyError, Room
from driftline.intake.cloudevents import parsed, read_events
from driftline.intake.inferences import Address, Inferences
from driftline.intake.items import NAMES, is_key
from driftline.intake.metrics import EVENTS, LOG_FAILURES, REQUESTS, UNPAIRED, WAITING
from driftline.intake.otlp import PROTOBUF, answered, read_export
from driftline.intake.pairs import EXPIRY_S, Pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from driftline.intake.batches import Encoded
    from driftline.intake.items import Kind
    from driftline.log import EventLog
    from driftline.metrics import Metrics

    Handler = Callable[[Request, bytes], Response]

MOST_ITEMS: Final = 10_000
"""So many predictions and outcomes does one request hold."""

_MOST_NAMED = 100
"""So many refused items are named in an answer; the others are counted."""

_BATCH_FIELDS = frozenset({*NAMES, "batch", "event_time", "tags", "predictions", "outcomes"})
_system_random = SystemRandom().getrandbits


class Intake:
    """Takes events from senders that know a token, and appends them to the log.

    What it answers with 200 is in the log, or, of CloudEvents, in this process's memory for a tenth of a
    second. Anything else may be sent again.

    Args:
        log: where to; one without a spill, so that what was taken is where everybody reads it.
        tokens: what senders give as ``Authorization: Bearer``; any of them will do, so that one can be
            replaced by another.
        metrics: with the table of this room.
        expiry_s: how long a request waits for its response, seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        monotonic: a clock in seconds.
        random: a source of random bits.
    """

    def __init__(
        self,
        log: EventLog,
        tokens: Sequence[str],
        *,
        metrics: Metrics,
        expiry_s: float = EXPIRY_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], int] = _system_random,
    ) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._writer = log.writer()
        self._room = Room()
        self._pairs = Pairs(
            monotonic,
            lambda half, reason: metrics.count(UNPAIRED, half=half, reason=reason),
            expiry_s=expiry_s,
        )
        self._inferences = Inferences(log, clock=clock, monotonic=monotonic)

    def routes(self) -> list[Route]:
        """Return what senders ask for."""
        handlers = {
            "/v1/events": self._events,
            "/v1/cloudevents": self._cloudevents,
            "/v1/logs": self._logs,  # As OpenTelemetry has it.
        }
        return [Route(path, self._guarded(path, one), methods=["POST"]) for path, one in handlers.items()]

    def tick(self) -> None:
        """Give up what has waited for too long; to be called every few seconds."""
        self._pairs.expire()
        self._metrics.set(WAITING, self._pairs.waiting)

    def close(self) -> None:
        """Append what is left, and give up what waits. Blocks."""
        self._pairs.give_up()
        self._inferences.close()
        self._writer.close()

    def _guarded(self, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            response = await self._answer(request, handler)
            name = path.rpartition("/")[2]
            self._metrics.count(REQUESTS, route=name, status=str(response.status_code))
            return response

        return answer

    async def _answer(self, request: Request, handler: Handler) -> Response:
        if not self._knows_token(request):
            return _problem(401, "token", "give Authorization: Bearer TOKEN, with a token of this intake")
        try:
            async with self._room.body(request) as body:
                return await run_in_threadpool(handler, request, body)
        except ClientDisconnect:
            return _problem(400, "cut_off", "the request ended before its end")
        except BodyError as error:
            return _problem(error.status, "body", str(error))
        except WireError as error:
            return _problem(400, str(error.reason), error.detail)
        except LogError as error:
            self._metrics.count(LOG_FAILURES)
            return _problem(503, "log", f"the log takes nothing now, so send it again: {error}")

    def _knows_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":  # KServe's logger sends no header of one's own.
            given = request.query_params.get("token", "")
        offered = given.strip().encode()
        return True in [hmac.compare_digest(offered, token) for token in self._tokens]

    def _events(self, request: Request, body: bytes) -> Response:
        whole = parsed(body)
        if not isinstance(whole, dict):
            raise WireError("json", "the body is an object with predictions, outcomes or both")
        if unknown := sorted(whole.keys() - _BATCH_FIELDS):
            raise WireError("unknown_field", f"{unknown[0][:100]!r} is no field of a batch")
        key = request.headers.get("idempotency-key") or whole.get("batch")
        if not isinstance(key, str) or not is_key(key):
            detail = (
                "name the batch, the same each time that it is sent: Idempotency-Key, or batch in the body"
            )
            raise WireError("missing_batch", detail)
        lists: dict[Kind, Sequence[Any]] = {}
        kinds: tuple[Kind, Kind] = ("predictions", "outcomes")
        for kind in kinds:
            lists[kind] = whole.get(kind, [])
            if not isinstance(lists[kind], list):
                raise WireError("json", f"{kind} is a list")
        encoded = self._append(key, lists, whole)
        return JSONResponse(
            {
                "accepted": dict(encoded.counts),
                "event_ids": [encoded.event_ids.get(at) for at in range(len(lists["predictions"]))],
                "refused": [refusal.shown() for refusal in encoded.refusals[:_MOST_NAMED]],
                "refused_count": len(encoded.refusals),
                "left_out": dict(encoded.left_out),
            }
        )

    def _append(self, key: str, lists: Mapping[Kind, Sequence[Any]], defaults: Mapping[str, Any]) -> Encoded:
        """Append a batch to the log.

        Raises:
            WireError: it is too long.
            LogError: the log does not take it.
        """
        count = sum(map(len, lists.values()))
        if count > MOST_ITEMS:
            raise WireError("too_many", f"{count:,} items; at most {MOST_ITEMS:,} at once")
        encoded = encode_batch(key, lists, defaults, clock=self._clock, random=self._random)
        if encoded.records:
            self._writer.append(encoded.records)
        for kind, number in encoded.counts.items():
            self._metrics.count(EVENTS, number, kind=kind, outcome="accepted")
        for refusal in encoded.refusals:
            self._metrics.count(EVENTS, kind=refusal.kind, outcome="refused")
        return encoded

    def _logs(self, request: Request, body: bytes) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        export = read_export(content_type, body, parsed)
        # An exporter that tries again sends the very bytes, which hold the time of each record.
        key = request.headers.get("idempotency-key") or f"otlp:{hashlib.sha256(body).hexdigest()}"
        encoded = self._append(key, export.lists, {})
        first = encoded.refusals[0] if encoded.refusals else None
        message = f"{first.kind}[{first.place}]: {first.reason}: {first.detail}" if first else ""
        content = answered(content_type, len(encoded.refusals), message)
        return Response(content, media_type=PROTOBUF) if isinstance(content, bytes) else JSONResponse(content)

    def _cloudevents(self, request: Request, body: bytes) -> Response:
        address = _address(request.query_params)
        accepted, refused = 0, []
        for half in read_events(request.headers, body):
            pair = self._pairs.take(half, len(body))
            if pair is None:
                continue
            try:
                accepted += self._inferences.log(pair, address)
            except DriftlineError as error:
                self._metrics.count(EVENTS, kind="predictions", outcome="refused")
                refused.append(str(error))
        self._metrics.count(EVENTS, accepted, kind="predictions", outcome="accepted")
        self._metrics.set(WAITING, self._pairs.waiting)
        return JSONResponse({"accepted": accepted, "refused": refused})


def _address(query: Mapping[str, str]) -> Address:
    """Return what the address says of the model."""
    texts = {
        name: query.get(name, "")
        for name in ("model_name", "model_version", "training_run_id", "environment")
    }
    lists = {name: tuple(query[name].split(",")) for name in ("features", "classes") if query.get(name)}
    return Address(**texts, **lists)  # type: ignore[arg-type]  # Texts, and lists of texts, by their names.


def _problem(status: int, reason: str, detail: str) -> Response:
    headers = (
        {"Retry-After": "1"} if status == 503 else {"WWW-Authenticate": "Bearer"} if status == 401 else None
    )
    return JSONResponse({"reason": reason, "detail": detail}, status_code=status, headers=headers)
