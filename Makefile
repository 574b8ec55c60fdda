# Every target that needs it sets the project up first; a second time that takes no time.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=
# Tests that start servers or measure have the machine to themselves; the others share its cores.
ALONE := tests/contracts tests/integration tests/chaos tests/bench

.PHONY: help setup fmt check test bench bench-storage chaos fuzz soak demo schemas dashboards gallery lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## make .venv and install exactly what requirements.lock says

$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: there is no $(PYTHON): install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1), meterstream needs Python 3.11 or newer; name another: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# Where Python may not write beside the source, every start would compile all of it: three seconds of a worker's.
	@$(BIN)/python -m compileall -q schemas processors models sinks simulators stream panels
	@# Passes over readings are machine code, which the first start would make for twenty seconds.
	@$(BIN)/python -c 'from stream.worker.flow import ready_passes; ready_passes()'
	@touch $@

fmt: setup ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup ## format, lint, types, import contracts, unit tests: under a minute, no servers
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto -m "not integration" --ignore=tests/bench --hypothesis-profile=quick $(ARGS)

test: setup ## the whole suite, on real servers that come and go with it (ARGS=tests/flow for some of it)
ifeq ($(ARGS),)
	$(BIN)/pytest -n auto $(ALONE:%=--ignore=%)
	$(BIN)/pytest $(ALONE)
else
	$(BIN)/pytest $(ARGS)
endif

bench: setup ## how fast it is, beside its peers, with a table of goals (QUICK=1 for a small run)
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(ARGS)

bench-storage: setup ## pieces, totals, compression and panels on a database (DATABASE_URL=postgresql://... ROWS=5000000)
	$(BIN)/python -m tests.bench.storage --rows $(or $(ROWS),5000000) --database-url $(DATABASE_URL) $(ARGS)

chaos: setup ## kill, stop, cut off and fill up, and prove that nothing is lost (TRIALS=100, SEED=7 replays)
	$(BIN)/python -m tests.chaos $(if $(TRIALS),--trials $(TRIALS)) $(if $(SEED),--seed $(SEED)) --json report-chaos.json $(ARGS)

fuzz: setup ## a million payloads through the codecs (COUNT=1000000), then as coverage leads (RUNS=50000)
	$(BIN)/python -m tests.fuzz --count $(or $(COUNT),1000000) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.fuzz.coverage -runs=$(or $(RUNS),50000)

soak: setup ## an hour under an even load, with what grows (MINUTES=60 RATE=5000)
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),60) --rate $(or $(RATE),5000) $(ARGS)

demo: setup ## everything from nothing: servers, engine, a simulated fleet, a live view (ARGS="--seconds 60")
	$(BIN)/meterstream demo $(ARGS)

schemas: setup ## write the JSON Schema files and the tables of NOMENCLATURE.md anew
	$(BIN)/python -m schemas.json_schema
	$(BIN)/python -m schemas.asyncapi
	$(BIN)/python -m tests.documents

dashboards: setup ## write the JSON files of Grafana's dashboards and the text of PANELS.md anew
	$(BIN)/python -m panels.render
	$(BIN)/python -m tests.gallery.page

gallery: setup ## draw what the dashboards show, for PANELS.md, on simulated data (some minutes)
	$(BIN)/python -m tests.gallery $(ARGS)

lock: setup ## pin every dependency anew (ARGS=--upgrade for the newest versions)
	@test -x .tools/bin/uv || { $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv; }
	.tools/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
	  --python $(BIN)/python --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock $(ARGS)

clean: ## remove caches; .venv and the local stack's data stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
