"""The page of a model's history: what was declared beside what answered, and who decided what."""

from __future__ import annotations

import re


def test_it_shows_what_was_declared_and_in_which_hours_another_version_answered(site):
    page = site.get("/models/flight-delay/history")
    strips = re.findall(r"<svg[^>]*class=\"strip\".*?</svg>", page, flags=re.DOTALL)
    declared, answered = strips
    assert "in production: nothing, then 2, then 3" in declared or "in production: 2, then 3" in declared
    assert declared.count("<rect") == 2
    assert "version 3 answered in 192 hours, in 92 of them undeclared" in answered
    assert answered.count('class="answered undeclared"') == 92
    assert "not declared" in answered
    assert "92 h undeclared" in page


def test_decisions_stand_with_who_and_why_and_what_was_refused(site):
    page = site.get("/models/flight-delay/history")
    assert "version 3 went from candidate to production" in page
    assert "&lt;b&gt;better&lt;/b&gt;" in page
    assert "<b>better" not in page
    assert re.search(r"bob</span>: flight-delay is not as it was .* meanwhile version 3 went", page)


def test_versions_lead_to_their_runs(site):
    assert 'href="/models/flight-delay/runs/run-7f3a"' in site.get("/models/flight-delay/history")
    run = site.get("/models/flight-delay/runs/run-7f3a")
    assert "9f3c2e1a7b" in run
    assert "now production" in run
    assert "git clone REPOSITORY code &amp;&amp; git -C code checkout 9f3c2e1a7b" in run


def test_an_incident_and_a_prediction_lead_to_the_run_in_one_click(site):
    link = 'href="/models/flight-delay/runs/run-7f3a"'
    assert link in site.get("/incidents/a1b2c3d4e5f6")
    event = re.search(r'href="(/predictions/[^"]*)"', site.get("/models/flight-delay/predictions"))[1]
    prediction = site.get(event)
    assert link in prediction
    assert "stage then</dt><dd>production" in prediction


def test_what_is_not_registered_is_not_found(site):
    for path, shown in (
        ("/models/nothing/history", "No model &#39;nothing&#39; is registered; there are flight-delay, fare"),
        (
            "/models/flight-delay/runs/nothing",
            "No run &#39;nothing&#39; of &#39;flight-delay&#39; is registered",
        ),
    ):
        assert shown in site.get(path, status=404)
