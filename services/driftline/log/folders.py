"""Where a user's files lie when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return driftline's folder in ``XDG_DATA_HOME``, else in ``~/.local/share``; it need not be there.

    Raises:
        SettingError: there is no home to go by: a user without an entry of its own, as in some containers.
    """
    data_home = environ.get("XDG_DATA_HOME", "")
    # The XDG Base Directory Specification says that a relative path is to be ignored.
    if data_home.startswith("/"):
        return Path(data_home) / "driftline"
    home = user_folder()
    if home is None:
        raise SettingError(
            "this user has no home folder: set XDG_DATA_HOME to a folder that is driftline's to write to, or "
            "name log and store (DRIFTLINE_LOG, DRIFTLINE_STORE)"
        )
    return home / ".local" / "share" / "driftline"


def user_folder() -> Path | None:
    """Return the user's home folder; None: it has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None
