"""Transforms: functions of one row, each known by its source."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NO_FILE: Final = "<string>"
"""Where `eval` has made a function. From 3.13 on `python -c` lends its own text to all of them."""


@dataclass(frozen=True)
class Transform:
    """A function of one row, with its source: the same call makes what is trained on and what is served.

    Args:
        source: the function's text.
        function: takes a row's values by name and returns the features by name; None: only its text is
            known here.
    """

    source: str
    function: Callable[[dict[str, Any]], Mapping[str, Any]] | None = field(compare=False, repr=False)

    @classmethod
    def of(cls, function: Transform | Callable[[dict[str, Any]], Mapping[str, Any]]) -> Transform:
        """Return a function with its source.

        Raises:
            SettingError: its source can't be read, so nothing would say when it changed.
        """
        if isinstance(function, Transform):
            return function
        try:
            source = textwrap.dedent(_source_of(function))
        except (OSError, TypeError) as error:
            raise SettingError(
                f"transform: the source of {function!r} can't be read; define it in a file, with def"
            ) from error
        return cls(source, function)

    def __call__(self, row: dict[str, Any]) -> Mapping[str, Any]:
        """Return what the function makes of one row.

        Raises:
            SettingError: only its text is known here.
        """
        if self.function is None:
            raise SettingError(
                "the transform's code is not here, only its text; import the definitions (--definitions)"
            )
        return self.function(row)


def _source_of(function: Callable[..., Any]) -> str:
    """Return a function's text.

    Raises:
        OSError, TypeError: it can't be known.
    """
    if getattr(getattr(function, "__code__", None), "co_filename", "") == _NO_FILE:
        raise OSError("it was made from a string")
    return inspect.getsource(function)
