"""The page of a model's training: decisions with their reasons, comparisons, runs and training sets."""

from __future__ import annotations

import pytest


@pytest.fixture
def page(site):
    return site.get("/models/flight-delay/lifecycle")


def test_each_decision_stands_with_its_cause_and_every_reason_against_it(page):
    assert page.index("retrain") < page.index("refuse")
    assert "performance drop" in page
    assert "<code>upstream_fault</code> a1b2c3: &lt;b&gt;temp&lt;/b&gt; rose" in page
    assert "<code>incomplete_hours</code> 40% are missing" in page


def test_what_came_of_candidates_runs_and_training_sets_is_shown(page):
    for shown in (
        "roc_auc fell",
        "flight-delay-run",
        "gate",
        "failed",
        "winter",
        "12,345",
        "s3://sets/manifests",
    ):
        assert shown in page, shown


def test_the_model_leads_there(site):
    assert 'href="/models/flight-delay/lifecycle"' in site.get("/models/flight-delay/history")


def test_a_model_of_which_nothing_is_known_is_not_found(site):
    assert "decided about training" in site.get("/models/never/lifecycle", status=404)
