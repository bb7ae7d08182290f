"""A model that was wrapped answers as before, and what it answered is in the log; a function likewise."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from driftline import PredictionLogger, logged, request_context, wrap
from driftline.errors import SettingError
from driftline.log import open_log
from driftline.sdk.session import close_all_sessions
from driftline.testing import MemoryLog, Prediction, read_events

NAMES = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}
FRAME = pd.DataFrame({"distance": [733.0, 1400.0, 214.0, 2475.0], "taxi_s": [600, 720, 540, 900]})
LATE = np.array(["no", "yes", "no", "yes"])
ROW = {"distance": 733.0, "taxi_s": 600.0}


@pytest.fixture(scope="module")
def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LATE)


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def logger(log):
    with PredictionLogger(**NAMES, log=log) as logger:
        yield logger


def test_a_classifier_answers_as_before_and_its_labels_are_logged(classifier, logger, log):
    model = wrap(classifier, logger=logger)
    assert model.predict(FRAME).tolist() == classifier.predict(FRAME).tolist()
    logged_rows = log.predictions
    assert [one.label for one in logged_rows] == LATE.tolist()
    assert dict(logged_rows[0].features) == ROW
    assert list(model.event_ids) == [one.event_id for one in logged_rows]
    assert all(one.compute_us for one in logged_rows)


def test_probabilities_are_logged_by_class_with_the_likelier_one_as_label(classifier, logger, log):
    answer = wrap(classifier, logger=logger).predict_proba(FRAME)
    assert answer.tolist() == classifier.predict_proba(FRAME).tolist()
    first, second, *_ = log.predictions
    assert first.probabilities == {"no": answer[0, 0], "yes": answer[0, 1]}
    assert (first.prediction, first.label) == (answer[0, 1], "no")
    assert second.label == "yes"


def test_a_threshold_of_the_services_own_decides_the_label(classifier, logger, log):
    wrap(classifier, logger=logger, threshold=0.0).predict_proba(FRAME[:1])
    wrap(classifier, logger=logger, threshold=0.0).predict_proba(FRAME)
    assert {one.label for one in log.predictions} == {"yes"}


def test_a_regression_is_logged_as_numbers(logger, log):
    model = LinearRegression().fit(FRAME, [1.0, 2.0, 3.0, 4.0])
    answer = wrap(model, logger=logger).predict(FRAME)
    assert [one.prediction for one in log.predictions] == answer.tolist()
    assert {one.label for one in log.predictions} == {None}


@pytest.mark.parametrize(
    "given",
    [
        FRAME[:1],
        FRAME[:1].to_numpy(),
        FRAME[:1].to_numpy().tolist(),
        pl.DataFrame({"distance": [733.0], "taxi_s": [600]}),
        pa.table({"distance": [733.0], "taxi_s": [600]}),
        sparse.csr_array(FRAME[:1].to_numpy()),
        ROW,
        [ROW],
        {"distance": np.array([733.0]), "taxi_s": [np.int64(600)]},
        FRAME.iloc[0],
        FRAME[:1].to_numpy()[0],
        [np.float32(733.0), np.int64(600)],
        dataclasses.make_dataclass("Flight", ["distance", "taxi_s"])(733.0, 600),
    ],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize(
    "answer", [0.25, np.float32(0.25), np.array(0.25), np.array([0.25]), np.array([[0.25]]), [0.25]]
)
def test_one_row_of_any_kind_is_one_prediction(logger, log, given, answer):
    model = wrap(lambda _: answer, logger=logger, features=["distance", "taxi_s"])
    assert model(given) is answer
    (only,) = log.predictions
    assert (dict(only.features), only.prediction) == (ROW, 0.25)


@pytest.mark.parametrize(
    "given",
    [
        FRAME,
        FRAME.to_numpy(),
        pl.from_dict(FRAME.to_dict("list")),
        pa.table(FRAME.to_dict("list")),
        sparse.csr_array(FRAME.to_numpy()),
        FRAME.to_dict("list"),
        FRAME.to_dict("records"),
        FRAME.to_numpy().tolist(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_many_rows_of_any_kind_are_as_many_predictions(logger, log, given):
    wrap(lambda _: [0.1, 0.2, 0.3, 0.4], logger=logger, features=["distance", "taxi_s"])(given)
    rows = log.predictions
    assert [one.prediction for one in rows] == [0.1, 0.2, 0.3, 0.4]
    assert [dict(one.features) for one in rows] == FRAME.to_dict("records")


@pytest.mark.parametrize("count", [1, 2])
def test_missing_values_are_missing_however_many_rows_there_are(logger, log, count):
    frame = pd.DataFrame({"n": [np.nan, 1.0], "t": [None, "UA"], "c": pd.Categorical(["a", None])})[:count]
    wrap(lambda given: [0.5] * len(given), logger=logger)(frame)
    assert dict(log.predictions[0].features) == {"n": None, "t": None, "c": "a"}


def test_what_a_model_learned_without_names_has_names_by_place(logger, log):
    model = HistGradientBoostingClassifier(max_iter=1).fit(np.tile(FRAME.to_numpy(), (10, 1)), [0, 1] * 20)
    wrap(model, logger=logger).predict_proba([[np.nan, 1.0]])
    (only,) = log.predictions
    assert sorted(only.features) == ["x0", "x1"]
    assert only.probabilities.keys() == {"0", "1"}


def test_the_model_is_still_there_behind_it(classifier, logger):
    model = wrap(classifier, logger=logger)
    assert model.__wrapped__ is classifier
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.score(FRAME, LATE) == 1.0
    model.verbose = True
    assert classifier.verbose
    classifier.verbose = False
    assert not hasattr(model, "nonsense")
    assert not callable(model)


def test_what_the_model_raises_reaches_the_caller_and_nothing_is_logged(classifier, logger, log):
    with pytest.raises(ValueError, match="feature names"):
        wrap(classifier, logger=logger).predict(FRAME.rename(columns=str.upper))
    assert list(log.predictions) == []


class Odd:
    """A value that fails whoever looks at it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __len__(self):
        raise RuntimeError


