"""Reference rows: what serving is compared with, logged as predictions of environment ``reference``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from driftline.errors import LogError, SettingError
from driftline.sdk.batch import prediction_table
from driftline.sdk.columns import check_length, listed
from driftline.wire import ValueRefusedError
from driftline.wire.named import NamedValues
from driftline.wire.reasons import no_remarks
from driftline.wire.values import feature_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.sdk.logger import PredictionLogger


@dataclass(frozen=True, slots=True)
class Reference:
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
