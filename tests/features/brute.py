"""What a training set has to hold, found by looking at every row; and a join that peeks."""

from __future__ import annotations


def brute_force(rows, entity, at, ttl):
    """Return the row (entity, event, available, arrival, value) that counts at a time, or None."""
    known = [row for row in rows if row[0] == entity and row[1] <= at and row[2] <= at]
    newest = max(known, key=lambda row: (row[1], row[3]), default=None)
    return None if newest is None or (ttl is not None and newest[1] < at - ttl) else newest


def peeking(rows, entity, at, ttl):
    """As `brute_force`, by one clock: it sees values that were written after the moment."""
    return brute_force([(row[0], row[1], 0, *row[3:]) for row in rows], entity, at, ttl)


def overwriting(rows, entity, at, ttl):
    """As `brute_force`, but what arrived last overwrites what is newer, as a table of latest values does."""
    known = [row for row in rows if row[0] == entity and row[1] <= at and row[2] <= at]
    last = max(known, key=lambda row: (row[2], row[3]), default=None)
    return None if last is None or (ttl is not None and last[1] < at - ttl) else last
