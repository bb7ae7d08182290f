"""The ``driftline`` command and its settings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from driftline.cli.lazy import Entry, LazyCommands, LazyGroup
from driftline.cli.logs import configure_logs
from driftline.cli.options import take_everywhere
from driftline.cli.settings import check_variables, default_map, load_settings, warn_of_secret

if TYPE_CHECKING:
    from driftline.cli.logs import Format

COMMANDS: Final = {
    "ack": Entry(
        "ack:ack",
        "Acknowledge an incident: it steers how sure incidents have to be, and what counts as reference.",
    ),
    "audit": Entry(
        "audit:audit_group",
        "Prove what landed: that none of it was changed, that all of it is there, and who looked at it.",
    ),
    "calibrate": Entry(
        "calibrate:calibrate_command",
        "Replay your own stream: how often it would page by itself, and how soon shifts would be found.",
    ),
    "completeness": Entry(
        "questions:completeness", "Show, per model version, what was sent, landed, is missing or doubled."
    ),
    "dashboards": Entry("dashboards:dashboards_group", "Dashboards for Grafana."),
    "dead-letters": Entry("dead_letters:dead_letters", "Records that could not be landed."),
    "demo": Entry(
        "demo:demo", "Run the whole pipeline on real flights, break the upstream, and see what is found."
    ),
    "events": Entry(
        "events:events_group",
        "Planned events, such as a sale, whose hours are judged by their like; and what was deployed.",
    ),
    "explain": Entry(
        "explain:explain",
        "Find which part of the traffic carries an incident, by all tags and categories, configured or not.",
    ),
    "features": Entry(
        "features:features_group",
        "The feature store: what is defined, training sets, values online, and logged beside stored.",
    ),
    "forward": Entry(
        "forward:forward",
        "Forward events that processes which are gone had left on this host's disk, and end.",
    ),
    "gate": Entry(
        "gate:gate",
        "Decide whether version CANDIDATE of MODEL may take production's place, on the same rows for both.",
    ),
    "incidents": Entry(
        "ack:incidents",
        "List incidents, the newest first: what each found, since when, and how it was acknowledged.",
    ),
    "intake": Entry(
        "intake:intake",
        "Take events over HTTP: JSON, CloudEvents of KServe and Seldon, OpenTelemetry's logs.",
    ),
    "invalid": Entry(
        "invalid:invalid", "Count values that broke a rule, by feature and reason, with events to trace."
    ),
    "land": Entry("services:land", "Land events from the log in the store."),
    "migrate": Entry(
        "services:migrate_command",
        "Create or update the store's tables, and the log's topics where a log is given.",
    ),
    "mlflow": Entry(
        "mlflow:mlflow_group", "MLflow: its runs, versions and aliases, copied into the model registry."
    ),
    "models": Entry(
        "registry:models_group",
        "Which versions there are, which is in production, and who decided that, when and why.",
    ),
    "monitors": Entry("monitors:monitors_group", "What is monitored, and how: files of monitors."),
    "outcomes": Entry("outcomes:outcomes_group", "What became of predictions: the ground truth, from files."),
    "performance": Entry(
        "performance:performance",
        "Show how right models were, period by period: metrics with intervals, and what they rest on.",
    ),
    "pipeline": Entry(
        "pipeline:pipeline_group",
        "Run a pipeline as code: snapshot, train, register, gate, promote; go on where it was left.",
    ),
    "profile": Entry(
        "deriving:profile",
        "Derive profiles, sessions and invalid values from what has landed, hour by hour, and seal it.",
    ),
    "report": Entry("report:report", "Write what the pages show into one HTML file that needs nothing else."),
    "retrain": Entry(
        "retrain:retrain_group",
        "Whether a model is to be trained again, why not, and who allowed or stopped it.",
    ),
    "rules": Entry("invalid:rules", "Show the rules of a model's versions, or set some by hand."),
    "runs": Entry("runs:runs_group", "Training runs: what made each version of a model."),
    "score": Entry(
        "score:score_command",
        "Score many entities by the models that serve, and log each prediction; features are read once for "
        "all.",
    ),
    "serve": Entry("services:serve", "Serve the pages over a store."),
    "snapshot": Entry(
        "snapshot:snapshot_group",
        "Training sets out of what was logged: labelled as of a time, and the same for ever.",
    ),
    "trace": Entry(
        "trace:trace",
        "Show one prediction, back to what made its model; or, backwards, the predictions of something.",
    ),
    "triage": Entry(
        "triage:triage",
        "Find who is to blame for an incident: upstream, serving or the model, or that nothing says so.",
    ),
    "up": Entry(
        "services:up",
        "Run everything in one process: lander, profiler, drift worker, sealer, pages and metrics.",
    ),
    "verdicts": Entry("questions:verdicts", "List drift verdicts, the newest first."),
    "watch": Entry("services:watch", "Judge windows as they close."),
}


def _prepare(command: click.Command) -> None:
    """Have a command that was imported take what all take, and what it inserts be rows."""
    take_everywhere(command)
    if "clickhouse_connect" in sys.modules:
        from driftline.store.connection import refuse_frames  # noqa: PLC0415  it is there already

        refuse_frames()


@click.group(
    cls=LazyGroup,
    commands=LazyCommands(COMMANDS, _prepare),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
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
    check_variables(driftline, os.environ, asked=context.invoked_subcommand)
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
