"""Commands that are imported once somebody asks for them: what each needs takes a second to import."""

from __future__ import annotations

import importlib
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that may not be imported yet.

    Args:
        place: its module in this package and its name there, such as ``ack:incidents``.
        help: its help's first sentence, which the list of all commands shows.
    """

    place: str
    help: str


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by their names. Each is imported when it is asked for; their names are known before.

    Args:
        entries: the commands by name.
        finish: is called with each once, after it was imported.
    """

    def __init__(self, entries: Mapping[str, Entry], finish: Callable[[click.Command], None]) -> None:
        self.entries = entries
        self._finish = finish
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._imported:
            if name not in self.entries:
                raise KeyError(name)
            module, _, attribute = self.entries[name].place.partition(":")
            command: click.Command = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
            self._finish(command)
            self._imported[name] = command
        return self._imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries.keys() | self._imported.keys())

    def __len__(self) -> int:
        return len(self.entries.keys() | self._imported.keys())


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's name and what it does."""
        commands = self.commands
        if not isinstance(commands, LazyCommands):
            super().format_commands(ctx, formatter)
            return
        rows = [(name, commands.entries[name].help) for name in sorted(commands.entries)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
