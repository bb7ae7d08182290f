"""What paged of a feature, window after window, as the newest revisions tell it."""

from __future__ import annotations

from dataclasses import replace

from driftline.domain.streams import Stream
from driftline.domain.verdicts import VerdictName
from driftline.store.episodes import read_paged_episodes
from driftline.store.verdicts import write_verdicts
from tests.store.stored_verdict import HOUR, VERDICT

OK = replace(VERDICT, verdict=VerdictName.OK, episode_id=None, episode_start=None, reason="as usual")


def episodes_of(client, model: str):
    return read_paged_episodes(client, model, first_hour=HOUR, end_hour=HOUR + 100)


def written(client, model: str, *verdicts) -> None:
    for verdict in verdicts:
        write_verdicts(client, Stream(model, "1", "production"), [verdict])


def test_an_episode_has_the_evidence_of_its_surest_window(client):
    """It begins where its verdicts say, and lasts until the last of its windows ended."""
    surer = replace(VERDICT, window_end=HOUR + 8, window_start=HOUR + 2, z=12.0, reason="{observed} now")
    last = replace(VERDICT, window_end=HOUR + 9, window_start=HOUR + 3, z=5.0)
    written(client, "surest", VERDICT, surer, last)
    (episode,) = episodes_of(client, "surest")
    assert (episode.since, episode.until, episode.reason) == (HOUR + 5, HOUR + 9, "75.00% now")
    assert (episode.effect, episode.observed, episode.expected, episode.scale_hours) == (0.25, 0.75, 0.5, 6)
    assert episode.channel == VERDICT.channel


def test_a_page_that_was_taken_back_is_no_episode(client):
    """Whichever of the two revisions is read first, and whether or not the store has merged them."""
    written(client, "withdrawn", VERDICT, replace(OK, revision=2, revised_because="late"))
    written(client, "withdrawn-first", replace(OK, revision=2, revised_because="late"), VERDICT)
    assert episodes_of(client, "withdrawn") == episodes_of(client, "withdrawn-first") == []
    client.command("OPTIMIZE TABLE verdict_records FINAL")
    assert episodes_of(client, "withdrawn") == episodes_of(client, "withdrawn-first") == []


def test_a_window_that_pages_only_since_it_was_judged_anew_is_one(client):
    revised = replace(VERDICT, revision=2, revised_because="late", episode_id="e2")
    written(client, "revised", OK, revised, replace(revised, revision=3, episode_id="e3"))
    (episode,) = episodes_of(client, "revised")
    assert episode.episode_id == "e3"


def test_episodes_of_other_windows_and_models_are_left_out(client):
    """A window that ended with the first hour is before the period."""
    early = replace(VERDICT, window_start=HOUR - 6, window_end=HOUR)
    written(client, "early", early)
    written(client, "another", VERDICT)
    assert episodes_of(client, "early") == []


def test_the_newest_episode_comes_first_and_of_those_the_largest_effect(client):
    small = replace(VERDICT, feature="b", episode_id="e2", observed=0.625, effect=0.125)
    newer = replace(VERDICT, feature="c", episode_id="e3", episode_start=HOUR + 6)
    written(client, "ordered", small, VERDICT, newer)
    assert [each.feature for each in episodes_of(client, "ordered")] == ["c", "amount", "b"]
