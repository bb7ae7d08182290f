"""Which of the newest verdicts say how a model stands."""

from __future__ import annotations

from driftline.store.judged import State
from driftline.web.views.streams import that_count


def states(reference, *verdicts):
    return [State("temp", "numeric", reference, 24, verdict, 1.0, "") for verdict in verdicts]


def test_until_past_weeks_are_known_those_against_the_training_data_do():
    production, training = states("production", "learning", "insufficient_data"), states("training", "warn")
    assert that_count(production + training) == training


def test_once_past_weeks_are_known_those_against_them_do():
    production, training = states("production", "learning", "ok"), states("training", "page")
    assert that_count(production + training) == production


def test_where_the_training_data_is_not_judged_either_it_is_still_past_weeks():
    production, training = states("production", "learning"), states("training", "insufficient_data")
    assert that_count(production + training) == production
    assert that_count([]) == []
