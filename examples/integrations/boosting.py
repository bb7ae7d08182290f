"""XGBoost and LightGBM, by scikit-learn's interface and by their own: one line each."""

import lightgbm as lgb
import numpy as np
import xgboost as xgb
from flights import NAMES, flights

from driftline import PredictionLogger, wrap

frame, labels = flights(500)
late = (labels == "late").astype(int)


def logger(version: str) -> PredictionLogger:
    """Return a logger of one version."""
    return PredictionLogger(**{**NAMES, "model_version": version})


def check(name: str, answer: object, expected: object) -> None:
    """Check that a model answers what it did before it was wrapped."""
    if not np.array_equal(answer, expected):
        raise SystemExit(f"{name}: the answer changed")


TRAINED = {
    "xgboost": xgb.XGBClassifier(n_estimators=5).fit(frame, late),
    "lightgbm": lgb.LGBMClassifier(n_estimators=5, verbose=-1).fit(frame, late),
}
for name, model in TRAINED.items():
    wrapped = wrap(model, logger=logger(name))
    check(name, wrapped.predict_proba(frame[:20]), model.predict_proba(frame[:20]))
    check(name, wrapped.predict(frame[:20]), model.predict(frame[:20]))

booster = TRAINED["xgboost"].get_booster()
matrix = xgb.DMatrix(frame[:20])
wrapped = wrap(booster, logger=logger("xgboost.Booster"), classes=["on time", "late"])
check("Booster", wrapped.predict(matrix), booster.predict(matrix))

booster = TRAINED["lightgbm"].booster_
wrapped = wrap(booster, logger=logger("lightgbm.Booster"), classes=["on time", "late"])
check("Booster", wrapped.predict(frame[:20]), booster.predict(frame[:20]))
check("Booster", wrapped.predict(frame[:20].to_numpy()), booster.predict(frame[:20].to_numpy()))
