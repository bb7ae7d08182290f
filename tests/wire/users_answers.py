"""Answers of models, in every shape that users have them, and in some that nobody should have."""

from __future__ import annotations

from collections import namedtuple
from uuid import UUID

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from driftline.wire.shapes import Ranking
from tests.wire.users_values import any_values, names

Answer = namedtuple("Answer", ["price", "days"])  # noqa: PYI024 - as users have them.

_items = st.one_of(st.text(max_size=4), st.integers(0, 9), st.just(UUID(int=1)), st.none(), any_values)
_scores = st.one_of(st.floats(), st.none(), st.text(max_size=2), any_values)
_pairs = st.tuples(_items, _scores)
_numbers = st.floats() | st.integers(-9, 9) | st.booleans()

answers = st.one_of(
    any_values,
    st.dictionaries(names | st.floats(0, 1) | st.integers(0, 3), any_values, max_size=4),
    st.dictionaries(names, st.booleans(), max_size=4),
    st.lists(_numbers, max_size=4),
    st.lists(any_values, max_size=4),
    st.lists(st.text(max_size=4) | st.none(), max_size=4),
    st.lists(_pairs, max_size=12),
    st.lists(_pairs.map(list), max_size=3),
    st.lists(st.lists(_numbers, max_size=3), max_size=3),
    st.lists(_numbers, max_size=4).map(np.array),
    st.lists(st.text(max_size=3), min_size=1, max_size=4).map(np.array),
    st.lists(_numbers, min_size=1, max_size=4).map(lambda row: np.array([row])),
    st.just(np.zeros((2, 3))),
    st.lists(st.floats(), min_size=1, max_size=3).map(pd.Series),
    st.dictionaries(names, st.floats(), min_size=1, max_size=3).map(pd.Series),
    st.builds(Answer, _numbers, any_values),
    st.builds(Ranking, st.lists(_items, max_size=12), st.none() | st.lists(_scores, max_size=12)),
    st.builds(Ranking, st.integers()),
    st.sampled_from([{"a", "b"}, range(3), b"x"]),
    st.integers(250, 260).map(lambda width: list(range(width))),
)
