"""Rules are learned from what is there, kept by version, and overridden by hand."""

from __future__ import annotations

import json
import threading
from contextlib import closing

import pytest

from driftline import register_training_run
from driftline.errors import SettingError
from driftline.profiling import rules as profiling_rules
from driftline.profiling.rules import feature_rule, learn_rules
from driftline.store.rule_samples import FeatureSample, read_samples
from driftline.store.rules import ANSWER, Rule, read_rules, set_rules
from tests.support.landing import put
from tests.support.training import WAIVED

ROWS = 1100


def register(landing, model, version="3", rows=ROWS, **answers):
    register_training_run(
        f"{model}-{version}",
        model_name=model,
        model_version=version,
        waive=WAIVED,
        log=landing.log,
        reference={
            "amount": [float(number % 11) for number in range(rows)],
            "age": [None if number % 7 == 0 else float(number % 61) for number in range(rows)],
            "city": ["ABC"[number % 3] for number in range(rows)],
            "street": [f"street {number % 60}" for number in range(rows)],
        },
        **answers,
    )
    landing.land()


def served(count, **more):
    return [
        {"features": {"amount": float(number % 5), "colour": "red", **more}, "label": "ab"[number % 2]}
        for number in range(count)
    ]


def sets(client, model):
    query = "SELECT count() FROM feature_rules FINAL WHERE model_name = {model:String} AND feature = ''"
    return client.rows(query, parameters={"model": model})[0][0]


def test_a_rule_forbids_what_the_reference_never_showed(landing, client):
    register(landing, "learned", reference_predictions=[float(number % 2) for number in range(ROWS)])
    found = read_rules(client, "learned")["3"]
    never = {"may_be_missing": False, "may_be_absent": False}
    assert found["amount"] == Rule("numeric", -5.0, 15.0, **never, may_be_not_finite=False)
    assert found["age"] == Rule("numeric", -30.0, 90.0, may_be_absent=False, may_be_not_finite=False)
    assert found["city"] == Rule("categorical", allowed=("A", "B", "C"), **never)
    assert found["street"] == Rule("categorical", **never)  # 60 values are no list any more.
    assert found["prediction"] == Rule("answer", may_be_missing=False)
    assert found["prediction.number"] == Rule("answer", -0.5, 1.5, may_be_not_finite=False)
    assert found.keys() == {"amount", "age", "city", "street", *ANSWER}


def test_a_few_rows_do_not_say_which_categories_there_are(landing, client):
    register(landing, "few", rows=999)
    assert read_rules(client, "few")["3"]["city"].allowed is None


def test_learning_again_changes_nothing(landing, client):
    register(landing, "again")
    assert sets(client, "again") == 1
    assert learn_rules(client, "again") == []
    assert sets(client, "again") == 1


def test_without_a_reference_rules_are_learned_from_production_until_there_is_one(
    landing, client, monkeypatch
):
    monkeypatch.setattr(profiling_rules, "PRODUCTION_ROWS", 100)
    put(landing, served(99), model_name="served")
    assert read_rules(client, "served") == {}
    put(landing, [*served(1), {"features": {"amount": 9.0}, "label": "a"}], model_name="served")
    found = read_rules(client, "served")["3"]
    assert found["amount"] == Rule(
        "numeric", -4.5, 13.5, may_be_missing=False, may_be_absent=False, may_be_not_finite=False
    )
    assert found["colour"].may_be_absent
    assert found["prediction"] == Rule("answer", may_be_missing=False)
    register(landing, "served")
    assert read_rules(client, "served")["3"].keys() == {"amount", "age", "city", "street", *ANSWER}
    assert sets(client, "served") == 2


def test_what_the_reference_does_not_have_of_the_answer_is_learned_from_production(
    landing, client, monkeypatch
):
    monkeypatch.setattr(profiling_rules, "PRODUCTION_ROWS", 100)
    register(landing, "answered")
    assert read_rules(client, "answered")["3"]["prediction"].may_be_missing
    put(landing, served(100), model_name="answered")
    found = read_rules(client, "answered")["3"]
    assert not found["prediction"].may_be_missing
    assert "colour" not in found


def test_a_reference_that_is_not_there_in_whole_is_waited_for(landing, client):
    register(landing, "whole")
    client.command("DELETE FROM feature_rules WHERE model_name = 'whole'")
    more = "UPDATE reference_rows = reference_rows + 1 WHERE model_name = 'whole'"
    client.command(f"ALTER TABLE registrations {more}", settings={"mutations_sync": 1})
    assert learn_rules(client, "whole") == []


