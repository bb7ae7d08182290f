"""Registering a training run: what every prediction of its model version is traced back to."""

from __future__ import annotations

import os
import random as random_module
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from driftline.errors import LogError, LogFullError, SettingError
from driftline.log import EventLog, Record, default_log_url, open_log
from driftline.sdk.arguments import check_name, check_text, checked_numbers, checked_texts
from driftline.sdk.batch import prediction_table
from driftline.sdk.columns import check_length, listed
from driftline.sdk.logger import PredictionLogger
from driftline.sdk.runtime import git_state, runtime_versions
from driftline.wire import (
    TRAINING_RUN,
    TRAINING_RUNS_TOPIC,
    ValueRefusedError,
    encode_record,
    new_id,
)
from driftline.wire.named import NamedValues
from driftline.wire.reasons import no_remarks
from driftline.wire.values import feature_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REFERENCE_ENVIRONMENT = "reference"
_RETRY_S = 0.2
_system_random = random_module.SystemRandom().getrandbits


def register_training_run(
    training_run_id: str | None = None,
    *,
    model_name: str,
    model_version: str,
    log: str | EventLog | None = None,
    artifact_uri: str | None = None,
    git_commit: str | None = None,
    git_dirty: bool | None = None,
    data_uri: str | None = None,
    data_fingerprint: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    reference: Any = None,
    reference_predictions: Any = None,
    reference_labels: Any = None,
    reference_event_times: Any = None,
    reference_actuals: Any = None,
    reference_tags: Mapping[str, Any] | None = None,
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.time,
    random: Callable[[int], int] = _system_random,
) -> str:
    """Register a training run, with the rows that serving will be compared with.

    The reference rows are logged as predictions of environment ``reference`` under the run, by a
    ``PredictionLogger``: training and serving are profiled by the same code. They should be rows that
    the model has not been fitted to. The run itself comes last, so that a run which is known is known
    in whole. Registered again with reference rows, the run (or the model version) has these as its
    reference, and no others: rules and grids are learned anew. Unlike logging, this raises: it is part of
    training, not of serving. On Kafka it returns when the brokers have acknowledged everything; nothing
    waits on this host's disk, where a training job that ends may leave it for ever.

    Args:
        training_run_id: identity of the run. Default: a new UUIDv7.
        model_name: the model that was trained.
        model_version: the version that the run made.
        log: the event log's URL, or a log. Default: as in ``PredictionLogger``.
        artifact_uri: where the trained model lies.
        git_commit: commit of the training code. Default: that of the work tree around the current
            folder, if there is one.
        git_dirty: whether the work tree had changes besides. Default: found likewise.
        data_uri: where the training data lies, with its version.
        data_fingerprint: its checksum, with the algorithm's name: ``sha256:...``.
        parameters: hyperparameters; kept as text.
        metrics: what was measured of the model: numbers by name.
        tags: whatever else the run is to be found by; kept as text.
        reference: features of n reference rows: a DataFrame, an Arrow table or a dict of columns.
        reference_predictions: what the model predicts for them. Length n.
        reference_labels: the classes decided for. Length n.
        reference_event_times: when the rows are from. Length n. Default: now.
        reference_actuals: their truths, logged as outcomes; None and NaN: not known. Length n.
        reference_tags: segments of the rows: by name, a column or one value for all.
        timeout_s: how long to wait for the log at most, seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.

    Returns:
        The training_run_id, to be given to ``PredictionLogger``.

    Raises:
        SettingError: (a ValueError) an argument is wrong. Nothing was logged.
        LogError: the log takes nothing, or a reference row is too large for it. Some reference rows may
            have been logged.
    """
    run_id = new_id(clock, random) if training_run_id is None else training_run_id
    identity: dict[str, Any] = {
        "training_run_id": run_id,
        "model_name": model_name,
        "model_version": model_version,
    }
    for name, text in identity.items():
        check_name(name, text)
    rows = _Reference.from_arguments(
        actuals=reference_actuals,
        features=reference,
        predictions=reference_predictions,
        labels=reference_labels,
        event_times=reference_event_times,
        tags=reference_tags,
    )
    event = {
        **identity,
        **_code_state(git_commit, git_dirty),
        **_checked_places(artifact_uri=artifact_uri, data_uri=data_uri, data_fingerprint=data_fingerprint),
        "registered_time": int(clock() * 1e6),
        "reference_rows": 0 if rows is None else rows.length,
        "runtime": runtime_versions(),
        "parameters": dict(checked_texts("parameters", parameters)),
        "metrics": dict(checked_numbers("metrics", metrics)),
        "tags": dict(checked_texts("tags", tags)),
    }
    with _opened(log) as target:
        if rows is not None:
            environment: dict[str, Any] = {"environment": REFERENCE_ENVIRONMENT, "log": target}
            with PredictionLogger(**identity, **environment, clock=clock, random=random) as logger:
                rows.log(logger, timeout_s)
                event["reference_session_id"] = logger.session_id
        record = Record(TRAINING_RUNS_TOPIC, run_id.encode(), encode_record(TRAINING_RUN, event))
        _append(target, record, timeout_s)
    return run_id


