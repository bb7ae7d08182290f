"""Where a user's logs lie when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return driftline's folder in ``XDG_DATA_HOME``, else in ``~/.local/share``; it need not be there."""
    data_home = environ.get("XDG_DATA_HOME", "")
    # The XDG Base Directory Specification says that a relative path is to be ignored.
    home = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return home / "driftline"
