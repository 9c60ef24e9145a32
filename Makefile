# Everything a developer or CI runs. `make` lists it.
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UNIT := -n 2 tests/unit
INTEGRATION := -n 3 --dist loadgroup --no-loadscope-reorder tests/integration
CHART := -n 2 tests/helm
# What a test runs beside the project: programs with requirements of their own, one environment each.
TOOLS := $(VENV)/tools/dvc/.installed $(VENV)/tools/mlflow/.installed
E2E := -n 2 --dist loadgroup tests/images tests/e2e
# Set for tests too: a proxy or a profile of the person's own must not change what they see.
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test unit integration chart e2e check fmt render lock coverage bench clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Create .venv from the lock (needs Python 3.11 or newer, nothing else)

$(STAMP): requirements/dev.lock requirements/uv.lock.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it or set PYTHON=..." >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.lock.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/tools/%/.installed: requirements/%.lock | $(STAMP)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

demo: setup  ## Run Project Alpha end to end (ONCE=1 stops the server afterwards, BREAK=1 takes a source down)
	@$(BIN)/airnub demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(filter-out 0,$(BREAK)),--break)

up: setup  ## Start the embedded server, worker and sample sources
	@$(BIN)/airnub up

down: setup  ## Stop what `make up` or `make demo` started
	@$(BIN)/airnub down

status: setup  ## Show what runs
	@$(BIN)/airnub status

test: setup $(TOOLS)  ## Run the unit, integration and chart tests (what needs MinIO or helm says so)
	@$(BIN)/pytest $(UNIT)
	@$(BIN)/pytest $(INTEGRATION)
	@$(BIN)/pytest $(CHART)

unit: setup  ## Run the unit tests (seconds, no Prefect)
	@$(BIN)/pytest $(UNIT)

integration: setup $(TOOLS)  ## Run the tests against a real Prefect server
	@$(BIN)/pytest $(INTEGRATION)

chart: setup  ## Run the tests of the Helm chart (need helm)
	@$(BIN)/pytest $(CHART)

e2e: setup  ## Run everything for real: images, a kind cluster, a fresh clone (half an hour)
	@$(BIN)/pytest $(E2E)

coverage: setup $(TOOLS)  ## Run all tests and report the coverage of src (90 % at least)
	@$(BIN)/pytest $(UNIT) --cov --cov-report=
	@$(BIN)/pytest $(INTEGRATION) --cov --cov-append --cov-report=
	@$(BIN)/coverage report --fail-under=90

check: setup  ## Check format, lint, types, imports and generated files: what CI runs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/airnub render --check

fmt: setup  ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

render: setup  ## Write the generated files again
	@$(BIN)/airnub render

lock: setup  ## Compile the locks from pyproject.toml
	@./scripts/lock.sh

bench: setup  ## Run the benchmarks (minutes; see benchmarks/README.md)
	@$(BIN)/python benchmarks/store_local.py
	@$(BIN)/python benchmarks/store_s3.py
	@$(BIN)/python benchmarks/run_cost.py

clean:  ## Stop everything and remove .venv and the embedded platform (data/ stays)
	@test ! -x $(BIN)/airnub || $(BIN)/airnub down
	rm -rf $(VENV) .airnub