def test_a_reference_that_is_not_derived_in_whole_is_waited_for(landing, client):
    register(landing, "landing")
    assert read_samples(client, "landing", "3")["reference"].rows == ROWS
    client.command("DELETE FROM feature_rules WHERE model_name = 'landing'")
    client.command("DELETE FROM derived_hours WHERE model_name = 'landing'")
    assert read_samples(client, "landing", "3") == {}
    assert learn_rules(client, "landing") == []
    landing.land()
    assert set(read_rules(client, "landing")) == {"3"}


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (FeatureSample(finite=3, named=2, minimum=0.0, maximum=1.0), Rule("", -0.5, 1.5, None)),
        (FeatureSample(nulls=5), Rule("")),
        (FeatureSample(finite=5, minimum=-1.7e308, maximum=1.7e308), Rule("numeric")),
        (FeatureSample(finite=4, not_finite=1, minimum=2.0, maximum=2.0), Rule("numeric", 2.0, 2.0)),
    ],
    ids=["of both kinds", "never a value", "wider than numbers get", "one value"],
)
def test_what_is_learned_of_odd_features(seen, rule):
    found = feature_rule(seen, seen.entries)
    assert (found.kind, found.minimum, found.maximum) == (rule.kind, rule.minimum, rule.maximum)


def test_an_override_replaces_what_was_learned_and_is_taken_back(landing, client):
    register(landing, "overridden")
    learned = read_rules(client, "overridden")["3"]
    set_rules(client, "overridden", {"amount": {"minimum": 0, "maximum": None}, "city": None})
    set_rules(client, "overridden", {"street": {"allowed": ["b", "a"]}, "extra": {"kind": "numeric"}})
    found = read_rules(client, "overridden")
    assert (found["3"]["amount"].minimum, found["3"]["amount"].maximum) == (0.0, None)
    assert not found["3"]["amount"].may_be_missing  # As it was learned.
    assert found["3"]["city"] == Rule()
    assert found["3"]["street"].allowed == ("a", "b")
    assert found[""].keys() == {"amount", "city", "street", "extra"}
    set_rules(client, "overridden", {"amount": {}, "city": {}, "street": {}, "extra": {}})
    assert read_rules(client, "overridden") == {"": {}, "3": learned}


def test_what_was_set_holds_for_versions_that_come_later_and_before_any_is_learned(landing, client):
    set_rules(client, "later", {"amount": {"maximum": 3}})
    put(landing, served(5), model_name="later")
    counted = "SELECT feature, reason, sum(count) FROM invalid_values WHERE model_name = 'later' GROUP BY ALL"
    assert client.rows(counted) == [("amount", "above_range", 1)]
    register(landing, "later", "4")
    assert read_rules(client, "later")["4"]["amount"].maximum == 3.0


def test_rules_that_are_set_while_others_are_learned_hold_in_the_end(landing, client, monkeypatch):
    register(landing, "meanwhile")
    client.command("DELETE FROM feature_rules WHERE model_name = 'meanwhile'")

    def late(*given):
        set_rules(client, "meanwhile", {"amount": {"maximum": 3}})
        return read_samples(*given)

    monkeypatch.setattr(profiling_rules, "read_samples", late)
    assert learn_rules(client, "meanwhile") == [("meanwhile", "3")]
    assert read_rules(client, "meanwhile")["3"]["amount"].maximum == 3.0


def test_profilers_that_learn_at_once_learn_the_same(landing, client):
    register(landing, "crowd")
    before = read_rules(client, "crowd")
    client.command("DELETE FROM feature_rules WHERE model_name = 'crowd'")
    barrier = threading.Barrier(3)

    def learn():
        with closing(landing.store.connect()) as own:
            barrier.wait()
            learn_rules(own, "crowd")

    threads = [threading.Thread(target=learn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_rules(client, "crowd") == before
    assert learn_rules(client, "crowd") == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"amount": {"least": 0}}, r"rule of amount: no field 'least'; there are kind, minimum"),
        ({"amount": {"minimum": "0"}}, r"rule of amount: '0' is no value of minimum"),
        ({"amount": {"maximum": True}}, "True is no value of maximum"),
        ({"amount": {"maximum": float("nan")}}, "nan is no value of maximum"),
        ({"city": {"allowed": "AB"}}, "'AB' is no value of allowed"),
        ({"city": {"allowed": ["A", 3]}}, "is no value of allowed"),
        ({"city": {"may_be_missing": 1}}, "1 is no value of may_be_missing"),
        ({"prediction.number": {"kind": "numeric"}}, "'numeric' is no value of kind"),
        ({"": {"minimum": 0}}, "a rule without a feature"),
    ],
    ids=json.dumps,
)
def test_what_is_no_rule_is_refused_and_changes_nothing(client, overrides, message):
    with pytest.raises(SettingError, match=message):
        set_rules(client, "refused", {"age": {"maximum": 3}, **overrides})
    assert read_rules(client, "refused") == {}
