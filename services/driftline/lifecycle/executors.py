"""Having a model trained: a webhook that is signed and may be called again, or a command."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import urllib3

from driftline.backoff import Backoff
from driftline.errors import DriftlineError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.domain.retraining import RetrainDecision
    from driftline.lifecycle.trigger import TriggerSettings

SIGNATURE: Final = "X-Driftline-Signature"
TIMESTAMP: Final = "X-Driftline-Timestamp"
KEY: Final = "Idempotency-Key"

_SCHEME = "v1="
_ATTEMPTS = 5
_BACKOFF = Backoff(1.0, 30.0)
_TIMEOUT_S = 10.0
_TOO_MANY, _SERVER_ERROR = 429, 500
_TAIL = 500


class TrainingError(DriftlineError):
    """What was to have a model trained did not do it."""


@dataclass(frozen=True, slots=True)
class Calling:
    """How calls are made.

    Args:
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        sleep: waits so many seconds.
    """

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what a call is signed with: HMAC-SHA256 of the time, a dot and the body."""
    signed = timestamp.encode() + b"." + body
    return _SCHEME + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def request_body(decision: RetrainDecision) -> bytes:
    """Return what a call says: the same for the same decision."""
    since = decision.cause_since
    content = {
        "decision_id": decision.decision_id,
        "model_name": decision.model_name,
        "environment": decision.environment,
        "cause": decision.cause,
        "cause_since": since.isoformat() if since else None,
        "decided_at": decision.decided_at.isoformat(),
    }
    return json.dumps(content, sort_keys=True).encode()


def execute(decision: RetrainDecision, settings: TriggerSettings, calling: Calling | None = None) -> str:
    """Have a model trained; return what was done, for a person. Blocks for it.

    Args:
        decision: to train; its id is the key by which that happens once, however often it is asked for.
        settings: what is called or run; both where both are given.
        calling: how.

    Raises:
        TrainingError: the webhook refuses, or does not answer, or the command fails.
        SettingError: the file with the secret can't be read.
    """
    done = []
    if settings.webhook:
        secret = _secret(settings.webhook_secret_file)
        done.append(call_webhook(decision, settings.webhook, secret, calling or Calling()))
    if settings.command:
        done.append(run_command(decision, settings.command))
    return "; ".join(done) or "nothing is called: neither retrain.webhook nor retrain.command is set"


def call_webhook(decision: RetrainDecision, url: str, secret: str, calling: Calling) -> str:
    """Call a webhook, again where it does not answer or is too busy; return its answer's status.

    Raises:
        TrainingError: it refuses, or never answers.
    """
    body, problem = request_body(decision), ""
    with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S) as pool:
        for attempt in range(1, _ATTEMPTS + 1):
            timestamp = str(int(calling.clock()))
            headers = {"Content-Type": "application/json", KEY: decision.decision_id, TIMESTAMP: timestamp}
            if secret:
                headers[SIGNATURE] = signature(secret, timestamp, body)
            try:
                status = pool.request("POST", url, body=body, headers=headers, redirect=False).status
            except urllib3.exceptions.HTTPError as error:
                problem = f"does not answer: {error}"
            else:
                if status < 300:
                    return f"webhook answered {status}"
                problem = f"answers {status}"
                if status < _SERVER_ERROR and status != _TOO_MANY:
                    break
            if attempt < _ATTEMPTS:
                calling.sleep(_BACKOFF.wait_s(attempt))
    raise TrainingError(f"the webhook {problem}; 'driftline retrain run' asks it again with the same key")


def run_command(decision: RetrainDecision, command: str) -> str:
    """Run a command, which finds the decision in its environment; return its status.

    Raises:
        TrainingError: it fails, or can't be run.
    """
    try:
        done = subprocess.run(  # noqa: S603  the team's own, from its file of monitors
            shlex.split(command),
            env={**os.environ, **_variables(decision)},
            capture_output=True,
            check=False,
            text=True,
        )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{command!r} can't be run: {error}") from error
    if done.returncode:
        raise TrainingError(
            f"{command!r} ended with status {done.returncode}: {done.stderr.strip()[-_TAIL:]}"
        )
    return "command ended with status 0"


def _variables(decision: RetrainDecision) -> Mapping[str, str]:
    return {
        "DRIFTLINE_DECISION": decision.decision_id,
        "DRIFTLINE_MODEL": decision.model_name,
        "DRIFTLINE_ENVIRONMENT": decision.environment,
        "DRIFTLINE_CAUSE": decision.cause,
    }


def _secret(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"retrain.webhook_secret_file: {path}: {error.strerror}") from error
