"""Where a user's logs lie when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return driftline's folder in ``XDG_DATA_HOME``, else in ``~/.local/share``; it need not be there.

    Raises:
        SettingError: there is no home.
    """
    data_home = environ.get("XDG_DATA_HOME", "")
    # The XDG Base Directory Specification says that a relative path is to be ignored.
    if data_home.startswith("/"):
        return Path(data_home) / "driftline"
    try:
        return Path.home() / ".local" / "share" / "driftline"
    except RuntimeError as error:
        raise SettingError(
            "this user has no home folder: set XDG_DATA_HOME to a folder that is driftline's to write to, or "
            "name log and store (DRIFTLINE_LOG, DRIFTLINE_STORE)"
        ) from error
