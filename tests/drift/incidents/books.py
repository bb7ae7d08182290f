"""Books of incidents, and the verdicts that they are given."""

from __future__ import annotations

import numpy as np

from driftline.domain.channels import Channel, ChannelKind
from driftline.drift import Verdict

START = 400_000


NULLS, STUCK = Channel(ChannelKind.NULLS), Channel(ChannelKind.STUCK)


def verdict(feature, end, *, reference="production", since=None, **changes):
    since = end - 1 if since is None else since
    evidence = {"channel": NULLS, "effect": 0.3, "expected": 0.01, "observed": 0.31, "z": 9.0}
    return Verdict(
        **{
            "feature": feature,
            "kind": "numeric",
            "reference": reference,
            "scale_hours": 1,
            "window_start": end - 1,
            "window_end": end,
            "verdict": "page",
            "episode_id": f"{feature}/{changes.get('segment', '')}/{reference}@{since}",
            "episode_start": since,
            **evidence,
            **changes,
        }
    )


def run(book, paging, first, end):
    """Feed a book with all hours, of which some page for some features; return the incidents that changed."""
    changed = []
    for hour in range(first, end):
        changed += book.take(hour, [one for one in paging if one.window_end == hour + 1])
    return changed


def busy(seed, hours):
    """Page verdicts of several features, segments and references, with many gaps."""
    rng = np.random.default_rng(seed)
    found, running = [], {}
    for end in range(START + 1, START + hours + 1):
        for feature in "abcde":
            for segment, reference in (("", "production"), ("", "training"), ("x=1", "production")):
                key = (feature, segment, reference)
                if rng.random() < (0.9 if key in running else 0.01):
                    since = running.setdefault(key, end - 1)
                    z = float(rng.normal(8, 1))
                    found.append(
                        verdict(feature, end, since=since, segment=segment, reference=reference, z=z)
                    )
                else:
                    running.pop(key, None)
    return found
