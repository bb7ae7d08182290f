"""What a training run or a logging session ran on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version(name: str) -> str | None:
    """Return the version of an installed package, which need not be imported; None: it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def client() -> str:
    """Return this library's name and version; from a checkout that is not installed, ``unknown``."""
    return f"driftline-python/{package_version('driftline') or 'unknown'}"
