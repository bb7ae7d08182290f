"""What is counted of a feature, and on which grid: the common language of store and drift worker."""

from driftline.profiles.counts import HASH_PLACES, CategoricalCounts, HourProfile, NumericCounts
from driftline.profiles.grid import DEFAULT_RESOLUTION, Grid

__all__ = [
    "DEFAULT_RESOLUTION",
    "HASH_PLACES",
    "CategoricalCounts",
    "Grid",
    "HourProfile",
    "NumericCounts",
]
