"""The terms of the field as frozen types, each with one home. No I/O, and nothing is parsed from text."""
