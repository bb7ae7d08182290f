"""No test is passed over in silence.

With TESTS_FORBID_SKIPS=1 a test that is skipped, or expected to fail, fails and says why it was
skipped. Without it, what did not run is listed at the end, where it can't be overlooked.

Tests talk to servers of this machine, whatever proxy the environment names.

Nothing generated fails because a busy machine took long to generate it.

What runs on Java is started by the first test that asks for it, once for all tests of a run: each test uses
topics, groups and subjects of its own. Where it can't run, those tests are skipped.
"""

from __future__ import annotations

import os
from binascii import crc32
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from tests.support.kafka import Kafka
    from tests.support.registry import Registry

    Server = TypeVar("Server", Kafka, Registry)

FORBID_SKIPS = "TESTS_FORBID_SKIPS"
TESTS = Path(__file__).parent
LONG = (
    *("deployment/", "drift/service/", "end_to_end/", "lander/", "lifecycle/", "log/kafka/", "properties/"),
    *("mlflow/test_real_server", "sdk/test_kafka", "sdk/test_servers", "soak/", "store/test_roles"),
)
"""Where files begin that take a minute or more."""


settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Have no proxy asked for what is on this machine."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost,::1")))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Generator[Kafka, None, None]:
    """Apache Kafka, one broker: tests that kill or pause brokers start their own."""
    from tests.support.kafka import Kafka  # noqa: PLC0415  a run without Kafka needs none of it

    yield from _serving(lambda: Kafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Generator[Registry, None, None]:
    """A schema registry: tests that stop it start their own."""
    from tests.support.registry import Registry  # noqa: PLC0415  as above

    yield from _serving(lambda: Registry(tmp_path_factory.mktemp("registry")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: what is tested with brokers waits for much of its time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first: where processes share the files, all would wait for a long one at the end.

    Raises:
        pytest.UsageError: a test's name holds an address, so that processes which share the files disagree.
    """
    nameless = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if nameless:
        raise pytest.UsageError(f"name its parameters (ids=...): {nameless[0]}")
    items.sort(key=lambda item: _place(item.path.relative_to(TESTS).as_posix()))


def _place(path: str) -> tuple[bool, int]:
    """Return where a file stands: the long ones first, in each half those that wait among those that compute.

    The order is the same each time; files of one folder would wait for brokers all at once.
    """
    return not path.startswith(LONG), crc32(path.encode())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test, where that is forbidden."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself, where that is forbidden."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell at the end what did not run."""
    stats = terminalreporter.stats
    passed_over = stats.get("skipped", []) + stats.get("xfailed", [])
    if passed_over:
        terminalreporter.section("NOT PROVEN", sep="!", yellow=True, bold=True)
        for report in passed_over:
            terminalreporter.line(f"{report.nodeid}: {_reason(report)}", yellow=True)
        terminalreporter.line(
            f"{len(passed_over)} skipped or expected to fail; {FORBID_SKIPS}=1 makes each a failure.",
            yellow=True,
            bold=True,
        )


def _serving(make: Callable[[], Server]) -> Generator[Server, None, None]:
    """Yield a server while it is up. Where it can't run, making it skips the test."""
    server = make()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and os.environ.get(FORBID_SKIPS, "0") not in ("", "0"):
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"skipped, which {FORBID_SKIPS} forbids: {reason}"
        vars(report).pop("wasxfail", None)  # Else it would count as a test that unexpectedly passed.


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    return str(report.longrepr)
