"""What is wrong with a file of monitors, and where."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from driftline.errors import SettingError

_plain_name = re.compile(r"[\w*-]+").fullmatch


def quoted(text: str, *, most: int = 60) -> str:
    """Return a text in quotes, as one line that can be printed; cut where it is longer than `most`."""
    shown = json.dumps(text if len(text) <= most else f"{text[:most]}...", ensure_ascii=False)
    return "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in shown
    )


class Place(NamedTuple):
    """Where something stands in a file; lines and columns count from 1.

    Args:
        line: its line.
        column: its column.
        path: the keys that lead to it, such as ``models.flight-delay.minimum_effect``; '' is the whole file.
    """

    line: int
    column: int
    path: str = ""

    def under(self, name: str, line: int, column: int) -> Place:
        """Return the place of a key or an item below this one."""
        shown = name if _plain_name(name) else quoted(name)
        return Place(line, column, f"{self.path}.{shown}" if self.path else shown)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Args:
        line: where it stands, from 1; 0 for the file itself.
        column: where in the line, from 1; 0 for the file itself.
        path: the keys that lead to it; '' for the whole file.
        message: what is wrong and what is allowed.
    """

    line: int
    column: int
    path: str
    message: str

    def line_in(self, file: str) -> str:
        """Return one line, such as ``monitors.yaml:3:1: models: what is wrong``."""
        where = f"{file}:{self.line}:{self.column}" if self.line else file
        return ": ".join(part for part in (where, self.path, self.message) if part)


class MonitorsError(SettingError):
    """A file of monitors can't be used; the message has all that is wrong, one problem a line.

    Args:
        file: its name, as it was given.
        problems: what is wrong, at least one.
    """

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(problem.line_in(file) for problem in problems))
        self.file = file
        self.problems = problems


@dataclass(slots=True)
class Problems:
    """Gathers what is wrong with one file, so that all is reported at once.

    Args:
        file: its name, as it was given.
    """

    file: str
    found: set[Problem] = field(default_factory=set)

    def add(self, place: Place, message: str) -> None:
        """Remember a problem; one that several models inherit is remembered once."""
        self.found.add(Problem(place.line, place.column, place.path, message))

    def report(self) -> None:
        """Raise MonitorsError if anything is wrong, in the order of the file."""
        if self.found:
            raise MonitorsError(self.file, tuple(sorted(self.found)))
