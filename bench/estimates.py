"""How far estimates before truths are off, ours and nannyml's, on the same rows and chunks.

    python -m bench.estimates [--only california] [--without-peer]

The streams are those that nannyml's package brings (californian houses, car loans, card holders of three
kinds, prices of cars), fetched by pip without what it depends on, and the demo's flights. Both are
calibrated by the same reference rows. Beside them stands what the reference came to, which is what anybody
says who expects no change.

`--simulate 400` says instead how often intervals hold what so many simulated periods came to.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from bench.flights_labels import scored_flights
from bench.peers import PEERS, PeerError, environment
from driftline.performance.estimate.reading import estimate
from driftline.performance.task import Task
from tests.performance.estimate.streams import binary_periods, covered
from tests.performance.rows import groups_of_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group

WHEEL = Path(".cache/nannyml")
METRICS: Mapping[str, Sequence[str]] = {
    "binary": ("roc_auc", "average_precision", "accuracy", "f1", "precision", "recall", "specificity"),
    "multiclass": ("accuracy", "f1_macro", "roc_auc_macro"),
    "regression": ("mae", "rmse", "mape"),
}
THEIRS = {"f1_macro": "f1", "roc_auc_macro": "roc_auc"}


@dataclass(frozen=True)
class Stream:
    """Rows with an answer and its truth.

    Args:
        name: of the stream.
        kind: binary, multiclass or regression.
        reference: rows that calibrate; columns ``score`` or ``share:LABEL``, ``answer``, ``truth``, features.
        analysis: rows that are estimated, in order of time.
        chunk: rows of a chunk.
        features: names of the columns that a model of errors may use.
    """

    name: str
    kind: str
    reference: pd.DataFrame
    analysis: pd.DataFrame
    chunk: int
    features: Sequence[str] = ()

    @property
    def labels(self) -> Sequence[str]:
        """The classes that have a probability."""
        return [name.removeprefix("share:") for name in self.analysis if name.startswith("share:")]

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the chunks; what is left over at the end is left out."""
        for start in range(0, len(self.analysis) // self.chunk * self.chunk, self.chunk):
            yield self.analysis.iloc[start : start + self.chunk]


def data(name: str) -> pd.DataFrame:
    """Return a table of nannyml's package, fetched by pip the first time."""
    if not list(WHEEL.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", WHEEL, "nannyml"]
        subprocess.run(pip, check=True)
    with (
        zipfile.ZipFile(next(WHEEL.glob("*.whl"))) as wheel,
        wheel.open(f"nannyml/datasets/data/{name}.csv") as file,
    ):
        return pd.read_csv(file)


def _two(reference: str, analysis: str, truths: str, truth: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    later = data(analysis).merge(data(truths), on="id")
    names = {truth: "truth", "y_pred": "answer", "y_pred_proba": "score"}
    own = [each.rename(columns=names).rename(columns=_share) for each in (data(reference), later)]
    return own[0], own[1].sort_values("timestamp", kind="stable")


def _share(name: str) -> str:
    return "share:" + name.removeprefix("y_pred_proba_") if name.startswith("y_pred_proba_") else name


def california() -> Stream:
    """Return houses whose price is above the median, or not."""
    names = "california_housing_reference", "california_housing_analysis", "california_housing_analysis_gt"
    return Stream("california", "binary", *_two(*names, "clf_target"), chunk=400)


def loans() -> Stream:
    """Return car loans that are repaid, or not; made by a simulation."""
    names = (
        "synthetic_car_loan_reference",
        "synthetic_car_loan_analysis",
        "synthetic_car_loan_analysis_target",
    )
    return Stream("loans", "binary", *_two(*names, "repaid"), chunk=2_500)


def cards() -> Stream:
    """Return holders of cards of three kinds; made by a simulation."""
    return Stream(
        "cards", "multiclass", *_two("mc_reference", "mc_analysis", "mc_analysis_gt", "y_true"), chunk=3_000
    )


def cars() -> Stream:
    """Return prices of used cars; made by a simulation."""
    parts = ("reference", "analysis", "analysis_targets")
    reference, analysis = _two(*(f"regression_synthetic_{part}" for part in parts), "y_true")
    features = "car_age km_driven price_new accident_count door_count fuel transmission".split()
    return Stream("cars", "regression", reference, analysis, chunk=3_000, features=features)


def flights() -> Stream:
    """Return the demo's flights, late or not: the first four weeks calibrate, later ones are estimated."""
    own = scored_flights()
    own = own[own["late"].notna()].sort_values("event_time", kind="stable")
    rows = pd.DataFrame(
        {"score": own["score"], "truth": own["late"].astype(int), "answer": 1 * (own["score"] >= 0.5)}
    )
    first = (own["event_time"] < own["event_time"].min() + 28 * 24).to_numpy()
    return Stream("flights", "binary", rows[first], rows[~first], chunk=6_000)


STREAMS: Mapping[str, Callable[[], Stream]] = {
    each.__name__: each for each in (california, flights, loans, cards, cars)
}
_TASK_OF_SCORES = Task("binary")
_TASK = {
    "binary": Task("binary", frozenset({"1"}), frozenset({"0"})),
    "multiclass": Task("multiclass"),
    "regression": Task("regression"),
}


def groups_of_rows(stream: Stream, rows: pd.DataFrame, *, is_known: bool) -> Sequence[Group]:
    """Return what is counted of rows."""

    def counted(score: pd.Series, truth: pd.Series, kind: str, decision: str) -> Sequence[Group]:
        came = truth.to_numpy(dtype=float) if is_known else np.full(len(truth), np.nan)
        found = groups_of_columns(score.to_numpy(dtype=float), came)
        return [replace(each, kind=kind, decision=decision) for each in found]

    if stream.kind == "regression":
        return counted(rows["answer"], rows["truth"], "answer", "")
    groups: list[Group] = []
    if stream.kind == "binary":
        for answer, own in rows.groupby("answer"):
            groups += counted(own["score"], own["truth"], "answer", str(answer))
        return groups
    for label in stream.labels:
        groups += counted(rows[f"share:{label}"], rows["truth"] == label, "class", label)
        own = rows[rows["answer"] == label]
        groups += counted(own[f"share:{label}"], own["truth"] == label, "chosen", label)
    return groups


def actual(stream: Stream, rows: pd.DataFrame) -> Mapping[str, float]:
    """Return what rows came to, by scikit-learn."""
    truth, answer = rows["truth"], rows["answer"]
    if stream.kind == "regression":
        return {
            "mae": sklearn_metrics.mean_absolute_error(truth, answer),
            "rmse": sklearn_metrics.root_mean_squared_error(truth, answer),
            "mape": sklearn_metrics.mean_absolute_percentage_error(truth, answer),
        }
    accuracy = sklearn_metrics.accuracy_score(truth, answer)
    if stream.kind == "multiclass":
        shares = rows[[f"share:{label}" for label in stream.labels]]
        areas = [
            sklearn_metrics.roc_auc_score(truth == label, shares[f"share:{label}"]) for label in stream.labels
        ]
        f1 = sklearn_metrics.f1_score(truth, answer, average="macro")
        return {"accuracy": accuracy, "f1_macro": f1, "roc_auc_macro": float(np.mean(areas))}
    return {
        "roc_auc": sklearn_metrics.roc_auc_score(truth, rows["score"]),
        "average_precision": sklearn_metrics.average_precision_score(truth, rows["score"]),
        "accuracy": accuracy,
        "f1": sklearn_metrics.f1_score(truth, answer, zero_division=np.nan),
        "precision": sklearn_metrics.precision_score(truth, answer, zero_division=np.nan),
        "recall": sklearn_metrics.recall_score(truth, answer, zero_division=np.nan),
        "specificity": sklearn_metrics.recall_score(truth, answer, pos_label=0, zero_division=np.nan),
    }


def ours(stream: Stream) -> Sequence[Mapping[str, Measured]]:
    """Return our estimates by chunk."""
    days = [groups_of_rows(stream, stream.reference, is_known=True)]
    task = _TASK[stream.kind]
    return [
        {
            name: each.measured()
            for name, each in estimate(groups_of_rows(stream, chunk, is_known=False), days, task).items()
        }
        for chunk in stream.chunks()
    ]


def theirs(streams: Sequence[Stream]) -> tuple[str, Mapping[str, Any]]:
    """Return nannyml's version, and its estimates by stream and metric.

    Raises:
        PeerError: it could not be installed, or failed.
    """
    python = environment(PEERS[2])
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for stream in streams:
            files = {part: f"{folder}/{stream.name}-{part}.csv" for part in ("reference", "analysis")}
            stream.reference.to_csv(files["reference"], index=False)
            pd.concat(stream.chunks()).to_csv(files["analysis"], index=False)
            more = {"labels": stream.labels, "features": stream.features, "chunk_size": stream.chunk, **files}
            names = [THEIRS.get(name, name) for name in METRICS[stream.kind]]
            asked.append({"name": stream.name, "kind": stream.kind, "metrics": names, **more})
        question, answers = Path(folder) / "asked.json", Path(folder) / "answers.json"
        question.write_text(json.dumps(asked))
        script = Path(__file__).with_name("peer_nannyml_estimates.py")
        ran = subprocess.run(
            [python, "-W", "ignore", script, question, answers], check=False, capture_output=True, text=True
        )
        if ran.returncode:
            raise PeerError(f"failed: {(ran.stderr.strip() or 'without a message').splitlines()[-1]}")
        answered = json.loads(answers.read_text())
        return answered["version"], answered["answers"]


def compare(stream: Stream, peer: Mapping[str, Any]) -> None:
    """Print how far the estimates of a stream are off."""
    began_s = time.process_time()
    mine = ours(stream)
    took_s = (time.process_time() - began_s) / max(len(mine), 1)
    came = [actual(stream, chunk) for chunk in stream.chunks()]
    before = actual(stream, stream.reference)
    print(
        f"\n{stream.name}: {len(mine)} chunks of {stream.chunk}, {len(stream.reference)} rows of reference, "
        f"{took_s * 1e3:.0f} ms of CPU a chunk"
    )
    heading = f"{'metric':<18}{'no change':>10}{'ours':>10}{'nannyml':>10}"
    print(f"{heading}   {'held by our interval':>20} {'by theirs':>10}")
    for name in METRICS[stream.kind]:
        truth = np.array([each[name] for each in came])
        value, low, high = (
            np.array([getattr(each[name], part) if name in each else np.nan for each in mine])
            for part in ("value", "low", "high")
        )
        held = np.mean((low <= truth) & (truth <= high))
        line = f"{name:<18}{_rms(before[name] - truth):>10.5f}{_rms(value - truth):>10.5f}"
        if peer:
            other = {part: np.array(own) for part, own in peer[THEIRS.get(name, name)].items()}
            inside = np.mean((other["low"] <= truth) & (truth <= other["high"]))
            print(f"{line}{_rms(other['values'] - truth):>10.5f}   {held:>20.0%} {inside:>10.0%}")
        else:
            print(f"{line}{'-':>10}   {held:>20.0%} {'-':>10}")


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(np.square(errors))))


def simulate(periods: int) -> None:
    """Print how often intervals hold what simulated periods came to."""
    for name, wander, days in (
        ("days alike", 0.0, 28),
        ("days that differ", 0.3, 28),
        ("one reference", 0.0, 1),
    ):
        rows = 150 if days > 1 else 2_000
        past, own = binary_periods(periods, wander=wander, seed=1, days=days, rows=rows)
        held, seen = covered(_TASK_OF_SCORES, past, own)
        print(f"{name}:", *(f"{metric} {held[metric] / seen[metric]:.1%}" for metric in seen))


def main() -> None:
    """Compare all streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(STREAMS))
    parser.add_argument("--without-peer", action="store_true")
    parser.add_argument("--simulate", type=int, default=0)
    options = parser.parse_args()
    if options.simulate:
        simulate(options.simulate)
        return
    streams = [STREAMS[name]() for name in options.only or STREAMS]
    peer: Mapping[str, Any] = {}
    if not options.without_peer:
        try:
            version, peer = theirs(streams)
            print(f"nannyml {version}; root mean square of estimate less what each chunk came to")
        except PeerError as error:
            print(f"nannyml: {error}")
    for stream in streams:
        compare(stream, peer.get(stream.name, {}))


if __name__ == "__main__":
    main()
