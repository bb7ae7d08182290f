"""Definitions of a Feast repository, read without Feast and without being run, written as driftline's."""
