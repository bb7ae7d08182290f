"""A model's page, on a real store."""

from __future__ import annotations

import html
import re

from tests.web.browser import text_of


class TestModelPage:
    def test_leads_with_the_feature_and_since_when(self, site):
        assert "temp drifted since 19 Jul 2013, 10:00 UTC" in text_of(site.get("/models/flight-delay"))

    def test_lists_episodes_with_since_until_channel_and_reason_newest_first(self, site):
        text = text_of(site.get("/models/flight-delay")).partition("Episodes")[2]
        assert re.search(
            r"temp 19 Jul 2013, 10:00 UTC ▲ drifted still, after 2 d 4 h nulls rose .* reason of temp "
            r"incident a1b2c3d4e5f6 carrier 11 Jul 2013, 14:00 UTC 12 Jul 2013, 01:00 UTC 11 h",
            text,
        )

    def test_strips_tell_times_and_verdicts_to_those_who_hover_or_listen(self, site):
        page = site.get("/models/flight-delay")
        assert "<title>drifted: 19 Jul 2013, 10:00 UTC to 21 Jul 2013, 14:00 UTC</title>" in page
        assert "temp: drifted. Incidents: 19 Jul 2013, 10:00 UTC to 21 Jul 2013, 14:00 UTC.</title>" in page

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

    def test_tells_completeness(self, site):
        shown = text_of(site.get("/models/flight-delay"))
        assert "arrived of the newest window 99.8 % in all: sent 1,925 landed 1,919" in shown
        assert "missing 6 (0.31 %) duplicates 1" in shown

    def test_times_follow_the_newest_window_and_tell_its_age(self, site):
        shown = text_of(site.get("/models/flight-delay"))
        assert "judged up to 21 Jul 2013, 14:00 UTC, 12 years ago" in shown

    def test_shows_warnings_against_production_before_what_is_ok(self, site):
        grid = site.get("/models/flight-delay").partition('<table class="grid"')[2].partition("</table>")[0]
        assert re.findall(r'<th scope="row"><a [^>]*>(\w+)</a>', grid) == ["temp", "humid", "carrier", "dewp"]

    def test_does_not_tell_an_incident_that_a_later_revision_took_back(self, site):
        shown = text_of(site.get("/models/flight-delay"))
        assert "dewp drifted" not in shown
        assert "dewp \N{CHECK MARK} ok" in shown

    def test_longer_periods_reach_older_episodes(self, site):
        assert "16 Jun 2013, 08:00 UTC" not in text_of(site.get("/models/flight-delay?days=28"))
        assert "16 Jun 2013, 08:00 UTC" in text_of(site.get("/models/flight-delay?days=90"))

    def test_tells_what_is_invalid_with_events_to_look_at(self, site):
        page = site.get("/models/flight-delay")
        assert "temp too large 416 21.7 % 19 Jul 2013, 10:02 21 Jul 2013, 13:09" in text_of(page)
        section = page.partition("Values that break a rule")[2]
        event = re.search(r'href="(/predictions/[0-9a-f-]{36})"', section)[1]
        assert "invalid: too large" in text_of(site.get(event))

    def test_leads_to_its_predictions(self, site):
        link = re.search(r'href="([^"]*)">Its predictions', site.get("/models/flight-delay"))[1]
        assert "Predictions of flight-delay" in text_of(site.get(html.unescape(link)))

    def test_marks_when_a_version_began_to_serve(self, site):
        page = site.get("/models/canary-watched")
        assert "<title>version 4: 19 Jul 2013, 13:00 UTC</title>" in page
        assert "version 3" not in page.partition('class="marks"')[2].partition("</svg>")[0]
