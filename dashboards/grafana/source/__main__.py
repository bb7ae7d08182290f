"""Write the dashboards' JSON beside this folder."""

from __future__ import annotations

from pathlib import Path

from dashboards.grafana.source import render

for name, text in render().items():
    Path(__file__).parents[1].joinpath(name).write_text(text, encoding="utf-8")
