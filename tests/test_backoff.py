"""What failed is tried again soon, then less and less often, and never later than a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.backoff import Backoff


def test_waits_double_up_to_the_longest():
    assert [Backoff(0.5, 3.0).wait_s(failures) for failures in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@given(st.floats(0.001, 10), st.floats(10, 1000), st.integers(1, 10**9))
def test_no_wait_is_shorter_than_the_one_before_or_longer_than_the_bound(first_s, last_s, failures):
    backoff = Backoff(first_s, last_s)
    assert first_s <= backoff.wait_s(failures) <= backoff.wait_s(failures + 1) <= last_s
