"""The wheel, as a service gets it that installs nothing but the SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.installing import make_environment

ROOT = Path(__file__).resolve().parents[2]
IMPORT_LIMIT = 4
"""Times what importing asyncio takes, measured by the same process: cores differ. It is about 2."""

HEAVY = frozenset(
    "numpy scipy pandas pyarrow clickhouse_connect chdb click prometheus_client confluent_kafka".split()
)

TIME_THE_IMPORT = """
import time
began = time.process_time()
import asyncio
meanwhile = time.process_time()
import driftline
print((time.process_time() - meanwhile) / (meanwhile - began))
"""

LIST_MODULES = """
import json, sys
import driftline
print(json.dumps([driftline.__file__, sorted(sys.modules)]))
"""

LOG_FIVE_EVENTS = """
import json, sys
from driftline import PredictionLogger
from driftline.log import open_log
from driftline.wire import PREDICTIONS_TOPIC, decode_record

logger = PredictionLogger(
    model_name="flight-delay", model_version="3", training_run_id="run-7f3a", log=sys.argv[1]
)
returned = [logger.log(features={"distance": 733.0, "carrier": "UA"}, prediction=n / 10) for n in range(5)]
logger.close()

with open_log(sys.argv[1]) as log:
    batch = log.reader("check", [PREDICTIONS_TOPIC]).fetch(PREDICTIONS_TOPIC)
    events = [decode_record(value)[1] for value in batch.values]
print(json.dumps([returned, [str(event["event_id"]) for event in events]]))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from this tree by way of the source distribution, which holds all of it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("service")
    return make_environment(folder / "venv", ("-c", str(ROOT / "constraints.txt"), str(wheel)))


def run(*command: str) -> str:
    """Run a command far from this tree and return what it prints."""
    done = run_anyhow(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_anyhow(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command far from this tree, whether or not it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_holds_the_schemas(wheel: Path) -> None:
    files = [path for kind in ("avro", "clickhouse") for path in ROOT.glob(f"schemas/{kind}/**/*")]
    schemas = {path.relative_to(ROOT) for path in files if path.is_file()}
    assert schemas
    assert {f"driftline/{path}" for path in schemas} <= set(ZipFile(wheel).namelist())


def test_the_wheel_holds_the_runbooks(wheel: Path) -> None:
    runbooks = {f"driftline/runbooks/{path.name}" for path in ROOT.glob("docs/runbooks/*.md")}
    assert runbooks
    assert runbooks <= set(ZipFile(wheel).namelist())


def test_the_wheel_holds_the_dashboards(wheel: Path) -> None:
    dashboards = {f"driftline/{path.relative_to(ROOT)}" for path in ROOT.glob("dashboards/grafana/*.json")}
    assert dashboards
    assert dashboards <= set(ZipFile(wheel).namelist())


def test_the_wheel_holds_the_package_and_its_type_marker_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert "driftline/py.typed" in names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"driftline", wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}
    assert not [name for name in names if "test" in Path(name).name]


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    (licence,) = (name for name in ZipFile(wheel).namelist() if name.endswith("/LICENSE"))
    assert ZipFile(wheel).read(licence) == (ROOT / "LICENSE").read_bytes()


def test_importing_it_brings_nothing_that_a_service_would_notice(python: Path) -> None:
    file, modules = json.loads(run(str(python), "-c", LIST_MODULES))
    assert Path(file).is_relative_to(python.parents[1])
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in modules)


def test_importing_it_brings_nothing_heavy_even_where_all_is_installed() -> None:
    """The developer's environment has every extra; a service may have numpy too, and not want it loaded."""
    loads = "import sys; sys.path.insert(0, sys.argv[1])\n" + LIST_MODULES
    _, modules = json.loads(run(sys.executable, "-c", loads, str(ROOT / "services")))
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in modules)


def test_importing_it_is_quick(python: Path) -> None:
    run(str(python), "-c", TIME_THE_IMPORT)  # The first one reads the disk.
    best = min(float(run(str(python), "-c", TIME_THE_IMPORT)) for _ in range(5))
    assert best < IMPORT_LIMIT


def test_it_logs_predictions_to_a_local_log(python: Path, tmp_path: Path) -> None:
    returned, logged = json.loads(run(str(python), "-c", LOG_FIVE_EVENTS, f"file://{tmp_path}/log"))
    assert len(set(returned)) == 5
    assert logged == returned


def test_the_command_line_says_what_to_install(python: Path) -> None:
    done = run_anyhow(str(python.with_name("driftline")), "demo")
    assert done.returncode != 0
    assert "pip install 'driftline[embedded]'" in done.stderr
    assert "Traceback" not in done.stderr
