"""Drawings: SVG that stretches, and what it is made of."""
