"""What a model's answers are worth, as a file of monitors set it."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

from driftline.domain.business_value import BusinessValue, Worth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.store.connection import Connection

_YES = ""
_COLUMNS = ("model_name", "currency", "worths", "over", "under")
_READ = """
SELECT toString(model_name), currency, worths, over, under FROM business_values FINAL
WHERE currency != '' AND ({model:String} = '' OR model_name = {model:String})
"""


def read_business_values(connection: Connection, model_name: str = "") -> Mapping[str, BusinessValue]:
    """Return what answers are worth, by model, where it is set; '': of all models."""
    found = {}
    for model, currency, worths, over, under in connection.rows(_READ, {"model": model_name}):
        by_class = {label: _worth(own) for label, own in dict(worths).items()}
        found[model] = BusinessValue(
            currency=str(currency),
            of_yes=by_class.pop(_YES, Worth()),
            classes=by_class,
            over=float(over),
            under=float(under),
        )
    return found


def read_business_value(connection: Connection, model_name: str) -> BusinessValue | None:
    """Return what a model's answers are worth; None: that is not set."""
    return read_business_values(connection, model_name).get(model_name)


def set_business_value(connection: Connection, model_name: str, value: BusinessValue | None) -> None:
    """Have a model's answers be worth this; None: they are worth nothing."""
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
