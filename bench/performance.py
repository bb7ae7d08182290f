"""What counting outcomes takes: many predictions whose truths come an hour late, and a year's timeline.

    python -m bench.performance                            ten million predictions, a million truths
    python -m bench.performance --predictions 1000000 --labels 100000

Predictions are spread over a day; the truths of the first of them land at once, as a block, and all hours of
the day are counted. Then a year of another model, 50 predictions an hour, is read as the page reads it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path

from driftline.embedded import open_store
from driftline.metrics import Metrics
from driftline.performance.timeline import read_timeline
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import migrate
from driftline.store.performance import Asked

_PREDICTIONS = """
INSERT INTO prediction_inbox (
    event_id, event_time, model_name, model_version, training_run_id, session_id, sequence, environment,
    prediction_number, prediction_label)
SELECT
    generateUUIDv4(number), toDateTime64({start:Int64}, 6, 'UTC') + toIntervalMillisecond(
        toInt64(number * {span:Float64} / {count:Float64})),
    {model:String}, '1', 'run', 'session', number + 1, 'production',
    (cityHash64(number) % 100000 / 100000.) AS score, if(score >= 0.5, 'late', 'on time')
FROM numbers({count:UInt64})
"""
_OUTCOMES = """
INSERT INTO outcomes (event_id, observed_time, model_name, session_id, sequence, actual_number)
SELECT event_id, event_time + INTERVAL 1 HOUR, model_name, 'session', sequence,
    cityHash64(event_id) % 100000 / 100000. < prediction_number
FROM predictions WHERE model_name = {model:String} AND sequence % {every:UInt64} = 0
"""
_DAY_S = 86_400
_YEAR_S = 365 * _DAY_S
_START_S = 1_767_225_600


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(f"chdb://{Path(folder) / 'store'}") as store,
        closing(store.connect()) as client,
    ):
        migrate(client)
        profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
        for model, count, span_s in (
            ("many", options.predictions, _DAY_S),
            ("year", 50 * 24 * 365, _YEAR_S),
        ):
            bound = {"model": model, "count": count, "span": span_s * 1000, "start": _START_S}
            client.command(_PREDICTIONS, parameters=bound)
        began_s = time.monotonic()
        profiler.run_until_idle()
        print(f"profiles of {options.predictions:,} predictions: {time.monotonic() - began_s:.1f} s")
        every = options.predictions // options.labels
        client.command(_OUTCOMES, parameters={"model": "many", "every": every})
        began_s, cpu_s = time.monotonic(), time.process_time()
        profiler.run_until_idle()
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        print(f"{options.labels:,} truths joined and counted: {took_s:.1f} s, {cpu_s:.1f} s of CPU")
        client.command(_OUTCOMES, parameters={"model": "year", "every": 1})
        profiler.run_until_idle()
        for since, hours in ((0, 168), (0, 24)):
            began_s = time.monotonic()
            asked = Asked(model_name="year", since=since, hours=hours)
            periods = len(read_timeline(client, asked, now_s=time.time()).periods)
            print(f"a year in {periods} periods: {(time.monotonic() - began_s) * 1000:.0f} ms")
        profiler.close()


if __name__ == "__main__":
    main()
