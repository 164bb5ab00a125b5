# `make study NAME=init_std` and `make test` each set everything up by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Passed on to `ablation run` where they are given.
OPTIONS = $(if $(DATA),--data "$(DATA)") $(if $(TEXT),--text "$(TEXT)") $(if $(LABEL),--label "$(LABEL)")
PLACES = $(if $(STORE),--store "$(STORE)") $(if $(REPORTS),--reports "$(REPORTS)")
BUDGET = $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(WORKERS),--workers "$(WORKERS)") $(if $(DEVICE),--device "$(DEVICE)")

.PHONY: setup study report ui calibration check test test-all clean
.DEFAULT_GOAL := study

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock (once; it takes a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY)

study: $(READY)
ifdef NAME
	@$(BIN)/ablation run "$(NAME)" $(OPTIONS) $(BUDGET) $(PLACES)
else
	@$(BIN)/ablation list
endif

report: $(READY)
	@$(BIN)/ablation report "$(NAME)" $(OPTIONS) $(PLACES)

ui: $(READY)
	@$(BIN)/ablation ui $(if $(STORE),--store "$(STORE)")

calibration: $(READY)
	$(BIN)/python benchmarks/calibration.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(READY)
	$(BIN)/pytest -m "not slow"

test-all: $(READY)
	$(BIN)/pytest

# Never a store (mlflow.db, optuna.db, artifacts) and never a report.
clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache build src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
