"""Tells whether a group's coordinator left something unanswered, from librdkafka's statistics."""

from __future__ import annotations

import json
from typing import Final

STATISTICS_EVERY_MS: Final = 5_000
_COORDINATOR: Final = "GroupCoordinator"


class Unanswered:
    """Takes the statistics of one consumer.

    By the consumer protocol (KIP-848) a coordinator says once which partitions a member shall have, in its
    answer to a heartbeat. Where that answer comes too late, librdkafka takes no notice, and does not ask
    again: a partition that was to be given up then stays unread until the group's rebalance timeout is over,
    five minutes. A member that joins anew learns everything.

    Attributes:
        is_over: something was left unanswered, and the coordinator answers again.
    """

    def __init__(self) -> None:
        self.is_over = False

    def __call__(self, statistics: str) -> None:
        """Take in statistics, as librdkafka writes them (STATISTICS.md)."""
        coordinator = json.loads(statistics)["brokers"].get(_COORDINATOR)
        self.is_over = bool(coordinator and coordinator["req_timeouts"] and coordinator["state"] == "UP")
