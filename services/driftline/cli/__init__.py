"""The command line. It needs the services; the SDK alone does not bring them."""

from __future__ import annotations

import sys

_MISSING = """driftline: the command line needs packages that the SDK alone does not bring;
{name} is not installed.
Install one of:
  pip install 'driftline[embedded]'   everything on one machine, ClickHouse's engine included
  pip install 'driftline[services]'   the services, against a ClickHouse server
  pip install 'driftline[demo]'       embedded, and the demo on real flights"""


def main() -> None:
    """Run ``driftline``."""
    try:
        from driftline.cli.app import driftline  # noqa: PLC0415  they may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "driftline":
            raise
        sys.exit(_MISSING.format(name=error.name))
    driftline()
