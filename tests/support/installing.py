"""Python environments for tests, installed by uv, which takes seconds where pip takes minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_TIMEOUT_S = 900.0
_UV = Path(sys.executable).with_name("uv")


def make_environment(folder: Path, packages: Sequence[str], *, python: str = sys.executable) -> Path:
    """Make an environment with pip and packages in it, and return its Python.

    Args:
        folder: where; must not exist.
        packages: as pip takes them, options among them.
        python: whose environment it is.

    Raises:
        subprocess.SubprocessError: it could not be made in time, or what is asked for is not to be had:
            its `stderr` is the installer's.
    """
    _run(python, "-m", "venv", str(folder))
    interpreter = folder / "bin" / "python"
    install(interpreter, packages)
    return interpreter


def install(interpreter: Path, packages: Sequence[str]) -> None:
    """Install packages into the environment of a Python.

    Where uv finds nothing, pip may: it alone knows what this machine's configuration of pip says.

    Raises:
        subprocess.SubprocessError: as for `make_environment`.
    """
    try:
        _run(str(_UV), "pip", "install", "--quiet", "--python", str(interpreter), *packages)
    except (OSError, subprocess.CalledProcessError):
        pip = (str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, *packages)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True)
