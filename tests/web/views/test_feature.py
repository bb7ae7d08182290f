"""A feature's page, on a real store."""

from __future__ import annotations

import html
import re

from tests.web.browser import text_of


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

    def test_tells_verdicts_reasons_and_descriptive_statistics(self, site):
        text = text_of(site.get(f"{self.PATH}/temp"))
        assert "past weeks 24 h ▲ drifted reason of temp +30.0 points" in text
        assert re.search(r"past weeks 24 h 0\.3125 0\.25", text)

    def test_shows_a_past_window_as_it_was(self, site):
        text = text_of(site.get(f"{self.PATH}/carrier?at=2013-07-12T01:00Z"))
        assert "as it was at 12 Jul 2013, 01:00 UTC" in text
        assert "carrier drifted since 11 Jul 2013, 14:00 UTC (11 h)" in text

    def test_a_past_episode_links_to_the_window_it_ended_with(self, site):
        link = html.unescape(
            re.search(
                r'href="(/models/flight-delay/features/carrier[^"]*at=[^"]*)"',
                site.get("/models/flight-delay"),
            )[1]
        )
        assert "carrier drifted since 11 Jul 2013, 14:00 UTC" in text_of(site.get(link))

    def test_an_unknown_feature_is_a_404_that_says_so(self, site):
        text = text_of(site.get(f"{self.PATH}/nope", status=404))
        assert "No verdict on a feature called 'nope' of 'flight-delay'" in text

    def test_tells_what_the_parts_of_the_traffic_say_the_gravest_first(self, site):
        page = site.get(f"{self.PATH}/temp").partition("By part of the traffic")[2].partition("</table>")[0]
        assert re.findall(r'<th scope="row">(.*?)</th>', page) == ["origin=JFK", "origin=LGA"]
        text = text_of(page)
        assert "origin=JFK \N{BLACK UP-POINTING TRIANGLE} drifted nulls rose from 1.00 % to 31.0 %" in text
        assert "origin=LGA \N{CHECK MARK} ok" in text

    def test_leads_to_its_incident_and_to_the_predictions_of_its_window(self, site):
        page = site.get(f"{self.PATH}/temp")
        assert 'href="/incidents/a1b2c3d4e5f6"' in page
        link = html.unescape(re.search(r'href="([^"]*)">The predictions of this window', page)[1])
        shown = text_of(site.get(link))
        assert "50 or more found, the newest first: " in shown
        assert "to 21 Jul 2013, 13:09:00 UTC" in shown

    def test_tells_invalid_values_of_this_feature_only(self, site):
        assert "too large 416" in text_of(site.get(f"{self.PATH}/temp"))
        assert "too large" not in text_of(site.get(f"{self.PATH}/carrier"))
