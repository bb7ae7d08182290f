"""A model, or a function, that answers as before and logs each answer: one line in a service."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from driftline.errors import SettingError
from driftline.sdk.answers import Answers, answers_of
from driftline.sdk.inputs import Inputs, inputs_of, settled
from driftline.sdk.loggers import leave_out, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from driftline.sdk.logger import PredictionLogger

METHODS: Final = ("predict", "predict_proba")
_OWN: Final = ("_driftline_calls", "_driftline_model")
_NAMES_OF_FEATURES = ("feature_names_in_", "feature_names_", "feature_names", "feature_name_", "feature_name")
"""What scikit-learn, CatBoost, XGBoost and LightGBM call them."""

_event_ids: ContextVar[tuple[str | None, ...]] = ContextVar("driftline_event_ids", default=())

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """How the calls of a model are logged: the arguments of ``wrap``."""

    features: Sequence[str] | Callable[..., Any] | None = None
    classes: Sequence[Any] | None = None
    threshold: float | None = None
    methods: tuple[str, ...] = METHODS
    answer: Callable[[Any], Mapping[str, Any]] | None = None


def wrap(
    model: Any,
    *,
    logger: PredictionLogger,
    features: Sequence[str] | Callable[..., Any] | None = None,
    classes: Sequence[Any] | None = None,
    threshold: float | None = None,
    methods: Sequence[str] = METHODS,
    answer: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Any:
    """Return an object that predicts as a model does, and logs each row that it answers for.

    It answers with the very object that the model answers with, raises what the model raises, and nothing of
    its own. What can't be logged is counted, as ``log`` does. A model that was wrapped can be sent to another
    process, and can be used after a fork.

    Names of features come from the input (a frame, a mapping) or the model (``feature_names_in_`` and its
    like), classes from ``classes_``. Of ``predict`` the answer is logged: the label of a model that has
    classes, else the number. Of ``predict_proba`` all probabilities are, with the likelier class as the label
    and, of two classes, the second one's probability as the number. So a service that calls both for the same
    rows names one of them in ``methods``. The time that a call took is logged, shared by its rows.

    Args:
        model: has ``predict``, ``predict_proba`` or both, or is called itself.
        logger: of this model's version.
        features: names for inputs that have none, where the model does not know them; or a function that
            takes what the model is called with and returns the features of one row, or a table of many.
        classes: in the order of the columns of probabilities, where the model does not know them.
        threshold: from which probability on the second of two classes is the label. Default: the likelier.
        methods: which are logged; a call of the model itself is always.
        answer: for answers of another kind: takes one and returns arguments of ``log`` for its one row, such
            as ``prediction``, ``label``, ``probabilities``, ``entity_id`` or ``tags``.

    Raises:
        SettingError: there is nothing that could be logged.
    """
    options = Options(features, classes, threshold, tuple(methods), answer)
    if not callable(model) and not any(hasattr(model, name) for name in options.methods):
        wanted = ", ".join(options.methods) or "none"
        raise SettingError(f"model: a {type(model).__name__} is not callable, and has none of {wanted}")
    kind = WrappedCallable if callable(model) else WrappedModel
    return kind(model, logger, options)


def logged(
    logger: PredictionLogger,
    *,
    features: Sequence[str] | Callable[..., Any] | None = None,
    classes: Sequence[Any] | None = None,
    threshold: float | None = None,
    answer: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Callable[[_Function], _Function]:
    """Return a decorator that has each answer of a function logged, as ``wrap`` does with a model.

    A function of one argument that is a table, a mapping or an object with fields is asked about these rows;
    the arguments of any other are its features, by their names. It may be a coroutine.

    Args:
        logger: as in ``wrap``.
        features: as in ``wrap``; names say which arguments are features.
        classes: as in ``wrap``.
        threshold: as in ``wrap``.
        answer: as in ``wrap``.
    """

    def decorate(function: _Function) -> _Function:
        own = features if features is None or callable(features) else tuple(features)
        options = Options(own if callable(own) else _Arguments(function, own), classes, threshold, (), answer)
        calls = Calls(function, logger, options)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def answered(*args: Any, **kwargs: Any) -> Any:
                return await calls.call(function, args, kwargs)

            return answered  # type: ignore[return-value]  # It is called as the function is.

        @functools.wraps(function)
        def answers(*args: Any, **kwargs: Any) -> Any:
            return calls.call(function, args, kwargs)

        return answers  # type: ignore[return-value]  # As above.

    return decorate


class _Arguments:
    """Takes the features out of what a function is called with.

    Args:
        function: the function.
        names: of those arguments that are features; None: all.
    """

    def __init__(self, function: Callable[..., Any], names: Sequence[str] | None) -> None:
        self._signature = inspect.signature(function)
        self._names = names

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {name: value for name, value in bound.arguments.items() if name not in {"self", "cls"}}
        if self._names is not None:
            return {name: [given.get(name)] for name in self._names}
        if len(given) == 1:
            ((name, value),) = given.items()
            inputs = inputs_of(value, ())
            return {name: [value]} if inputs.count == 1 and _is_unnamed(inputs) else value
        return {name: [value] for name, value in given.items()}


def _is_unnamed(inputs: Inputs) -> bool:
    return isinstance(inputs.table, dict) and list(inputs.table) == ["x0"]


class Calls:
    """Logs the calls of one model.

    Args:
        model: knows the names of its features, and its classes.
        logger: where to.
        options: how.
    """

    __slots__ = ("_model", "_names", "logger", "options")

    def __init__(self, model: Any, logger: PredictionLogger, options: Options) -> None:
        self._model = model
        self._names: Sequence[str] = ()
        self.logger = logger
        self.options = options

    def call(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str = ""
    ) -> Any:
        """Return what a method answers; log it. An answer that is awaited is logged once it is there."""
        _event_ids.set(())
        given = self._given(args, kwargs)
        began_s = time.perf_counter()
        answer = method(*args, **kwargs)
        if inspect.isawaitable(answer):
            return self._awaited(answer, name, given, began_s)
        self._log(given, name, answer, time.perf_counter() - began_s)
        return answer

    async def _awaited(self, answer: Awaitable[Any], name: str, given: Any, began_s: float) -> Any:
        known = await answer
        self._log(given, name, known, time.perf_counter() - began_s)
        return known

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what to log of what a model is called with, as it is before the call."""
        with suppress(Exception):
            if callable(self.options.features):
                return self.options.features(*args, **kwargs)
            given = args[0] if args else next(iter(kwargs.values()), None)
            return dict(given) if isinstance(given, Mapping) else given
        return None

    def _log(self, given: Any, method: str, answer: Any, took_s: float) -> None:
        """Log an answer; never raises."""
        try:
            inputs = inputs_of(given, self._feature_names(given))
            if self.options.answer is not None:
                self._log_own(settled(inputs, 1), self.options.answer(answer), took_s)
                return
            own = self._own_classes()
            classes = own if self.options.classes is None else self.options.classes
            are_labels = bool(own) and method == "predict"
            answers = answers_of(answer, inputs.count, classes, self.options.threshold, are_labels=are_labels)
            inputs = settled(inputs, answers.count)
            for name, problem in (("features", inputs.problem), ("prediction", answers.problem)):
                if problem:
                    leave_out(self.logger, name, problem)
            if inputs.count not in {None, answers.count}:
                detail = f"{inputs.count} rows, and answers for {answers.count}"
                raise SettingError(detail)  # noqa: TRY301 - it is counted below, as all are
            self._log_answers(inputs, answers, took_s * 1e6 / max(1, answers.count))
        except Exception as error:  # noqa: BLE001 - the model has answered; that counts.
            with suppress(Exception):
                refuse(self.logger, error)

    def _log_answers(self, inputs: Inputs, answers: Answers, compute_us: float) -> None:
        if answers.count == 1:
            logged = self.logger.log(
                inputs.row(),
                None if answers.predictions is None else answers.predictions[0],
                label=None if answers.labels is None else answers.labels[0],
                probabilities=answers.only_probabilities(),
                compute_us=compute_us,
            )
            _event_ids.set((logged,))
        elif answers.count:
            several = self.logger.log_batch(
                inputs.table,
                answers.predictions,
                labels=answers.labels,
                probabilities=answers.probabilities,
                compute_times_us=[compute_us] * answers.count,
                timeout_s=0.0,
            )
            _event_ids.set(tuple(several))

    def _log_own(self, inputs: Inputs, arguments: Mapping[str, Any], took_s: float) -> None:
        own = {"features": inputs.row(), "compute_us": took_s * 1e6, **arguments}
        _event_ids.set((self.logger.log(**own),))

    def _feature_names(self, given: Any) -> Sequence[str]:
        """Return the names of the columns of what has no names itself."""
        if self.options.features is not None:
            return () if callable(self.options.features) else self.options.features
        width = getattr(given, "shape", (0,))[-1:]
        if not self._names or width != (len(self._names),):
            self._names = _names_of(self._model)
        return self._names

    def _own_classes(self) -> Sequence[Any]:
        """Return the classes that the model knows; empty: it decides between none, or for several at once."""
        with suppress(Exception):  # A model that decides between none may raise whatever it likes.
            found = self._model.classes_
            classes = found.tolist() if hasattr(found, "tolist") else list(found)
            if not any(isinstance(each, list) or getattr(each, "shape", ()) for each in classes):
                return classes
        return ()


