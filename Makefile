# The two commands of a newcomer are `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 100000
TASKS ?= 2000000
PYTHONS ?= 3.11 3.12 3.13
BIN := $(VENV)/bin
DEMO_READY := $(VENV)/.ready-demo
READY := $(VENV)/.ready
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo test test-all foreign lint type unit chaos simulate mutants node bench bench-scale docs release dist pyz standalone lambda audit format clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(DEMO_READY) ## Runs the main job on this machine, no account; KEEP=yes stays, for a look at the console
	$(BIN)/watchbot local --concurrency 2 --exit-when-empty $(if $(KEEP),--keep) --poll-wait 3 \
	  --send-file examples/demo/messages examples/demo/work.sh

test: lint type $(READY) ## Everything CI checks: style, types, all tests
	$(BIN)/pytest --numprocesses 6

test-all: ## Runs the tests on each Python that is here (3.11 to 3.13), with uvloop and without
	@for tool in npm autoconf automake libtoolize cmake; do command -v $$tool > /dev/null \
	  || { echo "no $$tool here: the tests with Node.js's Lambda runtime are left out"; exit 0; }; \
	done; $(MAKE) --no-print-directory node
	@for version in $(PYTHONS); do \
	  python$$version -c '' 2> /dev/null || { echo "no python$$version here: left out"; continue; }; \
	  venv=.venv-$$version && $(MAKE) --no-print-directory \
	    VENV=$$venv PYTHON=python$$version $$venv/.ready && \
	  echo "python$$version:" && HYPOTHESIS_PROFILE=thorough $$venv/bin/pytest -q --numprocesses 6 && \
	  $$venv/bin/python -m pip --quiet uninstall --yes uvloop && rm $$venv/.ready && \
	  echo "python$$version without uvloop:" && $$venv/bin/pytest -q --numprocesses 6 \
	    tests/unit tests/contract tests/integration tests/end_to_end/listen \
	  || exit 1; \
	done

foreign: $(READY) ## Adds the servers of others that tests/foreign meets, in .foreign (250 MB)
	@$(BIN)/python -m tests.foreign.install

lint: $(READY) ## Style and layout of the code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(READY) ## Types, strictly
	$(BIN)/mypy

unit: $(READY) ## The tests that need no server; a few seconds
	$(BIN)/pytest tests/unit

chaos: $(READY) ## The long form of the chaos suite: ten seeds, faults, signals, memory
	$(BIN)/python -m tests.chaos

docs: $(READY) ## Makes the pages that say what the code says, and a site of all pages in build/site
	$(BIN)/python -m generate
	$(BIN)/python -m generate.pictures
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The site is in build/site: open index.html, or, to search it too, run:"
	@echo "  $(BIN)/python -m http.server --directory build/site --bind 127.0.0.1"

release: $(READY) ## Builds all files of a release in dist/, tries each in an empty place, writes notes and checksums
	@$(call install,'.[release]')
	$(BIN)/python -m release

dist: $(READY) ## Builds the wheel and the source distribution in dist/, and checks them
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz

pyz: $(READY) ## Builds the one-file binary in dist/, for this Python and this kind of machine
	$(BIN)/python -m release.pyz

standalone: $(READY) ## Builds the directory that needs no Python, and its .tar.gz, in dist/; needs a C compiler
	$(BIN)/python -m release.standalone

lambda: $(READY) ## Builds the custom resource of schedules for AWS Lambda, a zip in dist/
	$(BIN)/python -m release.function

simulate: $(READY) ## Plays SEEDS histories (100000) of the watcher, then SEEDS/20 of scheduler and record, on all cores
	@status=0; $(BIN)/python -m tests.simulation.watcher --seeds $(SEEDS) || status=1; \
	  $(BIN)/python -m tests.simulation.schedule --seeds $$(( ($(SEEDS) + 19) / 20 )) || status=1; \
	  $(BIN)/python -m tests.simulation.record --seeds $$(( ($(SEEDS) + 19) / 20 )) || status=1; \
	  exit $$status

mutants: $(READY) ## Puts faults into copies of the tree, and says which of them no test finds
	$(BIN)/python -m tests.mutants

node: ## Adds packages of Node.js for tests: AWS's runtime, Powertools, axe-core, the CDK's command; two minutes, and needs npm and cmake
	@mkdir -p build/node
	npm install --prefix build/node --no-save --no-audit --no-fund --loglevel error \
	  aws-lambda-ric@3.3.0 @aws-lambda-powertools/batch@2.35.0 axe-core@4.14.1 puppeteer-core@24.43.1 \
	  aws-cdk@2.1148.1

bench: $(READY) ## Measures speed and memory, against rivals; about a quarter of an hour
	$(BIN)/python -m tests.benchmarks --write

bench-scale: $(READY) ## Measures records and console with TASKS (2000000) tasks, 100,000 jobs; half an hour, 20 GB of disk
	$(BIN)/python -m tests.benchmarks.scale --tasks $$(( $(TASKS) / 10 )) $(TASKS)
	$(BIN)/python -m tests.benchmarks.scale --database sqlite --tasks $$(( $(TASKS) / 20 )) $$(( $(TASKS) / 2 ))
	$(BIN)/python -m tests.benchmarks.schedule

audit: ## Asks PyPI for known faults of the versions in constraints.txt; needs the network
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.venv-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: $(READY) ## Lays the code out as lint wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Takes away what the other commands made
	rm -rf $(VENV) $(PYTHONS:%=.venv-%) .venv-audit .foreign .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build

# Installs what $(1) names, and shows each package as pip finds it.
install = set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check \
	  --constraint constraints.txt --editable $(1) \
	  | sed -n -e 's/^Collecting \([A-Za-z0-9_.-]*\).*/  \1/p' -e 's/^Installing collected.*/  installing .../p'

$(DEMO_READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "watchbot needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV), with what watchbot and its demo need ..."
	@$(PYTHON) -m venv $(VENV)
	@$(call install,'.[local]')
	@touch $@

$(READY): $(DEMO_READY)
	@echo "Adding what the tests need to $(VENV) ..."
	@$(call install,'.[dev]')
	@touch $@
