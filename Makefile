# `make study NAME=init_std` and `make test` set everything up at the first call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Passed on to `ablation` if given.
# WORKERS_AT: the address of a Dask scheduler (docs/cluster.md).
OPTIONS = $(if $(DATA),--data "$(DATA)") $(if $(TEXT),--text "$(TEXT)") $(if $(LABEL),--label "$(LABEL)")
PLACES = $(if $(STORE),--store "$(STORE)") $(if $(REPORTS),--reports "$(REPORTS)")
BUDGET = $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(WORKERS),--workers "$(WORKERS)") $(if $(DEVICE),--device "$(DEVICE)") \
  $(if $(WORKERS_AT),--workers-at "$(WORKERS_AT)")
FOLLOWED = $(if $(FOLLOW_UP),--follow-up)

.PHONY: setup study report reports-check samples readme ui dashboard calibration bench bench-report
.PHONY: bench-step bench-overhead bench-conductor bench-scaling bench-growth bench-ends
.PHONY: bench-cluster chaos check test test-browser test-all test-cluster clean
.DEFAULT_GOAL := study

# Set up again if the folder was moved or copied, because .venv points to the old place.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock (once; it takes a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.11 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@PIP_USER=0 $(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@PIP_USER=0 $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo '$(CURDIR)' > $(READY)

setup: $(READY)

study: $(READY)
ifdef NAME
	@$(BIN)/python -P -m ablation run "$(NAME)" $(OPTIONS) $(BUDGET) $(PLACES) $(FOLLOWED)
else
	@$(BIN)/python -P -m ablation list
endif

report: $(READY)
ifdef NAME
	@$(BIN)/python -P -m ablation report "$(NAME)" $(OPTIONS) $(PLACES)
else
	@$(BIN)/python -P -m ablation report $(if $(REPORTS),--reports "$(REPORTS)")
endif

# The committed reports: every built-in study on the built-in corpus, and their overview page.
SAMPLES := docs/samples
samples: $(READY)
	@for file in studies/*.py; do \
	  ABLATION_LINKS=0 $(BIN)/python -P -m ablation run "$$(basename $$file .py)" $(BUDGET) \
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

# Shows plan and states in optuna-dashboard, on this machine only.
STORAGE = $(if $(STORE),sqlite:///$(abspath $(STORE))/optuna.db,$(or $(ABLATION_STORAGE),sqlite:///$(CURDIR)/optuna.db))
dashboard: $(READY)
	@$(if $(filter sqlite:///%,$(STORAGE)),test -f "$(STORAGE:sqlite:///%=%)" || \
	  { echo "Nothing is recorded in $(STORAGE:sqlite:///%=%)."; echo "Run a study first: make study NAME=init_std"; exit 2; })
	@$(BIN)/optuna-dashboard --host 127.0.0.1 --port $(or $(PORT),8080) "$(STORAGE)"

calibration: $(READY)
	$(BIN)/python benchmarks/calibration.py

# Compares the tutorial way with this project on equal work; needs an otherwise idle machine. Takes
# twenty minutes for the times (ROUNDS=0 skips them) and an hour for accuracy (SEEDS=0 skips it).
bench: $(READY)
	$(BIN)/python benchmarks/speed.py $(if $(DATA),"$(DATA)") $(if $(KEEP),--keep) \
	  $(if $(ROUNDS),--rounds "$(ROUNDS)") $(if $(SEEDS),--seeds "$(SEEDS)")

# Times the parts of a training step, and compares its speed with the machine's matrix rate.
bench-step: $(READY)
	$(BIN)/python benchmarks/step.py $(if $(DATA),"$(DATA)")

# Measures the cost of a trial besides training; bench-scaling measures the speed-up by workers.
bench-overhead: $(READY)
	$(BIN)/python benchmarks/overhead.py

bench-scaling: $(READY)
	$(BIN)/python benchmarks/scaling.py

# Compares training in a Dask worker with the pool's, in pairs: some minutes.
bench-cluster: $(READY)
	$(BIN)/python benchmarks/cluster.py

# Measures how cost grows with vocabulary, texts, length and trials: some minutes.
bench-growth: $(READY)
	$(BIN)/python benchmarks/growth.py

# Times a small study to its first training, after its last one, and with nothing left to do; in turns
# with another source tree if AGAINST names one.
bench-ends: $(READY)
	$(BIN)/python benchmarks/ends.py $(if $(ROUNDS),--rounds "$(ROUNDS)") \
	  $(if $(AGAINST),--against "$(AGAINST)")

# Measures time and memory of reports of up to 10,000 runs.
bench-report: $(READY)
	$(BIN)/python benchmarks/report.py

# Measures how busy 16 workers of 1-second trials are kept, up to 12 minutes (TRIALS, WORKERS).
bench-conductor: $(READY)
	$(BIN)/python benchmarks/conductor.py $(if $(TRIALS),--trials "$(TRIALS)") \
	  $(if $(WORKERS),--workers "$(WORKERS)") $(if $(RECORD),--record "$(RECORD)")

# Kills a study at every moment of its life and checks that nothing is lost; ten minutes for 100
# kills on an idle machine of two cores.
chaos: $(READY)
	$(BIN)/python benchmarks/chaos.py $(if $(KILLS),--kills "$(KILLS)") \
	  $(if $(PARALLEL),--parallel "$(PARALLEL)")

check: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not browser"

# Installs Debian's LaTeX and PostgreSQL and the libraries of an example where it can; without them,
# the tests of tables for papers, of records in PostgreSQL and of that example are skipped.
test-all: $(READY)
	@command -v pdflatex tectonic >/dev/null || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends texlive-latex-base texlive-latex-recommended; } \
	  || echo "No pdflatex or tectonic: the test of table.tex is skipped."
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends postgresql; } \
	  || echo "No PostgreSQL: tests of records in it are skipped."
	@$(BIN)/python -c 'import accelerate, transformers' 2>/dev/null || \
	  PIP_USER=0 $(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation \
	    -c requirements.lock -e '.[transformers]' \
	  || echo "No transformers: the test of examples/hf_trainer.py is skipped."
	$(BIN)/python -m pytest -m "not browser and not cluster"

# Hosts as network namespaces: needs root. TRIALS=500 runs the campaign at its full size.
test-cluster: $(READY)
	$(if $(TRIALS),ABLATION_TEST_TRIALS="$(TRIALS)") $(BIN)/python -m pytest -m cluster --numprocesses=0

# Installs Debian's browser and driver; on other systems, put both on the PATH.
test-browser: $(READY)
	@command -v chromedriver >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; }
	$(BIN)/python -m pytest -m browser --numprocesses=1

# Keeps stores (mlflow.db, optuna.db, artifacts) and reports.
clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache build src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
