"""Write the dashboards' JSON beside this folder, and their panels into the documentation."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.grafana.source import render
from dashboards.grafana.source.document import document

_ROOT = Path(__file__).resolve().parents[3]
_PAGE = _ROOT / "docs" / "dashboards.md"

rendered = render()
for name, text in rendered.items():
    (_ROOT / "dashboards" / "grafana" / name).write_text(text, encoding="utf-8")
panels = document(_PAGE.read_text(encoding="utf-8"), [json.loads(text) for text in rendered.values()])
_PAGE.write_text(panels, encoding="utf-8")
