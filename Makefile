# Everything from a fresh checkout. Each target sets up what it needs in .venv by itself.
#
# PYTHON  which Python makes the virtual environment (3.11 or newer)
# ARGS    passed on to `driftline demo`, the brokers or pytest

.POSIX:
.NOTPARALLEL:
.PHONY: help demo kafka test test-pythons test-ends test-starts soak bench docs check format clean

PYTHON ?= python3
ARGS =
# A file's tests stay together, since they share what takes long to start. Each process may start a broker.
PARALLEL = --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Takes seconds where pip takes a minute. Where it finds nothing, pip may: that reads pip's configuration.
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt

help:
	@echo "make demo     the whole pipeline on real flights (ARGS='--events 20000 --json')"
	@echo "make kafka    Apache Kafka on port 9092; needs Java 17 and Maven (ARGS='--brokers 3 --secure')"
	@echo "make test     every test (ARGS='tests/log -k crash')"
	@echo "make test-pythons   the demo, the wheel, the SDK and the log on every other Python of this machine"
	@echo "make test-ends      demo and tests with the newest dependencies, and with the lowest allowed"
	@echo "make test-starts    both commands without git or HOME, behind a proxy, read-only"
	@echo "make soak     everything at once, for minutes, while everything fails (ARGS='--minutes 30 --seed 7')"
	@echo "make bench    what the README says was measured, in short; says how to measure all of it"
	@echo "make docs     the documentation as a site, in .cache/site"
	@echo "make check    style, format, types, layers, documentation and tidiness, without the other tests"
	@echo "make format   sort imports and format the code"
	@echo "make clean    remove .venv, caches and what was built"
	@echo "PYTHON=python3.12 chooses the Python that makes .venv; now: $(PYTHON)"

demo: .venv/.demo
	@$(BIN)/driftline demo $(ARGS)

kafka: .venv/.dev
	@$(BIN)/python -m tests.support.kafka --port 9092 --folder .cache/kafka $(ARGS)

# Tests start hundreds of processes; where bytecode may not be kept, each would compile everything anew.
test: .venv/.dev
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-pythons: .venv/.dev
	@$(BIN)/python -m tests.support.pythons

test-ends: .venv/.dev
	@$(BIN)/python -m tests.support.pythons --ends

test-starts: .venv/.dev
	@$(BIN)/python -m tests.support.starts

# Of many cases that are alike, `make test` tries some; here come all others first.
soak: .venv/.dev
	@$(BIN)/python -m pytest $(PARALLEL) -m exhaustive
	@$(BIN)/python -m tests.soak $(ARGS)

# Short forms only: minutes, not hours. Their figures are too few to quote.
bench: .venv/.dev
	@echo "--- simulated traffic: false pages, delays, hard regimes"
	@$(BIN)/python -m bench.simulation --quick
	@echo "--- real flights: pages without faults, delays"
	@$(BIN)/python -m bench.flights_drift --quick
	@echo "--- another monitor on the same simulated hours"
	@$(BIN)/python -m bench.peers --quick
	@echo "--- landing"
	@$(BIN)/python -m bench.landing --records 20000
	@echo "--- what a call of log() takes"
	@$(BIN)/python -m bench.log_latency --calls 20000
	@echo "--- all of it: $(BIN)/python -m bench.NAME"
	@echo "simulation      hours; writes .cache/bench/simulation.json, and goes on there when run again"
	@echo "habits          an hour; writes .cache/bench/habits.json, and goes on there when run again"
	@echo "first_week      half an hour; a new version beside its registered reference"
	@echo "notebook        minutes; --evidently PYTHON asks Evidently as well"
	@echo "flights_drift   ten minutes"
	@echo "flights_peers   half an hour; other monitors on the same days; goes on where it stopped"
	@echo "flights_slices  half an hour; the same flights with each airport as a segment"
	@echo "peers           an hour; writes .cache/bench/peers.json, and goes on there when run again"
	@echo "landing, pages, log_latency, joint, segments, intervals, performance, flights_labels   minutes"
	@echo "features, flights_features   minutes"
	@echo "verdict_scale   --rows 10000000 100000000 --evidently: two hours; goes on where it stopped"
	@echo "kafka_outage    ten minutes; needs Java 17 and Maven"
	@echo "sdk_cost        minutes; needs Java 17 and Maven"

# Strict: a link that leads nowhere, or a page that the navigation leaves out, is an error. Needs no network.
SITE = NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs: .venv/.dev
	@$(SITE)
	@echo ".cache/site/index.html"

# Every gate runs, so that one look shows all that is wrong; those that failed are named at the end.
check: .venv/.dev
	@failed=; \
	gate() { \
		name=$$1; shift; \
		echo "--- $$name"; \
		"$$@" || failed="$$failed, $$name"; \
	}; \
	gate "ruff check" $(BIN)/ruff check --quiet .; \
	gate "ruff format" $(BIN)/ruff format --quiet --diff .; \
	gate "mypy" $(BIN)/mypy --no-error-summary; \
	gate "import-linter" $(BIN)/lint-imports --no-logo; \
	gate "docs" env $(SITE); \
	gate "tidy" $(BIN)/python -m pytest --quiet tests/tidy tests/domain/test_statistics.py; \
	if [ -n "$$failed" ]; then echo "make check: failed: $${failed#, }" >&2; exit 1; fi; \
	echo "make check: every gate passed"

format: .venv/.dev
	@$(BIN)/ruff check --quiet --select I --fix-only .
	@$(BIN)/ruff format .

clean:
	rm -rf .venv .cache .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: a second run installs nothing, a changed pyproject.toml or constraints.txt installs again.

.venv/.python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "driftline: there is no $(PYTHON) here; choose one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "driftline: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
			"choose another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv
	@$(PIP) uv
	@touch $@

.venv/.demo: .venv/.python pyproject.toml constraints.txt
	@echo "Installing driftline and its demo into .venv"
	@$(UV) -e '.[demo]' 2>/dev/null || $(PIP) -e '.[demo]'
	@touch $@

# The developer's environment holds the demo's.
.venv/.dev: .venv/.python pyproject.toml constraints.txt
	@echo "Installing driftline and its developer tools into .venv"
	@$(UV) -e '.[dev]' 2>/dev/null || $(PIP) -e '.[dev]'
	@touch .venv/.demo $@
