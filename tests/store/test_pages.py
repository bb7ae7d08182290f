"""Pages as they are written and read, and what was said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.incidents import Finding
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError, SettingError
from driftline.store.pages import (
    StoredPage,
    find_page,
    read_acknowledgements,
    read_pages,
    write_acknowledgement,
    write_pages,
)
from driftline.store.verdicts import write_verdicts
from tests.store.test_trace_and_verdicts import VERDICT

HOUR = 490_000
NOW = hour_time(HOUR + 2) + timedelta(microseconds=17)

FINDING = Finding(
    segment="carrier=DL",
    feature="amount",
    kind="numeric",
    reference="production",
    channel=Channel(ChannelKind.AT_MOST, 5.0),
    effect=0.1 + 0.2,
    expected=1 / 3,
    observed=0.75,
    z=9.0,
    scale_hours=6,
    since=HOUR,
    detected=HOUR + 1,
    last=HOUR + 5,
    episode_ids=("e1", "e2"),
    accepted_at=None,
)
PAGE = StoredPage(
    model_name="paged",
    model_version="3",
    environment="production",
    page_id="aa11",
    detected=hour_time(HOUR + 1),
    since=hour_time(HOUR),
    last=hour_time(HOUR + 5),
    state="open",
    accepted_at=None,
    headline="amount: nulls rose 'and' more",
    findings=[
        FINDING,
        replace(FINDING, feature="b", z=None, accepted_at=HOUR + 5, episode_ids=()),
    ],
    word="",
    revision=1,
)


def said(client, page_id, word="real", at=NOW, **changes):
    given = {"given_by": "Ada", "note": "it's the feed", **changes}
    return write_acknowledgement(client, page_id, word=word, given_at=at, **given)


def test_a_page_is_read_as_it_was_written(client):
    write_pages(client, [PAGE])
    write_pages(client, [])
    assert read_pages(client, model_name="paged") == [PAGE]
    assert read_pages(client, model_name="never") == []


def test_a_later_revision_replaces_an_earlier_one_in_whatever_order_they_come(client):
    first = replace(PAGE, model_name="revised", page_id="bb11")
    write_pages(client, [replace(first, state="ended", revision=3)])
    write_pages(client, [replace(first, revision=2)])
    assert [(page.state, page.revision) for page in read_pages(client, model_name="revised")] == [
        ("ended", 3)
    ]


def test_pages_are_chosen_the_newest_first(client):
    first = replace(PAGE, model_name="chosen", page_id="cc11")
    later = replace(
        first, page_id="cc22", detected=hour_time(HOUR + 40), last=hour_time(HOUR + 45), state="ended"
    )
    other = replace(first, model_version="4", page_id="cc33", detected=hour_time(HOUR + 30))
    write_pages(client, [first, later, other])

    def ids(**conditions):
        return [page.page_id for page in read_pages(client, model_name="chosen", **conditions)]

    assert ids() == ["cc22", "cc33", "cc11"]
    assert ids(limit=1) == ["cc22"]
    assert ids(states=["open"]) == ["cc33", "cc11"]
    assert ids(since=hour_time(HOUR + 5)) == ["cc22"]
    assert ids(page_id="cc3") == ["cc33"]
    assert ids(stream=Stream("chosen", "3", "production")) == ["cc22", "cc11"]
    assert ids(stream=Stream("chosen", "3", "shadow")) == []


def test_a_page_is_found_by_the_beginning_of_its_id(client):
    write_pages(
        client, [replace(PAGE, model_name="found", page_id=name) for name in ("dd11", "dd12", "de11")]
    )
    assert find_page(client, "de").page_id == "de11"
    assert find_page(client, "dd12").page_id == "dd12"
    with pytest.raises(NotFoundError, match=r"several pages begin with 'dd', such as dd1. and dd1.;"):
        find_page(client, "dd")


@pytest.mark.parametrize("page_id", ["", "ffff", "%"])
def test_a_page_that_is_not_there_is_told_with_where_pages_are_listed(client, page_id):
    with pytest.raises(NotFoundError, match=f"there is no page '{page_id}'; `driftline pages` lists"):
        find_page(client, page_id)


def test_what_was_said_is_known_from_the_newest_judged_hour_on(client):
    page = replace(PAGE, model_name="judged-page", page_id="ee11")
    write_pages(client, [page])
    _, unjudged = said(client, "ee")
    assert unjudged.known_from == page.last
    newest = hour_time(HOUR + 9)
    write_verdicts(client, [replace(VERDICT, model_name="judged-page", window_end=newest)])
    told, word = said(client, "ee11", "noise", NOW + timedelta(seconds=1))
    assert told == replace(page, word="noise", state="dismissed")
    assert word.known_from == newest
    stream = Stream("judged-page", "3", "production")
    assert read_acknowledgements(client, stream=stream) == [unjudged, word]
    assert [(one.word, one.given_by, one.note) for one in (unjudged, word)] == [
        ("real", "Ada", "it's the feed"),
        ("noise", "Ada", "it's the feed"),
    ]
    assert word in read_acknowledgements(client)
    assert read_acknowledgements(client, stream=Stream("judged-page", "3", "shadow")) == []


def test_a_word_that_is_written_again_is_one(client):
    write_pages(client, [replace(PAGE, model_name="again", page_id="f011")])
    said(client, "f011")
    said(client, "f011")
    assert len(read_acknowledgements(client, stream=Stream("again", "3", "production"))) == 1


def test_words_that_mean_nothing_are_refused(client):
    write_pages(client, [replace(PAGE, model_name="refused", page_id="f111", state="withdrawn")])
    with pytest.raises(
        SettingError, match="'maybe' is nothing to say of a page; say one of real, noise, acc"
    ):
        said(client, "f111", "maybe")
    with pytest.raises(SettingError, match="page f111 was withdrawn: events that arrived late"):
        said(client, "f111")
    assert read_acknowledgements(client, stream=Stream("refused", "3", "production")) == []
    with pytest.raises(DatabaseError, match="word_is_known"):
        client.command("INSERT INTO acknowledgements (page_id, word) VALUES ('f111', 'maybe')")
