"""Names of the user's and names of ours never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.domain.names import (
    ANSWERED,
    JOINT,
    LABEL,
    NUMBER,
    PROVENANCE_TAG,
    feature_key,
    feature_of,
    is_answer,
    shown_tags,
)
from driftline.domain.streams import Stream

OURS = [ANSWERED, NUMBER, LABEL, "prediction.latency_us", JOINT]
ODD = st.sampled_from([*OURS, *(f"feature:{name}" for name in OURS), "feature:feature:x", "prediction\n"])
NAMES = ODD | st.text(min_size=1)


@given(NAMES)
def test_a_feature_is_found_again_by_its_key_which_is_none_of_ours(name):
    key = feature_key(name)
    assert feature_of(key) == name
    assert key not in OURS
    assert not is_answer(key)


def test_a_feature_with_an_ordinary_name_is_known_by_it():
    assert [feature_key(name) for name in ("age", "predictions", "my prediction", "(joint) x")] == [
        "age",
        "predictions",
        "my prediction",
        "(joint) x",
    ]


def test_our_own_keys_are_no_features():
    assert [feature_of(key) for key in OURS] == [None] * len(OURS)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=2, max_size=2, unique=True))
def test_no_two_streams_have_one_identity(names):
    first, second = (Stream(*one) for one in names)
    assert first.identity != second.identity


def test_a_slash_belongs_to_its_name():
    assert Stream("a/b", "c", "d").identity != Stream("a", "b/c", "d").identity


def test_people_see_their_own_tags_and_not_ours():
    assert shown_tags({"region": "eu", PROVENANCE_TAG: "[]"}) == {"region": "eu"}
