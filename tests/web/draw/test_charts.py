"""Charts: pure functions, tested by their markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from driftline.web.draw import charts
from driftline.web.draw.charts import Series, Span
from driftline.web.draw.svg import element
from driftline.web.period import DAYS, Period

PERIOD = Period(end_hour=28 * 24 * 10, days=28)


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(f"<g>{markup}</g>")


def cells(markup: str) -> list[dict[str, str]]:
    return [
        shape.attrib for shape in parsed(markup).iter("rect") if shape.get("class", "").startswith("cell")
    ]


def ticks(markup: str) -> list[str]:
    return [text.text for text in parsed(markup).iter("text")]


class TestStrip:
    def test_without_verdicts_it_is_empty_and_still_labelled(self):
        drawn = charts.strip({}, PERIOD, [], label="temp")
        assert cells(drawn) == []
        assert parsed(drawn).find("svg/title").text == "temp"

    def test_one_cell_stands_where_its_time_is(self):
        (drawn,) = cells(charts.strip({84: "page"}, PERIOD, [], label=""))
        assert (drawn["x"], drawn["width"], drawn["class"]) == ("50%", "0.595%", "cell page")

    def test_neighbours_of_one_verdict_become_one_shape_and_gaps_stay(self):
        drawn = cells(charts.strip({0: "ok", 1: "ok", 3: "ok", 4: "warn"}, PERIOD, [], label=""))
        assert [(each["class"], each["width"]) for each in drawn] == [
            ("cell ok", "1.19%"),
            ("cell ok", "0.595%"),
            ("cell warn", "0.595%"),
        ]

    def test_every_verdict_has_a_look_of_its_own_without_colour(self):
        verdicts = ["page", "warn", "ok", "learning", "incomplete", "insufficient_data"]
        looks = set()
        for verdict in verdicts:
            (drawn,) = cells(charts.strip({0: verdict}, PERIOD, [], label=""))
            looks.add((drawn["height"], drawn.get("fill")))
        assert len(looks) == len(verdicts)

    def test_an_episode_is_marked_from_its_first_hour(self):
        first = PERIOD.end_hour - 7 * 24
        drawn = parsed(charts.strip({}, PERIOD, [Span(first, PERIOD.end_hour)], label=""))
        assert drawn.find("svg/rect").attrib["x"] == drawn.find("svg/line").attrib["x1"] == "75%"

    def test_an_episode_that_began_before_the_period_has_no_beginning_in_it(self):
        drawn = parsed(charts.strip({}, PERIOD, [Span(0, PERIOD.end_hour)], label=""))
        assert drawn.find("svg/line") is None
        assert drawn.find("svg/rect").attrib["width"] == "100%"

    def test_an_episode_outside_the_period_is_not_drawn(self):
        assert parsed(charts.strip({}, PERIOD, [Span(0, 24)], label="")).find("svg/rect") is None

    def test_names_are_escaped(self):
        assert "<script>" not in charts.strip({}, PERIOD, [], label="<script>")


class TestTimeAxis:
    @pytest.mark.parametrize("days", DAYS)
    def test_has_a_few_times_and_names_the_year_once(self, days):
        found = ticks(charts.time_axis(Period(380_000, days)))
        assert 3 <= len(found) <= 7
        assert re.search(r" 20\d\d$", found[0])
        assert not any(re.search(r" 20\d\d$", each) for each in found[1:])


class TestEffectChart:
    def test_without_effects_there_is_none(self):
        assert charts.effect_chart({}, PERIOD, [], title="", description="") is None

    def test_one_point_is_a_visible_stroke(self):
        drawn = charts.effect_chart({10: 0.2}, PERIOD, [], title="t", description="d")
        start, end = re.search(r'd="M([\d.]+) [\d.]+H([\d.]+)"', drawn).groups()
        assert float(end) > float(start)

    def test_a_gap_breaks_the_line(self):
        drawn = charts.effect_chart({1: 0.1, 2: 0.1, 5: 0.1}, PERIOD, [], title="t", description="d")
        assert re.search(r'd="([^"]*)"', drawn)[1].count("M") == 2

    @pytest.mark.parametrize("highest", [0.0, 0.00004, 0.013, 0.2, 0.999, 1.0])
    def test_the_line_stays_below_the_uppermost_tick(self, highest):
        drawn = charts.effect_chart({1: highest, 2: 0.0}, PERIOD, [], title="t", description="d")
        heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)H", drawn)]
        assert all(0 <= height <= 100 for height in heights)
        assert heights[1] == 100

    def test_says_what_it_is_to_those_who_can_not_see_it(self):
        drawn = parsed(charts.effect_chart({1: 0.1}, PERIOD, [], title="the title", description="the rest"))
        assert drawn.find("svg/title").text == "the title"
        assert drawn.find("svg/desc").text == "the rest"


class TestHistogramChart:
    def test_bars_reach_as_high_as_their_shares(self):
        series = [Series("now", "now", [0.0, 0.3, 0.15])]
        drawn = charts.histogram_chart([0.0, 1.0, 2.0, 3.0], series, title="t", description="d")
        assert 'd="M0 100V100.00H333.33V0.00H666.67V50.00H1000.00V100"' in drawn

    def test_a_reference_is_an_outline_also_where_there_is_nothing_now(self):
        series = [Series("before", "before", [0.5, 0.5])]
        drawn = charts.histogram_chart([0.0, 1.0, 2.0], series, title="t", description="d")
        assert 'class="line before"' in drawn
        assert "bars" not in drawn

    def test_a_constant_is_one_bar_over_an_axis_that_names_it(self):
        drawn = charts.histogram_chart([6.5, 7.5], [Series("now", "now", [1.0])], title="t", description="d")
        assert "7" in ticks(drawn)


class TestPairedBars:
    def test_bars_are_in_proportion(self):
        pair = [Series("now", "now", [0.1]), Series("before", "before", [0.4])]
        widths = [shape.attrib["width"] for shape in parsed(charts.paired_bars(pair, top=0.4)).iter("rect")]
        assert widths == ["25%", "100%"]

    def test_shares_of_nothing_have_no_width(self):
        assert 'width="0%"' in charts.paired_bars([Series("now", "now", [0.0])], top=0.0)


def test_an_element_escapes_texts_and_values():
    assert element("g", "<b>", class_='"x"') == '<g class="&#34;x&#34;">&lt;b&gt;</g>'
