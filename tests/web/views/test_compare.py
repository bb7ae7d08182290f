"""The page of two versions: what made each, how right each is, and whether that was on the same rows."""

from __future__ import annotations

import re


def test_versions_that_answered_the_same_rows_are_compared_row_by_row(site):
    page = site.get("/models/fare/compare/1/2")
    assert "Paired: on 120 rows with truths that both answered" in page
    (row,) = re.findall(r'<tr><th scope="row" class="text">Accuracy</th>.*?</tr>', page)
    assert "McNemar, exact" in row
    assert "<td>0.875</td><td>0.95</td>" in row
    assert "120 in production" in page
    assert "120 in shadow" in page


def test_what_differs_between_the_runs_is_listed_part_by_part(site):
    page = site.get("/models/fare/compare/1/2")
    assert "git log --oneline 4d90c1aa..7e90c1aa" in page
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td>(.*?)</td><td>(.*?)</td></tr>', page)
    assert ("scikit-learn", "1.4.0", "1.5.2") in rows
    assert ("depth", "4", "6") in rows
    assert ("weekday", '<span class="soft">nothing</span>', "categorical") in rows
    assert not [name for name, *_ in rows if name in {"numpy", "loss", "cpu_s"}]


def test_a_version_that_answered_nothing_is_compared_by_what_is_registered(site):
    page = site.get("/models/flight-delay/compare/2/3")
    assert "No prediction of version 2 of flight-delay has landed in that time" in page
    assert "Version 2 of flight-delay was made by run &#39;run-2&#39;, of which nothing has landed" in page


def test_the_history_leads_from_a_version_to_its_comparison_with_production(site):
    assert 'href="/models/fare/compare/1/2"' in site.get("/models/fare/history")


def test_a_version_that_is_not_there_is_not_found(site):
    assert "Fare has no version 9" in site.get("/models/fare/compare/1/9", status=404)
    assert "Both are version 1 of fare" in site.get("/models/fare/compare/1/1", status=404)
