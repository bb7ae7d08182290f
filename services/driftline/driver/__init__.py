"""The driver of an incident: which part of the traffic carries it, though nobody configured any."""