def _names_of(model: Any) -> Sequence[str]:
    """Return what a model calls its features; empty: it does not say."""
    for name in _NAMES_OF_FEATURES:
        with suppress(Exception):  # XGBoost raises where it has none.
            found = getattr(model, name)
            names = [str(each) for each in (found() if callable(found) else found)]
            if names:
                return names
    return ()


class WrappedModel:
    """A model whose answers are logged; in all else the model. See ``wrap``.

    Args:
        model: the model.
        logger: where to.
        options: how.
    """

    __slots__ = ("__weakref__", *_OWN)

    def __init__(self, model: Any, logger: PredictionLogger, options: Options) -> None:
        object.__setattr__(self, "_driftline_model", model)
        object.__setattr__(self, "_driftline_calls", Calls(model, logger, options))

    @property
    def __wrapped__(self) -> Any:
        """The model itself."""
        return self._driftline_model

    @property
    def driftline_logger(self) -> PredictionLogger:
        """The logger that answers go to, to be closed or flushed."""
        logger: PredictionLogger = self._driftline_calls.logger
        return logger

    @property
    def event_ids(self) -> Sequence[str | None]:
        """The ids of what the last call in this thread, or task, logged, row by row; None: it was dropped."""
        return _event_ids.get()

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:  # While it is being made.
            raise AttributeError(name)
        found = getattr(self._driftline_model, name)
        calls = self._driftline_calls
        if name not in calls.options.methods or not callable(found):
            return found

        @functools.wraps(found)
        def answers(*args: Any, **kwargs: Any) -> Any:
            return calls.call(found, args, kwargs, name)

        return answers

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._driftline_model, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._driftline_model, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._driftline_model), "driftline_logger", "event_ids"})

    def __bool__(self) -> bool:
        return bool(self._driftline_model)

    def __repr__(self) -> str:
        return f"wrap({self._driftline_model!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        calls = self._driftline_calls
        return type(self), (self._driftline_model, calls.logger, calls.options)


class WrappedCallable(WrappedModel):
    """A model that is called itself; see ``wrap``."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer as the model does, and log it."""
        return self._driftline_calls.call(self._driftline_model, args, kwargs)
