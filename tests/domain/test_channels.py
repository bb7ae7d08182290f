"""Channels as data: kept exactly, and described in text that nobody parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.domain.channels import Channel, ChannelKind, channel_row, number_text

ODD = [
    "",
    "DL",
    "it's",
    "\"both\" and 'single'",
    "back\\slash",
    "line\nfeed",
    "value 'x'",
    "{observed}",
    "nan",
]
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WITH_VALUE = {
    ChannelKind.AT_MOST,
    ChannelKind.VALUE,
    ChannelKind.TYPE_CHANGED,
    ChannelKind.UNIT_CHANGED,
}
PLAIN = [kind for kind in ChannelKind if kind not in WITH_VALUE]
CHANNELS = st.one_of(
    st.builds(Channel, st.just(ChannelKind.AT_MOST), NUMBERS, st.text()),
    st.builds(Channel, st.sampled_from([ChannelKind.VALUE, ChannelKind.UNIT_CHANGED]), st.text(), st.text()),
    st.builds(
        Channel, st.just(ChannelKind.TYPE_CHANGED), st.sampled_from(["numeric", "categorical"]), st.text()
    ),
    st.builds(Channel, st.sampled_from(PLAIN), st.none(), st.text()),
)


@given(CHANNELS)
def test_a_channel_comes_back_from_what_is_kept_of_it(channel):
    assert Channel.from_row(*channel_row(channel)) == channel


def test_no_channel_is_kept_as_nothing():
    assert Channel.from_row(*channel_row(None)) is None


@pytest.mark.parametrize("value", ODD)
def test_a_value_is_reported_as_it_is(value):
    assert Channel(ChannelKind.VALUE, value).text == f"value '{value}'"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (24902.0, "24902"),
        (24902.31, "24902"),
        (2490200.5, "2490200"),
        (23.4, "23.4"),
        (-1000.0, "-1000"),
        (0.0, "0"),
        (0.0123456, "0.01235"),
        (5e-9, "5e-09"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_keep_all_digits_before_the_point(number, text):
    assert number_text(number) == text


def test_a_channel_of_the_check_of_features_together_names_what_it_is_of():
    channel = Channel(ChannelKind.TOGETHER, feature="distance above 3 and carrier=DL")
    assert channel.text == "distance above 3 and carrier=DL: both or neither"
