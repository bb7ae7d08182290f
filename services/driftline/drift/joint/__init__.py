"""The joint distribution: what no single feature shows."""
