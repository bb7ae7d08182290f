"""The ``driftline`` command and its settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from driftline.cli.ack import ack, incidents
from driftline.cli.calibrate import calibrate_command
from driftline.cli.dashboards import dashboards_group
from driftline.cli.dead_letters import dead_letters
from driftline.cli.demo import demo
from driftline.cli.forward import forward
from driftline.cli.invalid import invalid, rules
from driftline.cli.logs import configure_logs
from driftline.cli.monitors import monitors_group
from driftline.cli.options import take_everywhere
from driftline.cli.outcomes import outcomes_group
from driftline.cli.performance import performance
from driftline.cli.questions import completeness, trace, verdicts
from driftline.cli.report import report
from driftline.cli.services import land, migrate_command, profile, serve, up, watch
from driftline.cli.settings import check_variables, default_map, load_settings, warn_of_secret

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
    check_variables(driftline, os.environ)
    file = load_settings(config, os.environ)
    defaults = default_map(driftline, file)
    logging_options = {"log_level": log_level, "log_format": log_format}
    for name, value in logging_options.items():
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            logging_options[name] = context.params[name] = defaults.get(name, value)
    form: Format = "json" if logging_options["log_format"] == "json" else "text"
    configure_logs(form, logging_options["log_level"], service=context.invoked_subcommand or "driftline")
    warn_of_secret(file)
    context.default_map = defaults


_SERVICES = (up, demo, migrate_command, land, profile, watch, serve, forward)
for _command in (
    *_SERVICES,
    trace,
    completeness,
    verdicts,
    performance,
    invalid,
    rules,
    incidents,
    ack,
    report,
    calibrate_command,
    dead_letters,
    outcomes_group,
    monitors_group,
    dashboards_group,
):
    driftline.add_command(_command)
take_everywhere(driftline)
