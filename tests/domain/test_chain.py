"""A chain of links: whatever is changed in it shows, and whoever makes it makes the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.domain.chain import Head, Link, Sealed, check_links, day_root, extend, root_of

windows = st.lists(
    st.tuples(
        st.integers(1, 10**6),
        st.integers(1, 10**9),
        st.integers(0, 500_000),
        st.binary(min_size=32, max_size=32),
    ),
    min_size=1,
    max_size=12,
)
CHANGES = {
    "model_name": "another",
    "number": 99,
    "since_ms": -1,
    "until_ms": -1,
    "rows": 0,
    "first_hour": -1,
    "last_hour": -1,
    "root": "none",
    "previous": "1" * 64,
    "accepted_by": "mallory",
    "reason": "none",
    "layout": 2,
}


def sealed(drawn):
    end, made = 0, []
    for length, rows, hour, root in drawn:
        end += length
        made.append(Sealed(end, rows, hour, hour + 1, root.hex()))
    return made


def stored(links):
    return [(link, link.hash) for link in links]


def whats(links, heads=()):
    return [found.what for found in check_links(links, heads)]


@given(windows, st.data())
def test_however_windows_are_batched_the_chain_is_the_same_and_verifies(drawn, data):
    parts = sealed(drawn)
    whole = extend("m", None, parts)
    cut = data.draw(st.integers(0, len(parts)))
    first = extend("m", None, parts[:cut])
    again = [*first, *extend("m", first[-1] if first else None, parts[cut:])]
    assert again == whole
    assert whats(stored(whole), [Head("m", date(2026, 1, 1), link.number, link.hash) for link in whole]) == []


@given(windows, st.data())
def test_a_field_that_was_changed_in_any_link_is_found(drawn, data):
    chain = stored(extend("m", None, sealed(drawn)))
    place = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    link, kept = chain[place]
    changed = dataclasses.replace(link, **{name: CHANGES[name]})
    chain[place] = changed, kept
    assert "link" in whats(chain)


@given(windows, st.data())
def test_whoever_makes_hashes_anew_behind_a_change_is_found_by_a_head_kept_elsewhere(drawn, data):
    parts = sealed(drawn)
    kept = extend("m", None, parts)
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = dataclasses.replace(parts[place], root="ab" * 33)
    forged = stored(extend("m", None, parts))
    last = kept[-1]
    assert whats(forged) == []
    assert whats(forged, [Head("m", date(2026, 1, 1), last.number, last.hash)]) == ["head"]


@given(windows, st.data())
def test_a_link_that_is_gone_is_missed_also_at_the_end_where_a_head_names_it(drawn, data):
    chain = stored(extend("m", None, sealed(drawn)))
    last = chain[-1][0]
    place = data.draw(st.integers(0, len(chain) - 1))
    del chain[place]
    found = whats(chain, [Head("m", date(2026, 1, 1), last.number, last.hash)])
    assert found == (["missing"] if place < len(chain) else ["head"])


def test_two_links_of_one_number_are_a_fork():
    links = extend("m", None, [Sealed(5, 1, 0, 0, "a" * 64)])
    other = dataclasses.replace(links[0], rows=2)
    assert whats(stored([*links, other])) == ["forked"]


def test_links_that_do_not_follow_each_other_are_found():
    first, second = extend("m", None, [Sealed(5, 1, 0, 0, "a" * 64), Sealed(9, 1, 0, 0, "b" * 64)])
    late = dataclasses.replace(second, since_ms=6)
    assert [str(found) for found in check_links(stored([first, late]))] == [
        "m: link: link 2 does not begin where the one before it ends"
    ]


def test_a_root_depends_on_the_order_of_its_parts():
    assert root_of(["aa", "bb"]) != root_of(["bb", "aa"])


def test_the_root_of_all_heads_does_not_depend_on_their_order():
    heads = [("a", 1, "x"), ("b", 2, "y")]
    assert day_root(heads) == day_root(heads[::-1]) != day_root(heads[:1])


def test_a_hash_can_be_made_by_anybody_from_what_is_documented():
    fields = {"since_ms": 0, "until_ms": 300000, "rows": 2, "first_hour": 490000, "last_hour": 490001}
    link = Link(model_name="café", number=1, root="ab" * 32, previous="", **fields)
    text = json.dumps(
        ["driftline link", 1, "café", 1, 0, 300000, 2, 490000, 490001, "ab" * 32, "", "", ""],
        separators=(",", ":"),
    )
    assert link.hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(Link)])
def test_every_field_of_a_link_is_in_its_hash(name):
    link = extend("m", None, [Sealed(5, 1, 0, 0, "a" * 64)])[0]
    assert dataclasses.replace(link, **{name: CHANGES[name]}).hash != link.hash
