# Two commands on a fresh machine: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
BENCH  ?=
WORKERS ?= 2

.PHONY: demo test check check-static e2e bench setup dev lock screenshots clean

demo: $(VENV)/.run
	@$(BIN)/andon demo $(ARGS)

test: dev
	@$(BIN)/python -m tests.prepare
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: check-static
	$(BIN)/pytest tests/unit tests/contract $(ARGS)

check-static: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

e2e: dev
	@$(BIN)/python -m tests.prepare
	$(BIN)/pytest tests/e2e $(ARGS)

# one bench, ending with one JSON object of figures on a line of its own: make bench BENCH=latency
bench: dev
	@$(BIN)/python -m tests.bench $(BENCH) $(ARGS)

screenshots: dev
	@$(BIN)/python -m tests.prepare
	$(BIN)/python -m tests.screenshots

setup: $(VENV)/.run
dev: $(VENV)/.dev

# uv, itself pinned with hashes, installs what is locked; where it cannot run, pip does the same slowly
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock

$(VENV)/.run: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@requirements/install run $(VENV)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@requirements/install dev $(VENV)
	@touch $@ $(VENV)/.run

# after a change to requirements/*.in
lock: $(VENV)/bin/python
	@requirements/lock $(VENV)

clean:
	rm -rf $(VENV) .andon build *.egg-info
