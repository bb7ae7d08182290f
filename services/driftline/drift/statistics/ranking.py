"""Which feature to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks of features, by window.

    Args:
        rank: 1 for the largest effect, (..., f).
        listed: kept by Benjamini-Hochberg, (..., f).
    """

    rank: IntArray
    listed: BoolArray


def feature_p_values(z: FloatArray, df: FloatArray, channels: IntArray, stuck: BoolArray) -> FloatArray:
    """Return a p-value per feature: of its worst channel, corrected for how many it has, (..., f)."""
    p = np.where(z > 0, np.minimum(2 * stdtr(df, -z) * channels, 1.0), 1.0)
    return np.where(stuck, 0.0, p)


def rank_features(effects: FloatArray, p_values: FloatArray) -> Ranking:
    """Rank features by the size of their effect and list them with Benjamini and Hochberg (1995).

    Args:
        effects: absolute effects, (..., f).
        p_values: (..., f).
    """
    features = effects.shape[-1]
    order = np.argsort(-effects, axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(1, features + 1), order.shape), axis=-1)
    ascending = np.sort(p_values, axis=-1)
    passing = ascending <= FALSE_DISCOVERY_RATE * np.arange(1, features + 1) / max(features, 1)
    threshold = np.where(passing, ascending, -1.0).max(axis=-1, initial=-1.0)
    return Ranking(rank=rank, listed=p_values <= threshold[..., None])
