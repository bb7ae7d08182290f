"""A metric over time, drawn: final and partial values are distinguished, and nothing leaves the drawing."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from driftline.web.draw.performance import Point, timeline_chart
from driftline.web.period import Period

PERIOD = Period(end_hour=28 * 24, days=28)
POINT = Point(0, 24, 0.8, 0.7, 0.85, True, None, 0.6, "a day")


def drawn(*points):
    return ET.fromstring(f"<g>{timeline_chart(points, PERIOD, title='Accuracy', description='')}</g>")


def of_class(chart, name):
    return [shape for shape in chart.iter() if name in shape.get("class", "").split()]


def test_final_and_partial_values_look_different_and_what_came_alone_stands_beside():
    chart = drawn(POINT, replace(POINT, first=24, end=48, is_final=False, naive=0.9))
    assert [shape.get("class") for shape in of_class(chart, "point")] == ["point final", "point partial"]
    assert len(of_class(chart, "naive")) == 1
    assert len(of_class(chart, "interval")) == len(of_class(chart, "baseline")) == 2


def test_a_value_stands_in_the_middle_of_its_period_and_within_its_interval():
    chart = drawn(replace(POINT, first=14 * 24 - 12, end=14 * 24 + 12))
    (point,), (interval,) = of_class(chart, "point"), of_class(chart, "interval")
    assert point.get("cx") == interval.get("x1") == "50%"
    heights = [
        float(shape.rstrip("%")) for shape in (interval.get("y2"), point.get("cy"), interval.get("y1"))
    ]
    assert heights == sorted(heights)
    assert 0 < heights[0] < heights[2] < 100


def test_values_without_interval_or_that_do_not_vary_are_drawn_and_none_is_no_chart():
    chart = drawn(replace(POINT, low=None, high=None, baseline=None, value=0.0))
    assert len(of_class(chart, "point")) == 1
    assert of_class(chart, "interval") == []
    assert timeline_chart([], PERIOD, title="", description="") is None
    assert timeline_chart([replace(POINT, first=900, end=920)], PERIOD, title="", description="") is None


def test_an_estimate_is_a_band_with_and_without_a_value():
    estimated = replace(POINT, first=24, end=48, value=None, low=None, high=None, estimate=(0.8, 0.7, 0.9))
    chart = drawn(replace(POINT, estimate=(0.75, 0.7, 0.78)), estimated)
    assert len(of_class(chart, "estimate")) == len(of_class(chart, "estimated")) == 2
    assert len(of_class(chart, "point")) == 1
    band, line = of_class(chart, "estimate")[1], of_class(chart, "estimated")[1]
    top, height, middle = (
        float(shape.rstrip("%")) for shape in (band.get("y"), band.get("height"), line.get("y1"))
    )
    assert middle == pytest.approx(top + height / 2, abs=0.02)
    assert 0 < top < top + height < 100
