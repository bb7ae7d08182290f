"""The environment that a model was trained in, so that it can be rebuilt."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from driftline.errors import SettingError
from driftline.sdk.code import work_tree

if TYPE_CHECKING:
    import os

MAX_TEXT_BYTES: Final = 300_000
"""Longest text that is kept; of a longer one the digest alone is."""

PACKAGES: Final = "packages"
_KINDS = (
    ("dockerfile", re.compile(r"dockerfile|containerfile|.*\.dockerfile", re.IGNORECASE)),
    ("conda", re.compile(r"(environment|conda)[^/]*\.ya?ml|conda-lock.*", re.IGNORECASE)),
    ("requirements", re.compile(r".*requirements.*\.(txt|in)|constraints.*\.txt", re.IGNORECASE)),
    ("lock", re.compile(r".*\.lock|.*lock\.(toml|json|ya?ml)|pylock.*\.toml", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class TrainingEnvironment:
    """The description of an environment.

    Args:
        kind: packages, lock, requirements, conda or dockerfile.
        text: its content.
    """

    kind: str
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def kept_text(self) -> str | None:
        """The text; None where it is too long to be kept."""
        return self.text if len(self.text.encode()) <= MAX_TEXT_BYTES else None


def installed_packages() -> TrainingEnvironment:
    """Return all packages that are installed here, one a line, as pip takes them. Imports none of them."""
    lines = {line for each in distributions() if (line := _requirement(each))}
    return TrainingEnvironment(PACKAGES, "".join(f"{line}\n" for line in sorted(lines, key=str.casefold)))


def read_environment(path: str | os.PathLike[str]) -> TrainingEnvironment:
    """Return the environment in a file: a lock file, requirements, a conda file or a Dockerfile, by its name.

    Raises:
        SettingError: there is no such file, or its name is not one of these kinds.
    """
    place = Path(path)
    kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(place.name)), None)
    if kind is None:
        raise SettingError(
            f"environment={str(path)!r}: the name is that of no lock file, requirements, conda file or "
            "Dockerfile, such as uv.lock, requirements.txt, environment.yml"
        )
    try:
        return TrainingEnvironment(kind, place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"environment={str(path)!r} can't be read: {error}") from error


def _requirement(each: Distribution) -> str | None:
    """Return a package as pip takes it; of a checkout, the commit. None: its metadata is broken."""
    try:
        name, version = each.metadata["Name"], each.version
        origin = json.loads(each.read_text("direct_url.json") or "{}")
    except Exception:  # noqa: BLE001 - what other packages leave behind may raise anything.
        return None
    if not name or not version:
        return None
    vcs = origin.get("vcs_info")
    if isinstance(vcs, dict) and vcs.get("commit_id"):
        return f"{name} @ {vcs.get('vcs', 'git')}+{origin.get('url', '')}@{vcs['commit_id']}"
    if "dir_info" in origin and (checkout := _checkout(str(origin.get("url", "")))) is not None:
        return f"{name} @ {checkout}"
    return f"{name}=={version}"


def _checkout(url: str) -> str | None:
    """Return where pip finds again what was installed from a folder: a commit. None: it is no checkout."""
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    if parts.scheme != "file" or not folder.is_dir():
        return None
    place = work_tree(folder)
    if place is None:
        return None
    within = f"#subdirectory={quote(place.subfolder)}" if place.subfolder else ""
    return f"git+{place.url}@{place.commit}{within}"
