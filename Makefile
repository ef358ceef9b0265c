# The two commands of a newcomer are `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint type unit chaos bench docs format clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## Runs the main job on this machine: real messages, real commands, no account
	$(BIN)/watchbot local --concurrency 2 --exit-when-empty --poll-wait 3 \
	  --send-file examples/demo/messages examples/demo/work.sh

test: lint type $(READY) ## Everything CI checks: style, types, all tests
	$(BIN)/pytest --numprocesses 4 --dist loadfile

lint: $(READY) ## Style and layout of the code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(READY) ## Types, strictly
	$(BIN)/mypy

unit: $(READY) ## The tests that need no server; a few seconds
	$(BIN)/pytest tests/unit

chaos: $(READY) ## The long form of the chaos suite: ten seeds, faults, signals, memory
	$(BIN)/python -m tests.chaos

docs: $(READY) ## Makes the pages of docs/ that say what the code says
	$(BIN)/python -m generate

bench: $(READY) ## Measures speed and memory, against rivals; about a quarter of an hour
	$(BIN)/python -m tests.benchmarks --write

format: $(READY) ## Lays the code out as lint wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Takes away what the other commands made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build

$(READY): pyproject.toml constraints.txt
	@echo "Making a virtual environment in $(VENV) (once; about half a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "watchbot needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@
