"""The driver of an incident: which part of the traffic carries it, found among parts that nobody configured."""
