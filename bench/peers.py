"""Other monitors with their own defaults, each in an environment of its own, on the same rows.

Run: python -m bench.peers [--windows 40] [--cells iid/500,noise/5000] [--seed 1] [--quick] [--table]

Each is asked of every window whether it flags a column. Environments are made by pip in .cache/peers; where
that fails, the table gives pip's reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bench.tables import TRAFFIC, print_table
from bench.traffic import Fault, Kind, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FOLDER = Path(".cache/peers")
ROWS = (500, 5_000)
KINDS: tuple[Kind, ...] = ("iid", "season", "noise")
_DAY_HOURS, _WEEK_HOURS = 24, 168
_NO_FAULT = Fault()


@dataclass(frozen=True, slots=True)
class Peer:
    """A monitor with its defaults.

    Args:
        name: of its environment.
        packages: that pip installs there.
        script: asks it, beside this file.
        label: what it is called in tables.
        reference_rows: a sample of the four weeks before the windows; 0: all rows of the week before them,
            hour by hour, since it learns from chunks.
    """

    name: str
    packages: tuple[str, ...]
    script: str
    label: str
    reference_rows: int = 0


_EVIDENTLY = Peer("evidently", ("evidently", "pandas<3"), "peer_evidently.py", "evidently")
PEERS = (
    replace(_EVIDENTLY, label="evidently, 1,000 rows of reference", reference_rows=1_000),
    replace(_EVIDENTLY, label="evidently, 10,000 rows of reference", reference_rows=10_000),
    # It imports statsmodels and does not ask for it, and cannot reshape strings as pandas 3 has them.
    Peer(
        "nannyml",
        ("nannyml", "statsmodels", "pandas<3"),
        "peer_nannyml.py",
        "nannyml, univariate, hourly chunks",
    ),
    Peer(
        "alibi-detect",
        ("alibi-detect",),
        "peer_alibi.py",
        "alibi-detect, TabularDrift, 10,000 rows of reference",
        reference_rows=10_000,
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """Rows, and which of them are to be compared.

    Args:
        columns: numbers with NaN for nulls, or strings, (n,) each.
        chunk: the window of each row, ascending, (n,).
        jobs: first and end row of the reference, first and end row of the window, (w, 4).
        chunk_hours: the length of a window, 1 or 24.
        sample: rows of the reference that are taken at random; 0: all.
    """

    columns: dict[str, np.ndarray]
    chunk: np.ndarray
    jobs: np.ndarray
    chunk_hours: int
    sample: int = 0


class PeerError(Exception):
    """A peer could not be installed, or did not answer."""


def environment(peer: Peer) -> Path:
    """Return the Python of a peer's environment, made if need be.

    Raises:
        PeerError: pip's reason.
    """
    folder = FOLDER / peer.name
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists() or done.read_text().split("\n") != list(peer.packages):
        print(f"Installing {peer.name} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        installed = subprocess.run(pip, check=False, capture_output=True, text=True)
        if installed.returncode:
            raise PeerError(
                f"not installed: {(installed.stderr.strip() or 'pip says nothing').splitlines()[-1]}"
            )
        done.write_text("\n".join(peer.packages))
    return python


def ask(peer: Peer, question: Question) -> dict[str, Any]:
    """Return a peer's version and, for each window, its flagged columns and its verdict on all of them.

    Raises:
        PeerError: it could not be installed, or failed.
    """
    python = environment(peer)
    with tempfile.TemporaryDirectory() as folder:
        rows, answers = Path(folder) / "rows.npz", Path(folder) / "answers.json"
        named = {f"column:{name}": values for name, values in question.columns.items()}
        np.savez(
            rows,
            chunk=question.chunk,
            jobs=question.jobs,
            chunk_hours=np.array(question.chunk_hours),
            sample=np.array(question.sample),
            **named,
        )
        script = Path(__file__).with_name(peer.script)
        ran = subprocess.run(
            [python, "-W", "ignore", script, rows, answers], check=False, capture_output=True, text=True
        )
        if ran.returncode:
            raise PeerError(f"failed: {(ran.stderr.strip() or 'without a message').splitlines()[-1]}")
        result: dict[str, Any] = json.loads(answers.read_text())
        return result


def simulated(kind: Kind, rows: int, reference_rows: int, windows: int, rng: np.random.Generator) -> Question:
    """Draw a reference and the windows after it, an hour each.

    Args:
        kind: of traffic.
        rows: an hour, on average.
        reference_rows: a fair sample of four weeks; 0: all of one week.
        windows: how many follow.
        rng: makes everything.
    """
    traffic = Traffic(kind, rows, rng)
    history = [traffic.step() for _ in range((4 if reference_rows else 1) * _WEEK_HOURS)]
    if reference_rows:
        volume = np.cumsum([truth.rows for truth in history])
        taken = np.diff(np.floor(volume / volume[-1] * reference_rows).astype(int), prepend=0)
        history = [replace(truth, rows=int(size)) for truth, size in zip(history, taken, strict=True)]
    truths = [*history, *(traffic.step() for _ in range(windows))]
    drawn = [traffic.draw_rows(truth, _NO_FAULT) for truth in truths]
    ends = np.cumsum([truth.rows for truth in truths])
    first = len(history)
    jobs = [(0, ends[first - 1], ends[i - 1], ends[i]) for i in range(first, len(truths))]
    return Question(
        columns={name: np.concatenate([hour[name] for hour in drawn]) for name in drawn[0]},
        chunk=np.repeat(np.arange(len(truths)), [truth.rows for truth in truths]),
        jobs=np.array(jobs),
        chunk_hours=1,
    )


def daily(
    columns: dict[str, np.ndarray], day: np.ndarray, days: Sequence[int], *, weeks: int, sample: int
) -> Question:
    """Compare days of real rows with the weeks before each of them.

    Args:
        columns: the rows, by time, (n,) each.
        day: of each row, ascending, (n,).
        days: which are judged.
        weeks: before each of them.
        sample: rows of these weeks that serve as reference; 0: all.
    """
    begins = np.searchsorted(day, np.arange(day[0], day[-1] + 2))

    def at(wanted: int) -> int:
        return int(begins[wanted - day[0]])

    jobs = [(at(one - 7 * weeks), at(one), at(one), at(one + 1)) for one in days]
    return Question(columns, day, np.array(jobs), _DAY_HOURS, sample)


def parse_cell(text: str) -> tuple[Kind, int]:
    """Return kind and rows of a name such as ``iid/500``."""
    kind, rows = text.split("/")
    return cast("Kind", kind), int(rows)


def ask_about(
    cells: Iterable[tuple[Kind, int]],
    peers: Iterable[Peer],
    windows: int,
    seed: int,
    results: dict[str, dict[str, Any]],
) -> Iterator[str]:
    """Ask peers about simulated traffic without faults.

    Args:
        cells: kinds of traffic and rows an hour.
        peers: who is asked.
        windows: hours that each is asked about.
        seed: of the traffic.
        results: by ``kind/rows/label``, where the answers are put; what it holds is not asked again.

    Yields:
        The name of each new answer.
    """
    for kind, size in cells:
        for peer in peers:
            key = f"{kind}/{size}/{peer.label}"
            if results.get(key, {}).get("windows", 0) >= windows:
                continue
            rng = np.random.default_rng((seed, KINDS.index(kind), size))
            question = simulated(kind, size, peer.reference_rows, windows, rng)
            try:
                results[key] = summary(ask(peer, question))
            except PeerError as error:
                results[key] = {"error": str(error)}
            print(f"{key}: {result_text(results[key])}", file=sys.stderr, flush=True)
            yield key


def summary(answers: dict[str, Any]) -> dict[str, Any]:
    """Return how many windows flagged a column, and how many the data set as a whole."""
    windows = answers["answers"]
    return {
        "version": answers["version"],
        "windows": len(windows),
        "any_column": sum(window["flagged"] > 0 for window in windows),
        "dataset": sum(bool(window["dataset"]) for window in windows)
        if windows[0]["dataset"] is not None
        else None,
    }


def result_text(result: dict[str, Any]) -> str:
    """Return a summary as a cell of a table."""
    if "error" in result:
        return str(result["error"])
    dataset = "" if result["dataset"] is None else f" ({result['dataset'] / result['windows']:.0%})"
    return f"{result['any_column'] / result['windows']:.0%}{dataset}, {result['windows']}"


def print_peers(results: dict[str, dict[str, Any]]) -> None:
    """Print the share of windows in which each peer flags a column."""
    sizes = sorted({int(key.split("/")[1]) for key in results})
    kinds = [kind for kind in KINDS if any(key.startswith(f"{kind}/") for key in results)]
    print("Windows without faults in which a tool flags a column (the data set as a whole), windows asked\n")
    versions = {
        peer.label: {r["version"] for k, r in results.items() if peer.label in k and "version" in r}
        for peer in PEERS
    }
    asked = [peer for peer in PEERS if versions[peer.label]]
    rows = [
        [
            f"{peer.label} ({', '.join(sorted(versions[peer.label]))})",
            *(
                result_text(results[key]) if (key := f"{kind}/{size}/{peer.label}") in results else "–"
                for size in sizes
                for kind in kinds
            ),
        ]
        for peer in asked
    ]
    print_table(["tool, its defaults", *(f"{TRAFFIC[k]}, {s:,} rows" for s in sizes for k in kinds)], rows)


def main() -> None:
    """Ask everyone, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--windows", type=int, default=40, help="hours that each tool is asked about")
    parser.add_argument("--cells", default=",".join(f"{kind}/{rows}" for rows in ROWS for kind in KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(".cache/bench/peers.json"))
    parser.add_argument("--quick", action="store_true", help="five windows of two cells, evidently alone")
    parser.add_argument("--table", action="store_true", help="ask nobody, print what the file holds")
    options = parser.parse_args()
    peers = PEERS
    if options.quick:
        options.windows, options.cells, peers = 5, "iid/500,noise/500", PEERS[:1]
        options.output = options.output.with_stem(f"{options.output.stem}-quick")
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    cells = () if options.table else [parse_cell(cell) for cell in options.cells.split(",")]
    for _ in ask_about(cells, peers, options.windows, options.seed, results):
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(results, indent=1))
    print_peers(results)


if __name__ == "__main__":
    main()
