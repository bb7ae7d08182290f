"""What a model's page shows of this moment, on a real store."""

from __future__ import annotations

import re

from tests.web.browser import text_of


class TestThisMoment:
    def test_shows_the_traffic_of_the_last_hour_by_version_and_environment(self, site):
        text = text_of(site.get("/models/flight-delay"))
        assert re.search(r"Traffic, the last hour up to 21 Jul 2013, \d\d:\d\d:\d\d UTC", text)
        assert re.search(r"3 production \d+ [\d.]+", text.partition("Traffic, the last hour")[2])

    def test_shows_every_feature_and_answer_of_the_open_hour(self, site):
        shown = site.get("/models/flight-delay").partition("Answers and features in the open hour")[2]
        names = re.findall(r"<figcaption>(?:<a [^>]*>|<b>)([^<]+)<", shown)
        assert {"temp", "carrier"} <= set(names)

    def test_says_where_no_reference_is_registered(self, site):
        shown = text_of(site.get(f"/models/{site.hostile}"))
        assert "No reference is registered for this version" in shown

    def test_features_with_verdicts_lead_to_their_page(self, site):
        shown = site.get("/models/flight-delay").partition("Answers and features in the open hour")[2]
        assert '<figcaption><a href="/models/flight-delay/features/temp?version=3">temp</a>' in shown
