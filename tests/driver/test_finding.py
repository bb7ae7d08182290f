"""The part of the traffic that carries a shift is named, and none where all of it moved alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from driftline.domain.parts import Condition, Counts, part_text
from driftline.driver.finding import find_driver, parts_to_pair

SHARES = {
    "country": {"SE": 0.5, "DE": 0.3, "NO": 0.1, "DK": 0.1},
    "device": {"web": 0.6, "app": 0.3, "kiosk": 0.1},
    "plan": {"free": 0.7, "paid": 0.3},
}
ROWS, BEFORE, BASE = 10_000, 40_000, 0.02


@dataclass
class Drawn:
    """Rows of a window or of a reference: their values by key, and which moved."""

    values: dict
    moved: np.ndarray

    def held(self, part):
        every = [np.isin(self.values[key], values) for key, values in part]
        return np.logical_and.reduce(every, axis=0)


def draw(seed, rows, shares=SHARES, rates=(), base=BASE):
    """Draw rows; `rates` are parts with the share of their rows that moved."""
    rng = np.random.default_rng(seed)
    values = {key: rng.choice(list(own), p=list(own.values()), size=rows) for key, own in shares.items()}
    # What follows from another: nearly every row of Norway pays in crowns.
    values["currency"] = np.where(values["country"] == "NO", "NOK", "EUR")
    drawn = Drawn(values, np.zeros(rows, dtype=bool))
    rate = np.full(rows, base)
    for part, own in rates:
        rate[drawn.held(part)] = own
    drawn.moved = rng.random(rows) < rate
    return drawn


def part_of(**values):
    return tuple(Condition(key, (value,)) for key, value in sorted(values.items()))


def counts(window, before, part=()):
    inside = [one.held(part) if part else np.ones(one.moved.size, dtype=bool) for one in (window, before)]
    sums = [
        (int(held.sum()), (int(one.moved[held].sum()),))
        for held, one in zip(inside, (window, before), strict=True)
    ]
    return Counts(*sums[0], *sums[1])


def find(window, before, **options):
    singles = {
        part: counts(window, before, part)
        for key, own in window.values.items()
        for part in (part_of(**{key: value}) for value in np.unique(own))
    }
    whole = counts(window, before)
    chosen = parts_to_pair(whole, singles)
    pairs = {}
    for first, second in itertools.product(chosen, singles):
        if first[0].key != second[0].key:
            part = tuple(sorted(first + second))
            pairs[part] = counts(window, before, part)
    return find_driver(whole, singles, pairs, **options)


def test_a_part_that_nobody_configured_is_named_with_those_that_are_the_same_rows():
    part = part_of(country="NO")
    driver = find(draw(1, ROWS, rates=[(part, 0.4)]), draw(2, BEFORE))
    assert (driver.found, driver.carried) == ("part", pytest.approx(1, abs=0.1))
    assert {part_text(one) for one in (driver.part, *driver.also)} == {"country=NO", "currency=NOK"}
    assert driver.counts.effect() == pytest.approx(0.38, abs=0.05)
    assert driver.rest.effect() == pytest.approx(0, abs=0.01)
    assert driver.z > driver.critical


def test_a_pair_is_named_where_neither_of_its_values_is_it():
    part = part_of(country="DE", device="app")
    driver = find(draw(3, ROWS, rates=[(part, 0.3)]), draw(4, BEFORE))
    assert (driver.found, part_text(driver.part)) == ("part", "country=DE and device=app")


def test_a_pair_that_is_only_a_part_of_a_single_value_is_not_named():
    # The pair of kiosks and another country explains a little more.
    rates = [(part_of(device="kiosk"), 0.3), (part_of(device="kiosk", country="NO"), 0.12)]
    driver = find(draw(5, 4 * ROWS, rates=rates), draw(6, BEFORE))
    assert (part_text(driver.part), driver.also) == ("device=kiosk", ())


def test_two_values_of_a_key_are_named_together():
    rates = [(part_of(country="NO"), 0.3), (part_of(country="DK"), 0.3)]
    driver = find(draw(7, ROWS, rates=rates), draw(8, BEFORE))
    assert driver.found == "part"
    assert {key: set(values) for key, values in driver.part} == {"country": {"NO", "DK"}}


@pytest.mark.parametrize("seed", range(5))
def test_where_the_whole_moved_alike_no_part_is_named(seed):
    driver = find(draw((9, seed), ROWS, base=0.1), draw((10, seed), BEFORE))
    assert (driver.found, driver.part) == ("alike", ())


def test_the_whole_is_not_called_alike_where_a_part_alone_would_not_have_shown():
    driver = find(draw((9, 3), 300, base=0.08), draw((10, 3), 900))
    assert (driver.found, driver.part) == ("unclear", ())
    assert driver.why.endswith("there are too few rows: device=web and plan=free alone would not have")


def test_a_part_that_always_had_more_of_it_is_not_named_where_the_whole_moved():
    always = [(part_of(device="app"), 0.3)]
    now = [(part_of(device="app"), 0.4)]
    driver = find(draw(11, ROWS, rates=now, base=0.12), draw(12, BEFORE, rates=always))
    assert (driver.found, driver.part) == ("alike", ())


def test_a_part_that_merely_grew_is_distinguished_from_one_that_moved():
    grown = {**SHARES, "device": {"web": 0.35, "app": 0.25, "kiosk": 0.4}}
    always = [(part_of(device="kiosk"), 0.5)]
    driver = find(draw(13, ROWS, shares=grown, rates=always), draw(14, BEFORE, rates=always))
    assert (driver.found, part_text(driver.part)) == ("grew", "device=kiosk")


def test_a_part_that_is_new_is_one_that_grew():
    new = {**SHARES, "country": {"SE": 0.45, "DE": 0.25, "NO": 0.1, "DK": 0.1, "FI": 0.1}}
    driver = find(draw(15, ROWS, shares=new, rates=[(part_of(country="FI"), 0.6)]), draw(16, BEFORE))
    assert (driver.found, part_text(driver.part)) == ("grew", "country=FI")


def test_parts_that_moved_by_unlike_amounts_are_not_called_alike():
    rates = [(part_of(country="NO"), 0.3), (part_of(device="kiosk"), 0.3), (part_of(plan="paid"), 0.1)]
    driver = find(draw(17, 4 * ROWS, rates=rates), draw(18, BEFORE))
    assert (driver.found, driver.part) == ("unclear", ())
    assert "unlike amounts" in driver.why


@pytest.mark.parametrize(
    ("rows", "rate", "why"),
    [(50, 0.9, "50 rows of the window"), (2000, BASE, "do not show the shift")],
)
def test_too_little_is_reported_as_too_little(rows, rate, why):
    driver = find(draw(19, rows, rates=[(part_of(country="NO"), rate)]), draw(20, BEFORE))
    assert (driver.found, driver.part) == ("unclear", ())
    assert why in driver.why


def test_noise_that_rows_share_makes_a_part_less_sure():
    window, before = draw(21, ROWS, rates=[(part_of(country="NO"), 0.1)]), draw(22, BEFORE)
    sure = find(window, before)
    assert sure.found == "part"
    assert find(window, before, overdispersion=4.0).z < 0.95 * sure.z
    noisy = find(window, before, overdispersion=60.0)
    assert noisy.found != "part"
