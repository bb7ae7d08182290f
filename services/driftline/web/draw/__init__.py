"""Charts as SVG that scales with the page."""
