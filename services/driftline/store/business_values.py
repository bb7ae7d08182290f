"""What a model's answers are worth, as a file of monitors set it."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

from driftline.domain.business_value import BusinessValue, Worth

if TYPE_CHECKING:
    from driftline.store.connection import Connection

_YES = ""
_COLUMNS = ("model_name", "currency", "worths", "over", "under")
_READ = """
SELECT currency, worths, over, under FROM business_values FINAL
WHERE model_name = {model:String} AND currency != ''
"""


def read_business_value(connection: Connection, model_name: str) -> BusinessValue | None:
    """Return what a model's answers are worth; None: that is not set."""
    rows = connection.rows(_READ, {"model": model_name})
    if not rows:
        return None
    currency, worths, over, under = rows[0]
    by_class = {label: _worth(own) for label, own in dict(worths).items()}
    return BusinessValue(
        currency=str(currency),
        of_yes=by_class.pop(_YES, Worth()),
        classes=by_class,
        over=float(over),
        under=float(under),
    )


def set_business_value(connection: Connection, model_name: str, value: BusinessValue | None) -> None:
    """Have a model's answers be worth this; None: they are worth nothing. The same again changes nothing."""
    if value == read_business_value(connection, model_name):
        return
    row: list[object] = [model_name, "", {}, 0.0, 0.0]
    if value is not None:
        worths = {_YES: value.of_yes, **value.classes}
        listed = {label: list(astuple(own)) for label, own in worths.items()}
        row = [model_name, value.currency, listed, value.over, value.under]
    connection.insert("business_values", [row], column_names=_COLUMNS)


def _worth(values: list[float]) -> Worth:
    true_positive, false_positive, true_negative, false_negative = map(float, values)
    return Worth(
        true_positive=true_positive,
        false_positive=false_positive,
        true_negative=true_negative,
        false_negative=false_negative,
    )
