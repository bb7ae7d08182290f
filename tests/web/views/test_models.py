"""The pages, on a real store."""

from __future__ import annotations

import html
import json
import re

import pytest

from tests.web.browser import text_of
from tests.web.conftest import END, HOSTILE_FEATURE, HOSTILE_MODEL, HOSTILE_VALUE

HOSTILE_LINK = "~" * HOSTILE_MODEL.startswith("~") + (
    "%3Cscript%3Ealert%28%27model%27%29%3C%2Fscript%3E%2Fa%20b%3Fc%23d%252F%C3%BC"
)


def card(page: str, model: str) -> str:
    """Return what the first page says of one model."""
    cards = [text_of(part) for part in re.findall(r"<article.*?</article>", page, flags=re.DOTALL)]
    return next(each for each in cards if each.startswith(model))


class TestFirstPage:
    def test_leads_with_which_model_and_feature_drifted_and_since_when(self, site):
        text = text_of(site.get("/"))
        assert text.startswith("driftline flight-delay has drifted, 3 others did not")
        assert "temp drifted since 19 Jul 2013, 10:00 UTC (2 d 4 h)" in text
        assert "nulls rose from 1.0 % to 31.0 %, against the same hours of past weeks" in text

    def test_shows_the_model_that_drifted_first(self, site):
        names = re.findall(r'<h2><a href="[^"]*">(.*?)</a>', site.get("/"))
        assert names[:3] == ["flight-delay", "crew", "young"]

    def test_calls_only_what_drifts_now_drifted(self, site):
        page = site.get("/")
        assert card(page, "flight-delay").count("▲ drifted") == 2  # The model and its one feature.
        assert "drifted" not in card(page, "crew") + card(page, "young")

    def test_tells_a_past_episode_with_its_duration(self, site):
        told = card(site.get("/"), "flight-delay")
        assert "Past episodes carrier 11 Jul 2013, 14:00 UTC, for 11 h" in told
        assert "the share of 'DAL' rose from 1.0 % to 31.0 %" in told

    def test_does_not_tell_a_page_that_a_later_revision_took_back(self, site):
        told = card(site.get("/"), "flight-delay")
        assert "dewp drifted" not in told
        assert "dewp ✓ ok" in told

    def test_says_why_a_model_is_not_judged(self, site):
        page = site.get("/")
        assert "Not judged now: why incomplete." in card(page, "crew")
        assert "Still learning: why learning." in card(page, "young")

    def test_tells_completeness(self, site):
        told = card(site.get("/"), "flight-delay")
        assert "sent 1,925 landed 1,919 missing 6 (0.31 %) duplicates 1" in told

    def test_times_follow_the_newest_window_and_tell_its_age(self, site):
        assert "judged up to 21 Jul 2013, 14:00 UTC, 12 years ago" in text_of(site.get("/"))

    def test_shows_warnings_against_production_before_what_is_ok(self, site):
        rows = re.findall(r'<th role="rowheader" scope="row"><a [^>]*>(\w+)</a>', site.get("/"))
        assert rows[:4] == ["temp", "humid", "carrier", "dewp"]

    @pytest.mark.parametrize(("days", "told"), [("7", False), ("28", True), ("junk", True)])
    def test_lists_episodes_of_the_days_asked_for(self, site, days, told):
        assert ("carrier 11 Jul 2013" in text_of(site.get(f"/?days={days}"))) is told

    def test_longer_periods_reach_older_episodes(self, site):
        assert "temp 16 Jun 2013, 08:00 UTC, for 6 h" not in text_of(site.get("/?days=28"))
        assert "temp 16 Jun 2013, 08:00 UTC, for 6 h" in text_of(site.get("/?days=90"))


class TestModelPage:
    def test_leads_with_the_feature_and_since_when(self, site):
        assert "temp drifted since 19 Jul 2013, 10:00 UTC" in text_of(site.get("/models/flight-delay"))

    def test_lists_episodes_with_since_until_channel_and_reason_newest_first(self, site):
        text = text_of(site.get("/models/flight-delay")).partition("Episodes")[2]
        assert re.search(
            r"temp 19 Jul 2013, 10:00 UTC ▲ drifted still, after 2 d 4 h nulls rose .* reason of temp "
            r"page temp-\d+ carrier 11 Jul 2013, 14:00 UTC 12 Jul 2013, 01:00 UTC 11 h",
            text,
        )

    def test_strips_tell_times_and_verdicts_to_those_who_hover_or_listen(self, site):
        page = site.get("/models/flight-delay")
        assert "<title>drifted: 19 Jul 2013, 10:00 UTC to 21 Jul 2013, 14:00 UTC</title>" in page
        assert "temp: drifted. Pages: 19 Jul 2013, 10:00 UTC to 21 Jul 2013, 14:00 UTC.</title>" in page

    def test_shows_the_training_reference_beside_production_and_by_itself(self, site):
        page = text_of(site.get("/models/flight-delay"))
        assert re.search(r"dewp ✓ ok ◆ warning", page)
        strips = [
            site.get(f"/models/flight-delay{query}")
            .partition('<table class="grid"')[2]
            .partition("</table>")[0]
            for query in ("", "?reference=training")
        ]
        assert ["cell page" in each for each in strips] == [True, False]
        assert "warning: 21 Jul 2013" in strips[1]

    def test_names_the_training_run_behind_a_version(self, site):
        assert "run-7f3a commit 9f3c2e1a7b" in text_of(site.get("/models/flight-delay"))

    def test_an_unknown_model_is_a_404_that_says_so(self, site):
        assert "No event of a model called 'nope' has landed." in text_of(
            site.get("/models/nope", status=404)
        )

    def test_an_unknown_version_is_a_404_that_says_so(self, site):
        text = text_of(site.get("/models/flight-delay?version=99", status=404))
        assert "No window of version 99 in any environment is judged." in text


