"""The logger that lives inside an inference service."""

from __future__ import annotations

import threading
import time
import weakref
from os import environ
from typing import TYPE_CHECKING, Any, Self

from driftline.forks import is_noticed, notice_fork
from driftline.log import EventLog, LogWriter, default_log_url
from driftline.registry.policy import POLICY_VARIABLE
from driftline.sdk.batch import (
    OutcomeColumns,
    offer_slices,
    outcome_record,
    outcome_slices,
    prediction_slices,
    prediction_table,
)
from driftline.sdk.deployed import logger_names
from driftline.sdk.loggers import arrive, known_loggers
from driftline.sdk.request import current_request, note_logged
from driftline.sdk.session import NAMES, LoggerSettings, Session, system_random
from driftline.sdk.shipper import Pace
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.sdk.buffer import Stats

_HEARTBEAT_INTERVAL_S = 5.0


class PredictionLogger:
    """Logs the predictions of one model version, and their outcomes.

    The constructor raises on bad arguments. From then on the caller is safe: ``log`` and
    ``log_outcome`` never raise, never wait and hold bounded memory, whatever happens behind them; an
    event that can't be accepted is dropped, counted by reason (``stats``), and a warning through
    ``logging`` ("driftline.sdk") says so once per reason. A background thread appends the events to
    the log and retries for as long as the log takes none.

    Safe to use from several threads, and across a fork: the child has a session of its own, as a process has
    to which a logger is sent (pickled; its log is a URL then). The thread starts with the first event, so a
    server that makes its logger before it forks its workers forks without it.

    The end of the process appends what is left, for 5 s at most, also when SIGTERM ends it: where that
    signal would kill the process at once and the logger is made on the main thread, a handler has all
    loggers closed first, while the main thread goes on; then the process dies by the signal as before.
    Python runs it only between two steps of the main thread. A handler that someone else set, before or
    after, is left alone. A forked child has the signal's default until it logs on its main thread.

    Args:
        model_name: which model; stable over its versions. ``MODEL@production`` or ``MODEL@ALIAS``, and
            neither version nor run: what that names now, looked up in the log.
        model_version: which version of the model answers.
        training_run_id: which training run made it: see ``register_training_run``.
        log: the event log's URL, or a log or writer that is open already (the caller closes it).
            Default: the environment's ``DRIFTLINE_LOG``, else a folder under the user's data folder.
        environment: production (prod, prd and live are the same), shadow, canary or a name of your own.
        tags: segments such as region or tenant that every event has, unless it has its own of that name.
        flush_interval_s: how often events are appended, seconds; what is younger dies with the process.
        heartbeat_interval_s: how often the session reports its progress, seconds, when anything happened.
        queue_bytes: bound of the memory that events take while they wait for the log.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: gives as many random bits as asked for, as an integer.
        categorical: features that are categories, whatever the type of their values: ``store_id``.

    Raises:
        SettingError: (a ValueError) an argument is missing, empty or wrong; the message names it. Or the
            policy that ``DRIFTLINE_POLICY`` names refuses a version that nobody registered.
        NotFoundError: ``MODEL@NAME`` names no version. So does LogError, where the log can't be asked.
    """

    def __init__(
        self,
        *,
        model_name: str = "",
        model_version: str = "",
        training_run_id: str = "",
        log: str | EventLog | LogWriter | None = None,
        environment: str = "production",
        tags: Mapping[str, Any] | None = None,
        flush_interval_s: float = 0.1,
        heartbeat_interval_s: float = _HEARTBEAT_INTERVAL_S,
        queue_bytes: int = 64 << 20,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], int] = system_random,
        categorical: Collection[str] | None = None,
    ) -> None:
        given = (model_name, model_version, training_run_id, environment)
        texts = dict(zip(NAMES, given, strict=True))
        self._settings = LoggerSettings.checked(
            logger_names(texts, log, environ.get(POLICY_VARIABLE)),
            tags=tags,
            log=default_log_url(environ) if log is None else log,
            queue_bytes=queue_bytes,
            pace=Pace(flush_interval_s, heartbeat_interval_s),
            clock=clock,
            random=random,
            categorical=categorical,
        )
        self._is_closed = False
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._own_session()
        known_loggers.add(self)

    def log(
        self,
        features: Mapping[str, Any] | None = None,
        prediction: Any = None,
        *,
        label: Any = None,
        probabilities: Any = None,
        entity_id: Any = None,
        request_id: Any = None,
        trace_id: Any = None,
        tags: Mapping[str, Any] | None = None,
        event_time: Any = None,
        latency_us: float | None = None,
        compute_us: float | None = None,
        event_id: Any = None,
        outputs: Any = None,
        classes: Any = None,
    ) -> str | None:
        """Log one prediction. Never raises, never waits.

        Everything is encoded before the call returns, so the arguments may be changed afterwards.
        ``driftline.wire.values`` describes how values are converted; what the wire can't carry is left
        out, counted (``stats``) and warned of once, and the rest is logged.

        Args:
            features: the model's inputs, value by name; None, NA and NaT: the input had no value.
            prediction: a number or a label; or several outputs, or a ranking: ``driftline.wire.shapes``.
            label: the class decided for, beside a number.
            probabilities: probability by class, or in the order of ``classes``.
            entity_id: what the prediction is about: a customer, a flight.
            request_id: the request that asked for it.
            trace_id: W3C trace id: 32 hexadecimal digits, or OpenTelemetry's integer.
            tags: segments, beside the logger's own, which these override.
            event_time: when the prediction was made: a datetime (a naive one is UTC) or another time,
                seconds since 1970 or a text in ISO 8601. Default: now.
            latency_us: from request to answer, microseconds.
            compute_us: spent computing the answer, microseconds.
            event_id: a UUID of your own, to be used once. Default: a new UUIDv7.
            outputs: what it answers beside the prediction, such as quantiles: value by name.
            classes: what ``probabilities`` without names are of. Default: they are numbered.

        Returns:
            The event_id, for ``log_outcome`` and ``driftline trace``; None when the event was dropped.
        """
        session = self._session
        try:
            if session is None or not is_noticed[0]:
                session = self._own_session()
            request = current_request.get()
            if request is not None:
                known = request.completed(entity_id, request_id, trace_id, tags, latency_us)
                entity_id, request_id, trace_id, tags, latency_us = known
            now_s = self._settings.clock()
            identity, record = session.encoder.prediction(
                now_s,
                features,
                prediction,
                label,
                probabilities,
                entity_id,
                request_id,
                trace_id,
                tags,
                event_time,
                latency_us,
                compute_us,
                event_id,
                outputs,
                classes,
            )
            if session.offer(PREDICTIONS_TOPIC, record, now_s):
                return identity if request is None else request.noted(identity)
        except Exception as error:  # noqa: BLE001 - a caller is never harmed.
            if session is not None:
                session.refuse_for(PREDICTIONS_TOPIC, error)
        return None

    def log_batch(
        self,
        features: Any = None,
        predictions: Any = None,
        *,
        labels: Any = None,
        probabilities: Any = None,
        entity_ids: Any = None,
        request_ids: Any = None,
        trace_ids: Any = None,
        tags: Mapping[str, Any] | None = None,
        event_times: Any = None,
        latencies_us: Any = None,
        compute_times_us: Any = None,
        event_ids: Any = None,
        timeout_s: float = 30.0,
        outputs: Any = None,
        classes: Any = None,
    ) -> list[str | None]:
        """Log many predictions, several times as fast as one by one, with the same result.

        Values become what they become in ``log``; in what is made of pandas NaN is a missing value. A row
        that is too large is dropped and counted; but arguments that are no table, or columns of different
        lengths, are an error in the program and raise before anything is logged. May wait for room in the
        queue: batches are not what a request waits for.

        Args:
            features: a DataFrame, an Arrow table or a dict of columns; n rows.
            predictions: numbers or labels, or answers of any shape that ``log`` takes. Columns are lists,
                arrays, Series or Arrow arrays of length n. A table has a column by output, a matrix too.
            labels: the classes decided for.
            probabilities: a column by class, or a matrix in the order of ``classes``.
            entity_ids: what the predictions are about.
            request_ids: the requests that asked for them.
            trace_ids: W3C trace ids.
            tags: by name, a column or one value for all rows.
            event_times: when the predictions were made. Default: now.
            latencies_us: from request to answer, microseconds.
            compute_times_us: spent computing the answers, microseconds.
            event_ids: UUIDs of your own.
            timeout_s: how long to wait for room at most, seconds; then rows are dropped (``queue_full``).
            outputs: a table of what is answered beside the predictions.
            classes: what the columns of ``probabilities`` without names are of.

        Returns:
            The event_ids, None where a row was dropped. Length n.

        Raises:
            SettingError: (a ValueError) an argument is no column, or the columns differ in length.
        """
        session = self._own_session()
        table = prediction_table(
            session.encoder.named,
            features=features,
            predictions=predictions,
            probabilities=probabilities,
            tags=tags,
            labels=labels,
            entity_ids=entity_ids,
            request_ids=request_ids,
            trace_ids=trace_ids,
            event_times=event_times,
            latencies_us=latencies_us,
            compute_times_us=compute_times_us,
            event_ids=event_ids,
            outputs=outputs,
            classes=classes,
            categorical=self._settings.categorical,
        )
        slices = prediction_slices(session.encoder, table, self._settings.clock)
        return note_logged(offer_slices(session, PREDICTIONS_TOPIC, slices, timeout_s))

    def log_outcome(
        self,
        event_id: Any,
        actual: Any = None,
        *,
        observed_time: Any = None,
        revision: Any = 0,
        acted_on: Any = None,
    ) -> bool:
        """Log the ground truth of a prediction, whichever logger made it. Never raises, never waits.

        Every outcome is kept. Of several the one with the highest revision counts, then what was logged last.

        Args:
            event_id: what ``log`` returned for the prediction.
            actual: a number or a label, or several by name. May be left out where ``acted_on`` is given.
            observed_time: when the truth became known, as ``event_time`` of ``log``. Default: now.
            revision: a whole number that grows with each correction, such as a row version of your own.
            acted_on: whether somebody acted on it, so that what came true is not what would have been.

        Returns:
            Whether it was accepted; if not, it is counted as dropped.
        """
        session = self._session
        try:
            session, now_s = self._own_session(), self._settings.clock()
            row = OutcomeColumns(event_id, actual, observed_time, revision, acted_on)
            return session.offer(OUTCOMES_TOPIC, outcome_record(session, row, now_s), now_s)
        except Exception as error:  # noqa: BLE001 - as in ``log``.
            if session is not None:
                session.refuse_for(OUTCOMES_TOPIC, error)
            return False

    def log_outcomes(
        self,
        event_ids: Any,
        actuals: Any,
        *,
        observed_times: Any = None,
        revisions: Any = None,
        acted_on: Any = None,
        timeout_s: float = 30.0,
    ) -> list[bool]:
        """Log the ground truth of many predictions, as ``log_outcome`` does one by one.

        Args:
            event_ids: what ``log`` or ``log_batch`` returned. A column of length n.
            actuals: numbers or labels. Length n.
            observed_times: when each truth became known. Length n. Default: now.
            revisions: whole numbers. Length n. Default: 0.
            acted_on: whether somebody acted on each. Length n. Default: not given.
            timeout_s: how long to wait for room in the queue at most, seconds.

        Returns:
            Whether each was accepted. Length n.

        Raises:
            SettingError: (a ValueError) an argument is no column, or the columns differ in length.
        """
        session = self._own_session()
        columns = OutcomeColumns(event_ids, actuals, observed_times, revisions, acted_on)
        slices = outcome_slices(session, columns, self._settings.clock)
        return [kept is not None for kept in offer_slices(session, OUTCOMES_TOPIC, slices, timeout_s)]

    @property
    def model_version(self) -> str:
        """The version that answers."""
        return self._settings.model_version

    @property
    def session_id(self) -> str:
        """The id of this logger's session in this process."""
        return self._own_session().fields.session_id

    def stats(self) -> Stats:
        """Return what became of this session's events so far."""
        return self._own_session().stats()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until the log has taken every event accepted so far; return whether it has.

        Args:
            timeout: how long to wait at most, seconds.
        """
        return self._own_session().shipper.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Append what is left and end the session; return whether every event was appended.

        Events logged later are dropped (``closed``). Comes back in time even if the log hangs; what it has
        not taken by then is counted as abandoned and reported through ``logging``. Closing twice is allowed.

        Args:
            timeout: how long to wait at most, seconds.
        """
        self._is_closed = True
        self._finalizer.detach()
        return self._own_session().close(timeout)

    def batch_done(self, timeout: float = 30.0) -> bool:
        """Append what is left and end the session: the batch is whole, and its last hour need wait for none.

        The next event begins a session. Call it while no other thread logs; else as ``close``.
        """
        session = self._own_session()
        if not self._is_closed:
            self._forget_session()
        return session.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., PredictionLogger], tuple[Any, ...]]:
        """Arrive in another process as a logger that is made there, with a session of its own."""
        return arrive, (PredictionLogger, self._settings.arguments(), self._is_closed)

    def _own_session(self) -> Session:
        """Return this process's session; begin it when there is none yet."""
        notice_fork()
        if self._session is not None:
            return self._session
        with self._lock:
            if self._session is None:
                session = Session(self._settings)
                if self._is_closed:  # Before a fork; the child may not log either.
                    session.buffer.close()
                # A logger that nobody holds any more: its thread appends what is left, and ends.
                self._finalizer = weakref.finalize(self, session.shipper.request_close, _HEARTBEAT_INTERVAL_S)
                self._finalizer.atexit = False  # Sessions see to that themselves, and wait.
                self._session = session
            return self._session

    def _forget_session(self) -> None:
        """Leave the session to the parent, in a forked child, or to its end. A new one begins when asked."""
        self._finalizer.detach()
        self._lock = threading.Lock()  # The parent's may be held by a thread that is not here.
        self._session = None
