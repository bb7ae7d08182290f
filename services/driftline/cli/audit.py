"""``driftline audit``, with all its commands."""

from __future__ import annotations

import click

from driftline.cli.access import accesses
from driftline.cli.chain import accept_command, head, seal, verify_command
from driftline.cli.export import export_command, verify_export_command
from driftline.cli.lineage import lineage


@click.group("audit")
def audit_group() -> None:
    """Prove what landed: that none of it was changed, that all of it is there, and who looked at it."""


for _command in (
    seal,
    verify_command,
    head,
    accept_command,
    export_command,
    verify_export_command,
    accesses,
    lineage,
):
    audit_group.add_command(_command)
