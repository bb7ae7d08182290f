"""The settings file, and the variables: what nobody reads is refused, since it was meant for something."""

from __future__ import annotations

import difflib
import logging
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from driftline.log.kafka.settings import KAFKA_VARIABLES, REGISTRY_VARIABLE
from driftline.store.url import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, USER_VARIABLE, has_secret
from driftline.store.users import SERVICES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

FILE = "driftline.toml"
"""The settings file's usual name."""

GRAFANA_TOKEN, GRAFANA_TOKEN_FILE = "DRIFTLINE_GRAFANA_TOKEN", "DRIFTLINE_GRAFANA_TOKEN_FILE"

WEBHOOK_SECRET, WEBHOOK_SECRET_FILE = (
    "DRIFTLINE_MLFLOW_WEBHOOK_SECRET",
    "DRIFTLINE_MLFLOW_WEBHOOK_SECRET_FILE",
)
INTAKE_TOKEN, INTAKE_TOKEN_FILE = "DRIFTLINE_INTAKE_TOKEN", "DRIFTLINE_INTAKE_TOKEN_FILE"
ACTING_TOKENS, ACTING_TOKENS_FILE = "DRIFTLINE_ACTING_TOKENS", "DRIFTLINE_ACTING_TOKENS_FILE"
ACTING_KEY, ACTING_KEY_FILE = "DRIFTLINE_ACTING_KEY", "DRIFTLINE_ACTING_KEY_FILE"
ACTING_STORE_USER = "DRIFTLINE_ACTING_STORE_USER"
ACTING_STORE_PASSWORD, ACTING_STORE_PASSWORD_FILE = (
    "DRIFTLINE_ACTING_STORE_PASSWORD",
    "DRIFTLINE_ACTING_STORE_PASSWORD_FILE",
)
ACTING_VARIABLES = frozenset(
    {
        *(ACTING_TOKENS, ACTING_TOKENS_FILE, ACTING_KEY, ACTING_KEY_FILE, ACTING_STORE_USER),
        *(ACTING_STORE_PASSWORD, ACTING_STORE_PASSWORD_FILE),
    }
)
_PREFIX = "DRIFTLINE_"
# Kubernetes and Docker set these for each service whose name begins with driftline.
_LINK = re.compile(
    r"DRIFTLINE_(?:\w+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)"
)
_LINK_VALUE = re.compile(r"(?:tcp|udp|sctp)://")
_WANTED: Mapping[str, tuple[tuple[type, ...], str]] = MappingProxyType(
    {"integer": ((int,), "a whole number"), "float": ((int, float), "a number")}
)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a settings file says.

    Args:
        name: of the file; empty: there is none.
        values: as they stand there.
    """

    name: str
    values: Mapping[str, Any]


class FlagOnly(click.Option):
    """An option that stands in no settings file."""


class LinkedOption(click.Option):
    """An option whose variable Kubernetes sets, too, for a service of that name, to the service's address."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the variable says, unless it is a service's address."""
        value = super().resolve_envvar_value(ctx)
        return None if value is not None and _LINK_VALUE.match(value) else value


def load_settings(path: str | None, environ: Mapping[str, str]) -> SettingsFile:
    """Return the content of the settings file.

    That is the file named, else ``driftline.toml`` here, else in the user's settings folder.
    Top-level keys hold for every command; a table named after a command holds for that one.

    Raises:
        click.UsageError: the file is missing or no TOML.
    """
    for file in [Path(path)] if path else _candidates(environ):
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise click.UsageError(f"settings file {file}: {error.strerror}") from error
        except ValueError as error:  # No TOML, or no UTF-8.
            raise click.UsageError(f"settings file {file}: {error}") from error
        return SettingsFile(str(file), values)
    return SettingsFile("", {})


def _candidates(environ: Mapping[str, str]) -> Sequence[Path]:
    try:
        home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError:  # This user has no home.
        return [file for file in (Path(FILE),) if file.is_file()]
    return [file for file in (Path(FILE), home / "driftline" / FILE) if file.is_file()][:1]


def warn_of_secret(file: SettingsFile) -> None:
    """Warn of a file that holds a password and can be read by others."""
    tables = [file.values, *(table for table in file.values.values() if isinstance(table, dict))]
    holds = any(has_secret(url) for table in tables if isinstance(url := table.get("store"), str))
    if holds and Path(file.name).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _logger.warning("settings file %s holds a password and others may read it: chmod 600 it", file.name)


def default_map(root: click.Group, file: SettingsFile) -> dict[str, Any]:
    """Return a file's settings as click takes them: by command, and by the names of its parameters.

    A file is checked as a whole, also what it says of other commands than the one that runs.

    Raises:
        click.UsageError: a key is no setting, or its value none that it may have.
    """
    if not file.values:
        return {}
    common = {_normal(key): value for key, value in file.values.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in file.values.items() if isinstance(value, dict)}
    everything = {key for command in leaves_of(root) for key in options_of(command)} | set(options_of(root))
    _refuse_unknown(file, common, everything | set(root.commands))
    _refuse_unknown(file, tables, root.commands, what="command")
    spread = _taken(root, common, file, "")
    for name, command in root.commands.items():
        spread[name] = _of_command(command, common, tables.get(name, {}), file, name)
    return spread


def _of_command(
    command: click.Command,
    common: Mapping[str, Any],
    table: Mapping[str, Any],
    file: SettingsFile,
    place: str,
) -> dict[str, Any]:
    commands = command.commands if isinstance(command, click.Group) else {}
    own = {_normal(key): value for key, value in table.items() if key not in commands}
    known = {key for leaf in leaves_of(command) for key in options_of(leaf)}
    _refuse_unknown(file, own, known | set(commands), place=place)
    values = {**common, **own}
    taken = _taken(command, values, file, place)
    for name, inner in commands.items():
        below = table.get(name, {})
        if not isinstance(below, dict):
            raise click.UsageError(f"settings file {file.name}: {place}.{name} is a command, not a setting")
        taken[name] = _of_command(inner, values, below, file, f"{place}.{name}")
    return taken


def _taken(
    command: click.Command, values: Mapping[str, Any], file: SettingsFile, place: str
) -> dict[str, Any]:
    """Return those values that the command itself takes, by the names of its parameters."""
    return {
        str(option.name): _checked(
            option, values[key], f"settings file {file.name}: {place}{'.' * bool(place)}{key}"
        )
        for key, option in options_of(command).items()
        if key in values
    }


def _checked(option: click.Option, value: Any, where: str) -> Any:
    """Return a value that an option may have.

    Raises:
        click.UsageError: it may not have that one.
    """
    if option.is_flag:
        if not isinstance(value, bool):
            raise click.UsageError(f"{where} = {value!r}: true or false is wanted")
        return value
    if option.multiple:
        return [_checked_one(option, one, where) for one in (value if isinstance(value, list) else [value])]
    return _checked_one(option, value, where)


def _checked_one(option: click.Option, value: Any, where: str) -> Any:
    wanted, what = _WANTED.get(option.type.name.partition(" ")[0], ((str,), "a text in quotes"))
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise click.UsageError(f"{where} = {value!r}: {what} is wanted")
    if isinstance(option.type, click.File):  # That would open it.
        return value
    try:
        option.type.convert(value, option, None)
    except click.BadParameter as error:
        raise click.UsageError(f"{where} = {value!r}: {error.message}") from error
    return value


def check_variables(root: click.Group, environ: Mapping[str, str], *, asked: str | None) -> None:
    """Check that every variable of ours is one that somebody reads. Those of services are Kubernetes' own.

    Args:
        root: the command line.
        environ: the variables.
        asked: the command that runs; all others are imported only for a variable that it does not read.

    Raises:
        click.UsageError: one is not.
    """
    ours = {
        name
        for name in environ
        if name.startswith(_PREFIX)
        and not name.startswith((KAFKA_VARIABLES, REGISTRY_VARIABLE))
        and not _is_of_service(name, environ[name])
    }
    near = [root.commands[asked]] if asked is not None and asked in root.commands else []
    ours -= _variables_of([root, *(leaf for command in near for leaf in leaves_of(command))])
    if not ours:
        return
    known = known_variables(root)
    for name in sorted(ours - known):
        raise click.UsageError(f"the variable {name} is none that driftline reads{_nearest(name, known)}")


def _is_of_service(name: str, value: str) -> bool:
    return bool(_LINK.fullmatch(name) or (name.endswith("_PORT") and _LINK_VALUE.match(value)))


def known_variables(root: click.Group) -> frozenset[str]:
    """Return the variables that are read, but for those of librdkafka and of the registry."""
    return _variables_of([root, *leaves_of(root)])


def _variables_of(commands: Iterable[click.Command]) -> frozenset[str]:
    given = {
        name
        for command in commands
        for option in command.params
        for name in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    }
    passwords = {f"{_PREFIX}{name.upper()}_PASSWORD{end}" for name in SERVICES for end in ("", "_FILE")}
    store = {USER_VARIABLE, PASSWORD_VARIABLE, PASSWORD_FILE_VARIABLE}
    tokens = {GRAFANA_TOKEN, GRAFANA_TOKEN_FILE, INTAKE_TOKEN, INTAKE_TOKEN_FILE, *ACTING_VARIABLES}
    secrets = {WEBHOOK_SECRET, WEBHOOK_SECRET_FILE}
    return frozenset(given | passwords | store | tokens | secrets)


def leaves_of(command: click.Command) -> Iterator[click.Command]:
    """Yield the commands below a group that do something themselves."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from leaves_of(inner)
    else:
        yield command


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by the names that they have in the file: those of its flags."""
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not isinstance(option, FlagOnly)
    ]
    return {_normal(max(option.opts, key=len).lstrip("-")): option for option in options}


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _refuse_unknown(
    file: SettingsFile,
    given: Collection[str],
    known: Collection[str],
    *,
    what: str = "setting",
    place: str = "",
) -> None:
    for key in given:
        if key not in known:
            where = f" of {place}" if place else ""
            raise click.UsageError(
                f"settings file {file.name}: {key} is no {what}{where}{_nearest(key, known)}"
            )


def _nearest(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
    return f"; did you mean {found[0]}?" if found else ""
