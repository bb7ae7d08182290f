"""Named outputs of answers that have several, encoded as features are, in fields of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.wire.bounds import MAX_OUTPUTS
from driftline.wire.layouts import FeatureEncoder
from driftline.wire.named import Kind
from driftline.wire.primitives import NULL, encode_entries
from driftline.wire.reasons import Remark
from driftline.wire.shapes import MAX_RANKED, SINGLE, Ranking, apart, one, row_values
from driftline.wire.values import is_nan, number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from driftline.wire.named import NamedValues

OUTPUTS: Final = "outputs"
"""What the argument is called in remarks; an output is ``outputs.`` and its name."""

NO_OUTPUTS: Final = NULL * 3
NO_TRUTHS: Final = NULL * 2


class OutputEncoder:
    """Encodes the outputs of single predictions. Safe to use from several threads.

    Args:
        named: encodes names and single values.
    """

    def __init__(self, named: NamedValues) -> None:
        self._named = named
        self._fields = FeatureEncoder(named, argument=OUTPUTS)

    def split(self, prediction: Any, outputs: Any) -> tuple[Any, Any]:
        """Return the one value of an answer, and its outputs by name; None: there is none.

        Args:
            prediction: an answer of any shape.
            outputs: by name, beside it; the prediction's own stand before them. None: none were given.
        """
        single, given = self._apart("prediction", prediction)
        if outputs is None:
            return single, given
        other, more = self._apart(OUTPUTS, outputs)
        if other is not None:
            more = other  # Which has no names: it is left out where it is encoded.
        if given is None or more is None:
            return single, more if given is None else given
        pairs = [*self._named.pairs(given, OUTPUTS).items(), *self._named.pairs(more, OUTPUTS).items()]
        return single, self._named.unique(pairs, OUTPUTS)

    def _apart(self, argument: str, answer: Any) -> tuple[Any, Any]:
        if type(answer) in SINGLE:
            return answer, None
        try:
            return self._named_apart(answer)
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            self._named.leave_out(argument, error)
            return None, None

    def _named_apart(self, answer: Any) -> tuple[Any, Any]:
        """Return an answer as ``apart``, with the outputs of a ranking by their names."""
        single, given = apart(answer)
        if isinstance(given, Ranking):
            return None, dict(self._ranked(given))
        return single, self._named.unique(given, OUTPUTS) if isinstance(given, list) else given

    def _ranked(self, ranking: Ranking) -> Iterator[tuple[str, Any]]:
        """Yield a ranking's outputs. What can't be an item, or a score, is left out alone."""
        items = row_values(ranking.items)
        yield "items", len(items)
        texts = [(f"item_{rank}", item, text_value) for rank, item in enumerate(items[:MAX_RANKED], 1)]
        scores = [] if ranking.scores is None else row_values(ranking.scores)[: min(MAX_RANKED, len(items))]
        numbers = [(f"score_{rank}", score, number_value) for rank, score in enumerate(scores, 1)]
        for name, value, convert in (*texts, *numbers):
            try:
                converted = convert(value)
            except Exception as error:  # noqa: BLE001 - as above.
                self._named.leave_out(f"{OUTPUTS}.{name}", error)
            else:
                yield name, converted

    def encode(self, given: Any) -> bytes:
        """Return numeric_outputs, categorical_outputs and missing_outputs.

        Args:
            given: value by name, as ``split`` returned it.
        """
        return NO_OUTPUTS if given is None else self._fields.encode(bounded(given, self._named))

    def truths(self, actual: Any) -> tuple[Any, bytes]:
        """Return the one value of a truth, and its numeric_actuals and categorical_actuals.

        A part that nobody knows yet is left away.

        Args:
            actual: a truth of any shape.

        Raises:
            ValueRefusedError: ``unencodable``: it has many rows.
        """
        if type(actual) in SINGLE:
            return actual, NO_TRUTHS
        single, given = self._named_apart(actual)
        fields: tuple[list[bytes], list[bytes]] = ([], [])
        for name, value in self._named.pairs(bounded(given, self._named), "actual").items():
            truth = one(value)
            found = None if is_nan(truth) else self._named.feature(name, truth, f"actual.{name}")
            if found is not None and found[0] is not Kind.MISSING:
                fields[found[0]].append(found[1])
        return single, b"".join(encode_entries(len(field), b"".join(field)) for field in fields)


def bounded(given: Any, named: NamedValues) -> Any:
    """Return outputs by name, as many as there may be. The others are left out, which counts once."""
    try:
        if len(given) <= MAX_OUTPUTS:
            return given
        first: Iterable[Any] = list(named.pairs(given, OUTPUTS).items())[:MAX_OUTPUTS]
    except Exception:  # noqa: BLE001 - it has no length, or none that can be asked for.
        return given
    too_many(named)
    return dict(first)


def too_many(named: NamedValues, times: int = 1) -> None:
    """Remark that an answer, or so many answers, have more outputs than are logged."""
    for _ in range(times):
        named.remarks(Remark.UNENCODABLE, OUTPUTS, f"an answer of more than {MAX_OUTPUTS} outputs is cut")
