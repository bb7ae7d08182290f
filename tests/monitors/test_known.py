"""What a file names and no model has is warned of; what a single model has is fine."""

from __future__ import annotations

import pytest

from driftline.drift import DriftSettings
from driftline.monitors import read_monitors
from driftline.monitors.known import KnownModel, unmatched

KNOWN = {
    "churn-eu": KnownModel(
        numeric=frozenset({"age", "income"}), categorical=frozenset({"city"}), tags=frozenset({"country"})
    ),
    "churn-us": KnownModel(numeric=frozenset({"age"}), categorical=frozenset({"state"})),
}


@pytest.fixture
def warned(tmp_path):
    def warnings(text, known=KNOWN):
        (tmp_path / "monitors.yaml").write_text("version: 1\n" + text)
        return list(unmatched(read_monitors(tmp_path / "monitors.yaml", DriftSettings()), known))

    return warnings


def test_a_file_that_names_what_there_is_warns_of_nothing(warned):
    assert not warned(
        "defaults: {ignore_features: [inc*], segments: [country, city=Bergen]}\n"
        "models:\n"
        '  "churn-*": {features: {age: {minimum: 18}, city: {allowed: [Bergen]}, "*e": {warn_only: true}}}\n'
    )


def test_parts_of_the_answer_are_known_of_every_model(warned):
    assert not warned(
        "defaults: {features: {prediction.number: {maximum: 1}, prediction: {may_be_missing: false}}}\n"
    )


def test_a_name_or_pattern_of_no_model_is_named_with_the_nearest_one(warned):
    assert warned('models:\n  churn-uk: {}\n  "fraud-*": {}\n  churn-us: {}\n') == [
        "models.churn-uk: applies to no model that has landed; did you mean churn-us?",
        "models.fraud-*: applies to no model that has landed; there are: churn-eu, churn-us",
    ]
    assert warned("models:\n  churn: {}\n", {}) == [
        "models.churn: applies to no model that has landed; there are: none yet"
    ]


def test_what_no_model_has_is_warned_of_at_its_line(warned):
    assert warned(
        "defaults:\n"
        "  ignore_features: [row_id]\n"
        "  segments: [contry]\n"
        "models:\n"
        "  churn-eu:\n"
        "    features:\n"
        "      agee: {minimum: 18}\n"
    ) == [
        "line 3: row_id: churn-eu has no such feature",
        "line 4: contry: churn-eu has no such tag or categorical feature; did you mean country?",
        "line 8: features.agee.minimum: churn-eu has no such feature; did you mean age?",
    ]


def test_what_fits_no_feature_of_its_kind_is_warned_of(warned):
    assert warned(
        "models:\n"
        "  churn-eu:\n"
        "    segments: [age]\n"
        "    features:\n"
        "      age: {allowed: [young, old], may_be_missing: true}\n"
        "      city: {minimum: 1}\n"
    ) == [
        "line 4: age: churn-eu has it as a number; segments are of tags and categorical features",
        "line 6: features.age.allowed: churn-eu has it as a number: set minimum and maximum",
        "line 7: features.city.minimum: churn-eu has it as a category, to which no bound applies",
    ]