def _append(log: EventLog, record: Record, timeout_s: float) -> None:
    """Append the run, trying again for a while: a cluster may be choosing a new leader.

    Raises:
        LogError: the log does not take it in time, or is full.
    """
    end = time.monotonic() + timeout_s
    with closing(log.writer()) as writer:
        while True:
            try:
                writer.append([record])
            except LogFullError:
                raise
            except LogError:
                if time.monotonic() + _RETRY_S > end:
                    raise
                time.sleep(_RETRY_S)
            else:
                return


def _code_state(git_commit: str | None, git_dirty: bool | None) -> Mapping[str, Any]:
    """Return the commit and whether there were changes: as told, else as found."""
    if git_commit is None:
        found, found_dirty = git_state(Path.cwd())
        return {"git_commit": found, "git_dirty": found_dirty if git_dirty is None else git_dirty}
    check_text("git_commit", git_commit)
    return {"git_commit": git_commit, "git_dirty": git_dirty}


def _checked_places(**places: str | None) -> Mapping[str, str | None]:
    """Return texts that may be missing, but not empty.

    Raises:
        SettingError: one is empty, or no text.
    """
    for name, text in places.items():
        if text is not None:
            check_text(name, text)
    return places


@contextmanager
def _opened(log: str | EventLog | None) -> Iterator[EventLog]:
    """Open a log that is given as URL, and close it again; leave one that is open as it is."""
    with ExitStack() as stack:
        if log is None or isinstance(log, str):
            log = stack.enter_context(open_log(default_log_url(os.environ) if log is None else log))
        yield stack.enter_context(log.without_spill())


@dataclass(frozen=True, slots=True)
class _Reference:
    """Reference rows that are known to make a table.

    Args:
        table: the arguments of ``log_batch``.
        length: how many rows.
        actuals: the truth by row, for rows whose truth is known.
    """

    table: Mapping[str, Any]
    length: int
    actuals: Mapping[int, float | str]

    @classmethod
    def from_arguments(cls, *, actuals: Any, **table: Any) -> Self | None:
        """Return the rows, checked, or None when there are none.

        Raises:
            SettingError: an argument is no column, columns differ in length, or a value does not fit.
        """
        if table["features"] is None and table["predictions"] is None:
            given = [name for name, column in (*table.items(), ("actuals", actuals)) if column is not None]
            if given:
                raise SettingError(f"reference_{given[0]} needs reference or reference_predictions beside it")
            return None
        columns = prediction_table(NamedValues(no_remarks), probabilities=None, **table)
        truths: dict[int, float | str] = {}
        if actuals is not None:
            values = listed(actuals, "reference_actuals")
            check_length(len(values), columns.length, "reference_actuals")
            truths = _known_truths(values)
        return cls(table, columns.length, truths)

    def log(self, logger: PredictionLogger, timeout_s: float) -> None:
        """Log the rows, and wait until the log has them.

        Raises:
            LogError: it does not take them in time.
        """
        event_ids = logger.log_batch(**self.table, timeout_s=timeout_s)
        logger.log_outcomes(
            [event_ids[row] for row in self.actuals], list(self.actuals.values()), timeout_s=timeout_s
        )
        is_taken = logger.flush(timeout_s)
        stats = logger.stats()
        if not is_taken or stats.dropped:
            raise LogError(
                f"the event log took {stats.appended} of {self.length + len(self.actuals)} reference events "
                f"within {timeout_s} s; the run is not registered"
            )


def _known_truths(values: Sequence[Any]) -> dict[int, float | str]:
    """Return the truth by row, without the rows whose truth is not known.

    Raises:
        SettingError: a truth does not fit the wire.
    """
    truths: dict[int, float | str] = {}
    for row, value in enumerate(values):
        try:
            truth = feature_value(value)
            if isinstance(truth, str):
                truth.encode()
        except (ValueRefusedError, UnicodeEncodeError) as error:
            raise SettingError(f"reference_actuals, row {row}: {error}") from None
        if truth is not None and truth == truth:  # noqa: PLR0124 - NaN is no truth.
            truths[row] = truth
    return truths