class TestFeaturePage:
    PATH = "/models/flight-delay/features"

    def test_leads_with_since_when_it_drifted(self, site):
        text = text_of(site.get(f"{self.PATH}/temp"))
        assert "temp ▲ drifted numeric feature of flight-delay, version 3" in text
        assert "since 19 Jul 2013, 10:00 UTC" in text

    def test_compares_with_the_weeks_before_the_drift_began(self, site):
        text = text_of(site.get(f"{self.PATH}/temp"))
        # 24 h of nine values; and the same hours a week before, and eight days back those that are there.
        assert "this window: 20 Jul 2013, 14:00 UTC to 21 Jul 2013, 14:00 UTC, 216 values" in text
        assert "21 Jun 2013, 10:00 UTC to 19 Jul 2013, 10:00 UTC, when the drift began, 240 values" in text
        assert "training data: the reference rows of version 3, 50 values" in text

    def test_the_distribution_tells_where_values_were_and_are(self, site):
        page = site.get(f"{self.PATH}/temp")
        table = page.partition("The numbers as a table")[2].partition("</table>")[0]
        rows = [
            re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(<td>.*?)</tr>", table, re.DOTALL)
        ]
        now = [float(row[0]) for row in rows if not row[2].startswith("0\N{NO-BREAK SPACE}")]
        before = [float(row[0]) for row in rows if not row[3].startswith("0\N{NO-BREAK SPACE}")]
        assert 29 < min(now) <= max(now) < 31
        assert 19 < min(before) <= max(before) < 21

    def test_says_which_share_is_null(self, site):
        text = text_of(site.get(f"{self.PATH}/temp"))
        assert "Of 240 events that carried the feature, 10.0 % were null (0 % in the weeks before)." in text

    def test_shows_a_category_as_values_with_their_change(self, site):
        text = text_of(site.get(f"{self.PATH}/carrier"))
        assert "DAL 40.0 % 0 % +40.0 points" in text
        assert "DL 0 % 40.0 % \N{MINUS SIGN}40.0 points" in text

    def test_tells_verdicts_reasons_and_familiar_statistics(self, site):
        text = text_of(site.get(f"{self.PATH}/temp"))
        assert "past weeks 24 h ▲ drifted reason of temp +30.0 points" in text
        assert re.search(r"past weeks 24 h 0\.3125 0\.25", text)

    def test_shows_a_past_window_as_it_was(self, site):
        text = text_of(site.get(f"{self.PATH}/carrier?at=2013-07-12T01:00Z"))
        assert "as it was at 12 Jul 2013, 01:00 UTC" in text
        assert "carrier drifted since 11 Jul 2013, 14:00 UTC (11 h)" in text

    def test_a_past_episode_links_to_the_window_it_ended_with(self, site):
        link = html.unescape(
            re.search(r'href="(/models/flight-delay/features/carrier[^"]*at=[^"]*)"', site.get("/"))[1]
        )
        assert "carrier drifted since 11 Jul 2013, 14:00 UTC" in text_of(site.get(link))

    def test_an_unknown_feature_is_a_404_that_says_so(self, site):
        text = text_of(site.get(f"{self.PATH}/nope", status=404))
        assert "No verdict on a feature called 'nope' of 'flight-delay'" in text


class TestHostileNames:
    def test_links_to_names_of_any_characters_lead_to_their_pages(self, site):
        link = html.unescape(re.search(r'href="(/models/%3Cscript[^"]*)"', site.get("/"))[1])
        model = site.get(link)
        assert HOSTILE_MODEL in html.unescape(model)
        link = html.unescape(re.search(r'href="(/models/%3Cscript[^"]*/features/[^"]*)"', model)[1])
        feature = html.unescape(site.get(link))
        assert HOSTILE_FEATURE in feature
        assert HOSTILE_VALUE in feature

    @pytest.mark.parametrize("path", ["/", f"/models/{HOSTILE_LINK}", "/models/%3Cscript%3E"])
    def test_names_never_become_markup(self, site, path):
        page = site.ask(path).text
        for opened in ("<script", "<img", "<b>bold"):
            assert opened not in page

    def test_pages_forbid_scripts_and_what_lies_elsewhere(self, site):
        answer = site.ask("/")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
        assert "<script" not in answer.text
        assert not re.search(r'(src|href)="https?:', answer.text)


class TestOperations:
    def test_we_are_ready_while_the_store_answers(self, site):
        answer = site.ask("/readyz")
        told = {"status": "ok", "checks": {"store": "ok"}, "problems": []}
        assert (answer.status, json.loads(answer.text)) == (200, told)

    def test_metrics_are_in_prometheus_format(self, site):
        answer = site.ask("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert "driftline_tests_total 3.0" in answer.text

    def test_the_style_sheet_is_kept_under_an_address_of_its_version(self, site):
        link = re.search(r'href="(/style\.css\?v=\w{12})"', site.get("/"))[1]
        answer = site.ask(link)
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]

    def test_an_address_without_a_page_is_a_404(self, site):
        assert "There is no such page." in text_of(site.get("/nothing", status=404))
        assert "There is no such page." in text_of(site.get("/models/flight-delay/else", status=404))


def test_the_newest_window_ends_when_the_tests_say() -> None:
    assert END == 381782