def test_whatever_goes_in_or_comes_out_the_caller_gets_the_answer(logger):
    inputs = [Odd(), [Odd(), 1], {"a": Odd()}, np.zeros((2, 2, 2)), np.zeros((1, 5000)), b"", (), None, "UA"]
    answers = [Odd(), None, (1, 2), np.zeros((3, 3)), [[1], [1, 2]], {"a": Odd()}, object(), [], "late"]
    for given, answer in itertools.product(inputs, answers):
        assert wrap(lambda _, answer=answer: answer, logger=logger)(given) is answer


def test_what_can_t_be_logged_is_counted(logger, log):
    wrap(lambda _: [1.0, 2.0], logger=logger)(FRAME)
    assert logger.stats().dropped == {"internal_error": 1}
    wrap(lambda _: np.zeros((4, 3, 2)), logger=logger)(FRAME)
    assert logger.stats().unencodable == {"prediction": 1}
    assert [one.prediction for one in log.predictions] == [None] * 4


@pytest.mark.parametrize("rows", [4, 1])
def test_several_outputs_are_logged_by_name_or_by_place(logger, log, rows):
    frame = FRAME.head(rows)
    wrap(lambda _: np.arange(2.0 * rows).reshape(rows, 2), logger=logger)(frame)
    assert log.predictions[-1].outputs == {"0": 2.0 * rows - 2, "1": 2.0 * rows - 1}
    wrap(lambda _: {"price": 12.5, "days": 3}, logger=logger)({"x": 1})
    assert log.predictions[-1].outputs == {"price": 12.5, "days": 3.0}
    wrap(lambda _: {"no": 0.25, "yes": 0.75}, logger=logger)({"x": 1})
    assert (log.predictions[-1].label, log.predictions[-1].outputs) == ("yes", {})
    assert not logger.stats().unencodable


@pytest.mark.parametrize("rows", [2, 1])
def test_a_column_that_is_a_category_is_one_however_many_rows_there_are(logger, log, rows):
    frame = pd.DataFrame({"store_id": [7] * rows}).astype("category")
    wrap(lambda _: [0.5] * rows, logger=logger)(frame)
    assert [one.features for one in log.predictions] == [{"store_id": "7"}] * rows


def test_a_closed_logger_costs_no_answer(classifier, logger):
    logger.close()
    assert wrap(classifier, logger=logger).predict(FRAME).tolist() == LATE.tolist()


def test_what_is_neither_called_nor_predicts_is_refused(logger):
    with pytest.raises(SettingError, match="predict, predict_proba"):
        wrap(object(), logger=logger)


def test_only_the_methods_that_are_named_are_logged(classifier, logger, log):
    model = wrap(classifier, logger=logger, methods=["predict_proba"])
    model.predict(FRAME)
    model.predict_proba(FRAME[:1])
    assert len(log.predictions) == 1


