"""Incidents: what pages somebody, and what an engineer may say of it."""

from __future__ import annotations

DEFAULT_QUIET_HOURS = 24
"""An incident is over once so many hours were judged without a page, unless its model's monitor says else."""
