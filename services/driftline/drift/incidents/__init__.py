"""Incidents: what goes out to the engineer on call, one for one cause."""
