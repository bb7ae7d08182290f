"""docker-compose.yml: valid by the specification, pinned, and of things that are there.

No container runs here: what can be known without one is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from driftline.cli.app import driftline
from driftline.drift import DriftSettings
from driftline.log.kafka.settings import parse_kafka_url
from driftline.monitors import read_monitors
from driftline.store.url import PASSWORD_FILE_VARIABLE, parse_store_url
from tests.deployment.composition import FILE, ROOT, composition, services

SERVICES = services()
OURS = {name: service for name, service in SERVICES.items() if service.is_driftline}
THEIRS = {
    name: service for name, service in SERVICES.items() if not (service.is_driftline or service.is_example)
}
ONE_SHOTS = {"migrate", "train"}
_EXACT_TAG = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*")
_HOST_AND_PORT = re.compile(r"\b([a-z]+):(\d{4,5})\b")


def named(some):
    return pytest.mark.parametrize("service", some.values(), ids=list(some))


def test_it_is_valid_by_the_compose_specification():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@named(SERVICES)
def test_its_image_is_pinned_to_one_version(service):
    assert _EXACT_TAG.fullmatch(service.image)


@named(SERVICES)
def test_what_it_mounts_is_there(service):
    for source, _ in service.mounts:
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in composition()["volumes"]
    assert all(path.read_text().strip() for path in service.secrets.values())


@named(SERVICES)
def test_only_this_machine_reaches_its_ports(service):
    assert all(port.startswith("127.0.0.1:") for port in service.settings.get("ports", ()))


@named(SERVICES)
def test_whom_it_waits_for_can_say_that_it_is_there(service):
    for name, how in service.settings.get("depends_on", {}).items():
        other = SERVICES[name]
        if how["condition"] == "service_completed_successfully":
            assert name in ONE_SHOTS
            assert other.settings["restart"] == "no"
        else:
            assert how["condition"] == "service_healthy"
            is_disabled = other.settings.get("healthcheck", {}).get("disable")
            assert not is_disabled
            assert other.settings.get("healthcheck") or name not in THEIRS, "its image has no health check"


@named(SERVICES)
def test_it_comes_back_unless_it_ends_by_itself(service):
    assert service.settings["restart"] == ("no" if service.name in ONE_SHOTS else "unless-stopped")


@named(SERVICES)
def test_hosts_that_it_names_are_services(service):
    reported = [*service.command, *service.environment.values()]
    hosts = {host for text in reported for host, _ in _HOST_AND_PORT.findall(text)} - {"localhost"}
    assert hosts <= SERVICES.keys()


@named(OURS)
def test_its_command_is_one_that_driftline_takes(service):
    command, arguments = driftline.commands[service.command[0]], service.command[1:]
    context = command.make_context(service.command[0], list(arguments), resilient_parsing=False)
    assert isinstance(context, click.Context)


@named(OURS)
def test_its_variables_are_known_and_its_urls_can_be_read(service):
    unknown = service.environment.keys() - known_variables() - {"HEALTH_URL"}
    assert not unknown
    if url := service.environment.get("DRIFTLINE_LOG"):
        assert parse_kafka_url(url, {}).registry.startswith("http://registry:")
    store = parse_store_url(service.environment["DRIFTLINE_STORE"], {})
    assert store.database == "driftline"


@named(OURS)
def test_each_secret_that_it_reads_is_given_to_it_and_no_other(service):
    read = {Path(value).name for value in service.environment.values() if value.startswith("/run/secrets/")}
    assert read == set(service.secrets)
    assert service.environment[PASSWORD_FILE_VARIABLE].startswith("/run/secrets/")


@named(OURS)
def test_it_runs_without_rights_that_it_does_not_need(service):
    assert service.settings["read_only"]
    assert service.settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service.settings["security_opt"]


@pytest.mark.parametrize("name", sorted(OURS.keys() - ONE_SHOTS))
def test_its_health_is_asked_at_the_port_that_it_serves(name):
    service = OURS[name]
    (asked,) = _HOST_AND_PORT.findall(service.environment["HEALTH_URL"].replace("127.0.0.1", "localhost"))
    assert asked[1] in service.command
    assert service.environment["HEALTH_URL"].endswith("/readyz")


def test_services_have_the_roles_that_were_made_for_them():
    users = {name: parse_store_url(OURS[name].environment["DRIFTLINE_STORE"], {}).user for name in OURS}
    assert users == {
        "migrate": "default",
        "lander": "driftline_lander_user",
        "profiler": "driftline_profiler_user",
        "watcher": "driftline_watcher_user",
        "web": "driftline_reader_user",
    }
    made = {
        name for name in OURS["migrate"].environment if re.fullmatch(r"DRIFTLINE_[A-Z]+_PASSWORD_FILE", name)
    }
    assert made >= {f"DRIFTLINE_{role}_PASSWORD_FILE" for role in ("LANDER", "PROFILER", "WATCHER", "READER")}


def test_prometheus_asks_services_at_the_ports_that_they_serve():
    jobs = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {target for job in jobs for group in job["static_configs"] for target in group["targets"]}
    served = {f"{name}:{SERVICES[name].command[-1]}" for name in ("lander", "profiler", "watcher", "web")}
    assert served <= asked


def test_the_monitors_that_the_watcher_reads_are_in_order():
    monitors = read_monitors(ROOT / "deployment/monitors.yaml", DriftSettings())
    assert monitors.of("diabetes-progression").labels == {"team": "examples"}


def known_variables():
    """Return what the command line, store URLs and log URLs read from the environment."""
    options = [option for command in driftline.commands.values() for option in command.params]
    read = {option.envvar for option in (*options, *driftline.params) if option.envvar}
    roles = {
        f"DRIFTLINE_{role}_PASSWORD_FILE" for role in ("LANDER", "PROFILER", "WATCHER", "READER", "ADMIN")
    }
    return read | roles | {PASSWORD_FILE_VARIABLE}
