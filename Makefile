# `make study NAME=init_std` and `make test` each set everything up by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Passed on to `ablation run` where they are given.
OPTIONS = $(if $(DATA),--data "$(DATA)") $(if $(TEXT),--text "$(TEXT)") $(if $(LABEL),--label "$(LABEL)")
PLACES = $(if $(STORE),--store "$(STORE)") $(if $(REPORTS),--reports "$(REPORTS)")
BUDGET = $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(WORKERS),--workers "$(WORKERS)") $(if $(DEVICE),--device "$(DEVICE)")

.PHONY: setup study report reports-check samples readme ui calibration bench bench-report
.PHONY: bench-step bench-overhead bench-scaling bench-growth check test test-browser test-all clean
.DEFAULT_GOAL := study

# A folder that was moved or copied has a .venv that points to where it was.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock (once; it takes a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo '$(CURDIR)' > $(READY)

setup: $(READY)

study: $(READY)
ifdef NAME
	@$(BIN)/python -P -m ablation run "$(NAME)" $(OPTIONS) $(BUDGET) $(PLACES)
else
	@$(BIN)/python -P -m ablation list
endif

report: $(READY)
ifdef NAME
	@$(BIN)/python -P -m ablation report "$(NAME)" $(OPTIONS) $(PLACES)
else
	@$(BIN)/python -P -m ablation report $(if $(REPORTS),--reports "$(REPORTS)")
endif

# The committed reports: every built-in study on the built-in corpus, and one page over them.
SAMPLES := docs/samples
samples: $(READY)
	@for file in studies/*.py; do \
	  $(BIN)/python -P -m ablation run "$$(basename $$file .py)" $(BUDGET) \
	    --store "$(or $(STORE),.cache/samples)" --reports "$(SAMPLES)" || exit; done
	@$(BIN)/python -P -m ablation report --reports "$(SAMPLES)"
	@$(MAKE) --no-print-directory readme

readme: $(READY)
	@$(BIN)/python docs/readme.py

REPORTED = $(dir $(wildcard $(SAMPLES)/*/study.json))
reports-check: $(READY)
	@$(if $(REPORTED),$(BIN)/python -P -m ablation rebuild --check $(REPORTED),echo "No report is committed.")

ui: $(READY)
	@$(BIN)/python -P -m ablation ui $(if $(NAME),"$(NAME)") $(if $(STORE),--store "$(STORE)")

calibration: $(READY)
	$(BIN)/python benchmarks/calibration.py

# The tutorial way against this one on equal work, on an otherwise idle machine: twenty minutes or
# so for the times, an hour more for accuracy. SEEDS=0 leaves accuracy out, ROUNDS=0 the times.
bench: $(READY)
	$(BIN)/python benchmarks/speed.py $(if $(DATA),"$(DATA)") $(if $(KEEP),--keep) \
	  $(if $(ROUNDS),--rounds "$(ROUNDS)") $(if $(SEEDS),--seeds "$(SEEDS)")

# Where a training step's time goes, and its distance from the machine's matrix rate.
bench-step: $(READY)
	$(BIN)/python benchmarks/step.py $(if $(DATA),"$(DATA)")

# What a trial costs beside its training, and how throughput grows with workers.
bench-overhead: $(READY)
	$(BIN)/python benchmarks/overhead.py

bench-scaling: $(READY)
	$(BIN)/python benchmarks/scaling.py

# How the cost grows with vocabulary, texts, length and trials: some minutes.
bench-growth: $(READY)
	$(BIN)/python benchmarks/growth.py

# Time and memory of reports of up to 10,000 runs.
bench-report: $(READY)
	$(BIN)/python benchmarks/report.py

check: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not browser"

test-all: $(READY)
	$(BIN)/python -m pytest -m "not browser"

# Debian's browser and its driver; anywhere else, have both on the PATH.
test-browser: $(READY)
	@command -v chromedriver >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; }
	$(BIN)/python -m pytest -m browser --numprocesses=1

# Never a store (mlflow.db, optuna.db, artifacts) and never a report.
clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache build src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
