"""Numbers, times, findings and addresses in words."""

from __future__ import annotations

import dataclasses

import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.verdicts import gravest
from driftline.web import formatting
from driftline.web.addresses import feature_path, model_path
from tests.web.episode import EPISODE, plain


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "nulls rose from 1.0 % to 31.0 %"),
        ({"effect": -0.3, "observed": 0.2, "expected": 0.5}, "nulls fell from 50.0 % to 20.0 %"),
        (
            {"channel": Channel(ChannelKind.AT_MOST, 23.4), "effect": -0.3, "observed": 0.2, "expected": 0.5},
            "values are higher: those at or below 23.4 fell from 50.0 % to 20.0 %",
        ),
        ({"channel": Channel(ChannelKind.VALUE, "DL")}, "the share of 'DL' rose from 1.0 % to 31.0 %"),
        ({"channel": Channel(ChannelKind.STUCK)}, "shows one single value"),
        ({"channel": None}, "the share that moved most rose from 1.0 % to 31.0 %"),
    ],
)
def test_a_finding_says_what_moved_and_where_to(changes, shown):
    assert plain(formatting.finding(dataclasses.replace(EPISODE, **changes))) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.9999, "100 %"),
        (0.155, "15.5 %"),
        (0.042, "4.2 %"),
        (0.0003, "0.03 %"),
        (0.00001, "<0.01 %"),
    ],
)
def test_shares_are_shown_as_exactly_as_they_matter(share, shown):
    assert plain(formatting.percent(share)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (1234.5, "1,234"),
        (0.12345, "0.1235"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (1e-20, "1e-20"),
        (1e12, "1e+12"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_numbers_have_four_digits(value, shown):
    assert formatting.number(value) == shown


@pytest.mark.parametrize(
    ("hours", "shown"), [(1, "1 h"), (47, "47 h"), (52, "2 d 4 h"), (48, "2 d"), (24 * 20 + 3, "20 d")]
)
def test_durations_are_hours_then_days(hours, shown):
    assert plain(formatting.duration(hours)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(10, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86400 * 800, "2 years ago")],
)
def test_ages_are_coarse(seconds, shown):
    assert formatting.ago(seconds) == shown


def test_a_time_in_a_link_is_read_as_it_was_written():
    assert formatting.parse_iso(formatting.iso(381782)) == 381782
    assert formatting.parse_iso("yesterday") is None


def test_names_are_listed_as_in_a_sentence():
    assert [formatting.listing(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "a/b",
        "a b",
        "..",
        ".",
        "~",
        "~..",
        "100%",
        "%2F",
        "?#&",
        "\N{LATIN SMALL LETTER U WITH DIAERESIS}",
    ],
)
def test_an_address_gives_its_names_back(name):
    assert model_path.names(model_path(name)) == (name,)
    assert feature_path.names(feature_path("m/1", name)) == ("m/1", name)


@pytest.mark.parametrize("name", [".", ".."])
def test_an_address_survives_browsers_that_resolve_dots(name):
    assert model_path(name).rpartition("/")[2] not in {".", "..", "%2E", "%2E%2E"}


@pytest.mark.parametrize("path", ["/models/", "/models", "/models/m/else", "/models/m/features/f/more", "/"])
def test_other_addresses_are_no_page(path):
    assert [model_path.names(path), feature_path.names(path)] == [None, None]


def test_of_several_verdicts_the_one_that_needs_somebody_is_shown():
    assert gravest(["ok", "page", "warn"]) == "page"
    assert gravest(["insufficient_data", "ok"]) == "ok"
    assert gravest([]) == "insufficient_data"


def test_a_number_is_never_parted_from_its_unit():
    assert not any(
        " " in shown for shown in (formatting.percent(0.155), formatting.duration(52), formatting.points(0.2))
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("prediction.outputs.price", "output price"),
        ("prediction.probabilities.late", "probability of late"),
        ("prediction.confidence", "confidence (top probability)"),
        ("prediction.entropy", "entropy of the probabilities"),
        ("prediction.latency_us", "latency (microseconds)"),
        ("prediction.compute_us", "compute time (microseconds)"),
        ("prediction.number", "prediction.number"),
        ("feature:prediction.outputs.price", "feature:prediction.outputs.price"),
    ],
)
def test_parts_of_an_answer_are_called_plainly(key, name):
    assert formatting.feature_name(key) == name
