"""A training run around the code that trains: as a block, or around a function."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from driftline.errors import SettingError
from driftline.sdk.training import RegisteredRun, register_training_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

_BY_NAME = ("parameters", "metrics", "cost", "features", "tags", "waive")


class OpenTrainingRun:
    """Measures a training, collects the arguments of its registration, and registers it at the end.

    Args:
        monotonic: a clock in seconds.
        cpu: seconds that this process has computed.
        arguments: of ``register_training_run``.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        **arguments: Any,
    ) -> None:
        self._monotonic = monotonic
        self._cpu = cpu
        self._arguments: dict[str, Any] = {}
        self._began = (0.0, 0.0)
        self._registered: RegisteredRun | None = None
        self.add(**arguments)

    def add(self, **arguments: Any) -> None:
        """Take more arguments of ``register_training_run``: mappings are joined, all others replaced."""
        for name, value in arguments.items():
            if name in _BY_NAME and self._arguments.get(name) and value:
                self._arguments[name] = {**self._arguments[name], **value}
            else:
                self._arguments[name] = value

    @property
    def registered(self) -> RegisteredRun:
        """The run's id, which knows its version.

        Raises:
            SettingError: the block has not ended yet, or it raised.
        """
        if self._registered is None:
            raise SettingError("the training run is registered when its block has ended")
        return self._registered

    def __enter__(self) -> Self:
        self._began = self._monotonic(), self._cpu()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        wall_s, cpu_s = self._monotonic() - self._began[0], self._cpu() - self._began[1]
        cost = {"wall_s": wall_s, "cpu_s": cpu_s, **(self._arguments.get("cost") or {})}
        self._registered = register_training_run(**{**self._arguments, "cost": cost})

    def __call__(self, train: Callable[Concatenate[OpenTrainingRun, P], R]) -> Callable[P, R]:
        """Return a function that registers a run each time that it is called."""

        @functools.wraps(train)
        def registering(*args: P.args, **kwargs: P.kwargs) -> R:
            with OpenTrainingRun(monotonic=self._monotonic, cpu=self._cpu, **self._arguments) as run:
                return train(run, *args, **kwargs)

        return registering


def training_run(**arguments: Any) -> OpenTrainingRun:
    """Return a training run that is registered when its block ends: ``register_training_run`` as a block.

    ::

        with training_run(model_name="flight-delay", data="s3://flights/2013") as run:
            model = fit(rows)
            run.add(artifact=save(model), metrics={"test": {"auc": score(model)}})
        run.registered.model_version

    A block that raises registers nothing. Around a function, which then gets a run of its own as its first
    argument each time that it is called::

        @training_run(model_name="flight-delay", data="s3://flights/2013")
        def train(run, depth): ...

    Args:
        arguments: of ``register_training_run``; ``cost`` is measured.
    """
    return OpenTrainingRun(**arguments)
