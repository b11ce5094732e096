# Needs git, make and Python 3.11 or newer; everything else goes into .venv. Works with GNU make 3.81 and later.
# All paths are relative, so that the folder may stand anywhere and have blanks in its name.

PYTHON ?=
PYTEST_ARGS ?=
DATA ?= ../shared/data
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
HOUSES := topology telemetry twin dashboards
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench verification fidelity peers clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.installed ## Make .venv with the pinned packages and the racktwin command

demo: $(VENV)/.installed ## Run the main job on the built-in reference site, all in demo/
	$(BIN)/racktwin demo demo

test: lint peers ## Check style, types and layers, then run every test, other programs beside ours included
	@RACKTWIN_NEED_PEERS=1 RACKTWIN_BROWSER="$$(sh tests/browser.sh)" $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-test ## Check style, types and layers only
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-test ## Measure, and write benchmarks/results.json and docs/benchmarks.md
	$(BIN)/python -m benchmarks

verification: $(VENV)/.installed-test peers ## Write docs/verification.md: how far we are from what others wrote
	@RACKTWIN_NEED_PEERS=1 RACKTWIN_VERIFICATION=docs/verification.md $(BIN)/python -m pytest -m agreement -p no:xdist $(PYTEST_ARGS)

fidelity: $(VENV)/.installed-test ## Hold the twin against recordings in DATA and synthetic plants; writes benchmarks/fidelity.json and docs/fidelity.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.fidelity --synthetic --data "$(DATA)"

peers: $(PEERS)/.installed ## Make .venv-peers with the programs that tests and bench compare with

clean: ## Remove .venv, .venv-peers, the demo and all caches
	rm -rf $(VENV) $(PEERS) demo build dist racktwin.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(HOUSES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@sh tests/venv.sh "$(VENV)" "$(PYTHON)"
	@touch $@

$(VENV)/.installed: $(VENV)/.python $(INPUTS)
	@echo "Installing racktwin into $(VENV): about 1 GB, half a minute to two ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.python $(INPUTS)
	@echo "Installing racktwin and its test tools into $(VENV): about 1 GB, half a minute to two ..."
	@$(PIP) --editable '.[test,dev]'
	@touch $(VENV)/.installed $@

$(PEERS)/.installed: benchmarks/peers-constraints.txt
	@sh tests/venv.sh "$(PEERS)" "$(PYTHON)"
	@echo "Installing other programs into $(PEERS): about 1 GB, half a minute to two ..."
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
