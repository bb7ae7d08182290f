"""Which stream of predictions, and which hour of it: what is derived, judged and counted by itself."""

from __future__ import annotations

from typing import Final, NamedTuple

PRODUCTION: Final = "production"
"""The environment whose predictions matter to somebody now."""

REFERENCE: Final = "reference"
"""The environment of the rows that a training run was registered with."""


class Stream(NamedTuple):
    """One stream of predictions.

    Args:
        model_name: the model.
        model_version: its version.
        environment: where it served, or ``reference``.
    """

    model_name: str
    model_version: str
    environment: str

    @property
    def identity(self) -> str:
        """The stream in one text, which no other stream has, whatever is in its names."""
        return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in self)


class HourKey(NamedTuple):
    """One hour of a stream.

    Args:
        stream: which.
        hour: hours since the Unix epoch, UTC.
    """

    stream: Stream
    hour: int
