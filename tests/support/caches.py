"""Where tests keep what takes long to fetch or build, from one run to the next."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache(name: str) -> Path:
    """Return the folder of one kind: below ``.cache``, or ``.venv`` where nothing else may be written."""
    usual = ROOT / ".cache"
    nearest = usual if usual.exists() else ROOT
    return (usual if os.access(nearest, os.W_OK) else ROOT / ".venv" / "cache") / name
