"""The ``driftline`` command and its settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from driftline.cli.ack import ack, pages
from driftline.cli.calibrate import calibrate_command
from driftline.cli.dashboards import dashboards_group
from driftline.cli.dead_letters import dead_letters
from driftline.cli.demo import demo
from driftline.cli.forward import forward
from driftline.cli.invalid import invalid, rules
from driftline.cli.logs import configure_logs
from driftline.cli.monitors import monitors_group
from driftline.cli.options import load_settings
from driftline.cli.questions import completeness, trace, verdicts
from driftline.cli.report import report
from driftline.cli.services import land, migrate_command, profile, serve, up, watch

if TYPE_CHECKING:
    from driftline.cli.logs import Format


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--config",
    envvar="DRIFTLINE_CONFIG",
    help="Settings file (TOML); default: driftline.toml here or in ~/.config/driftline.",
)
@click.option(
    "--log-level",
    envvar="DRIFTLINE_LOG_LEVEL",
    default="warning",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    help="How much the services say on standard error.",
    show_default=True,
)
@click.option(
    "--log-format",
    envvar="DRIFTLINE_LOG_FORMAT",
    default="text",
    type=click.Choice(["text", "json"]),
    help="How they say it: json is one object a line.",
    show_default=True,
)
@click.version_option(package_name="driftline")
@click.pass_context
def driftline(context: click.Context, config: str | None, log_level: str, log_format: Format) -> None:
    """Log every prediction, land it exactly once, say honestly what drifted."""
    configure_logs(log_format, log_level, service=context.invoked_subcommand or "driftline")
    context.default_map = _default_map(load_settings(config, os.environ))


def _default_map(settings: dict[str, object]) -> dict[str, object]:
    """Spread top-level settings over all commands, under the names of their parameters."""
    names = {"log": "log_url", "store": "store_url"}
    common = {names.get(key, key): value for key, value in settings.items() if not isinstance(value, dict)}
    spread: dict[str, object] = {}
    for command in driftline.commands:
        table = settings.get(command)
        own: dict[str, object] = table if isinstance(table, dict) else {}
        values = common | {names.get(key, key): value for key, value in own.items()}
        spread[command] = _with_subcommands(driftline.commands[command], values)
    return spread


def _with_subcommands(command: click.Command, values: dict[str, object]) -> dict[str, object]:
    """Return a command's values and, one level deeper, where click looks for those of its subcommands."""
    if not isinstance(command, click.Group):
        return values
    return values | {name: _with_subcommands(inner, values) for name, inner in command.commands.items()}


_SERVICES = (up, demo, migrate_command, land, profile, watch, serve, forward)
for _command in (
    *_SERVICES,
    trace,
    completeness,
    verdicts,
    invalid,
    rules,
    pages,
    ack,
    report,
    calibrate_command,
    dead_letters,
    monitors_group,
    dashboards_group,
):
    driftline.add_command(_command)
