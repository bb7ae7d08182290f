"""``driftline models``, with all its commands."""

from __future__ import annotations

from driftline.cli.compare import compare
from driftline.cli.diff import diff
from driftline.cli.history import history
from driftline.cli.models import models_group
from driftline.cli.watch_model import watch_model

__all__ = ["models_group"]

for _command in (compare, diff, history, watch_model):
    models_group.add_command(_command)