def test_a_wrapped_model_arrives_in_another_process_and_logs_there(classifier, tmp_path):
    url = (tmp_path / "log").as_uri()
    with PredictionLogger(**NAMES, log=url) as logger:
        sent = pickle.dumps(wrap(classifier, logger=logger, threshold=0.9))
    arrived = pickle.loads(sent)
    arrived.predict_proba(FRAME[:1])
    child = os.fork()
    if not child:
        arrived.predict_proba(FRAME[1:2])
        close_all_sessions()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    close_all_sessions()
    with open_log(url) as log:
        rows = read_events(log, Prediction)
    assert sorted((one.features["distance"], one.label) for one in rows) == [(733.0, "no"), (1400.0, "no")]
    assert len({one.session_id for one in rows}) == 2
    assert repr(arrived).startswith("wrap(Pipeline(")


def test_answers_of_another_kind_are_taken_apart_by_the_service(logger, log):
    class Verdict(BaseModel):
        score: float
        customer: str

    model = wrap(
        lambda given: Verdict(score=given["x"] / 2, customer="c1"),
        logger=logger,
        answer=lambda verdict: {"prediction": verdict.score, "entity_id": verdict.customer},
    )
    model({"x": 1.0})
    (only,) = log.predictions
    assert (only.prediction, only.entity_id, dict(only.features)) == (0.5, "c1", {"x": 1.0})


def test_probabilities_of_a_model_that_knows_no_classes_have_those_that_are_given(logger, log):
    wrap(lambda _: np.array([0.25, 0.75]), logger=logger, classes=["no", "yes"])(FRAME[:2])
    wrap(lambda _: [0.2, 0.3, 0.5], logger=logger, classes=["a", "b", "c"])(FRAME[:1])
    first, second, third = log.predictions
    assert (first.probabilities, first.label, first.prediction) == ({"no": 0.75, "yes": 0.25}, "no", 0.25)
    assert second.label == "yes"
    assert (third.label, third.probabilities) == ("c", {"a": 0.2, "b": 0.3, "c": 0.5})


def test_a_functions_arguments_are_its_features(logger, log):
    @logged(logger)
    def late(distance, carrier="UA"):
        """Return how likely a flight is late."""
        return distance / 1000 if carrier == "UA" else None

    assert late(250.0) == 0.25
    assert late.__doc__.startswith("Return")
    (only,) = log.predictions
    assert (dict(only.features), only.prediction) == ({"distance": 250.0, "carrier": "UA"}, 0.25)


def test_a_functions_only_argument_may_be_rows_or_a_value(logger, log):
    @logged(logger)
    def rows(flights):
        return [0.5] * len(flights)

    @logged(logger)
    def value(distance):
        return distance / 2

    rows(FRAME)
    value(3.0)
    assert [sorted(one.features) for one in log.predictions] == [["distance", "taxi_s"]] * 4 + [["distance"]]


def test_only_those_arguments_that_are_named_are_features(logger, log):
    @logged(logger, features=["distance"])
    def late(session, distance):
        return distance if session else None

    late(object(), 1.0)
    assert dict(log.predictions[0].features) == {"distance": 1.0}
    assert not logger.stats().unencodable


def test_a_coroutine_is_logged_once_it_has_answered(logger, log):
    @logged(logger)
    async def late(distance):
        await asyncio.sleep(0)
        return distance

    async def model(given):
        return given["distance"]

    assert asyncio.run(late(0.5)) == 0.5
    assert asyncio.run(_await(wrap(model, logger=logger)({"distance": 0.25}))) == 0.25
    assert [one.prediction for one in log.predictions] == [0.5, 0.25]


async def _await(coroutine):
    return await coroutine


def test_what_is_known_of_the_work_under_way_is_logged_with_each_row(classifier, logger, log):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    model = wrap(classifier, logger=logger)
    with request_context(
        request_id="r1", trace_id=f"00-{trace}-00f067aa0ba902b7-01", entity_id="N14228", tags={"queue": "eu"}
    ) as request:
        model.predict(FRAME[:1])
        model.predict(FRAME[:2])
        logger.log({"x": 1.0}, 0.5, request_id="own", tags={"queue": "us"}, latency_us=7)
    model.predict(FRAME[:1])
    *within, own, without = log.predictions
    assert {(one.request_id, one.trace_id, one.entity_id, one.tags["queue"]) for one in within} == {
        ("r1", trace, "N14228", "eu")
    }
    assert all(one.latency_us is not None for one in within)
    assert (own.request_id, own.trace_id, own.tags["queue"], own.latency_us) == ("own", trace, "us", 7)
    assert (without.request_id, without.trace_id, without.latency_us) == (None, None, None)
    assert list(request.event_ids) == [one.event_id for one in (*within, own)]
