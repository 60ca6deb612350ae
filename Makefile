# Two commands set everything up: `make demo` and `make test`. Both make .venv if it is not there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Also for what builds the package: the same versions everywhere.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo bench browser test test-slow lint wheel clean
.DEFAULT_GOAL := help

help: ## Say what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.installed ## Install Impasto, paint the bundled photo with the bundled painting, say where the picture lies.
	@$(BIN)/impasto demo

# Two processes of one thread each do more than two of two.
test: lint browser ## Install the development tools and run every check but the slow tests.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

# Threads that wait sleep soon, as the command has them: other programs that run then disturb little.
test-slow: $(VENV)/.installed-dev ## Run the slow tests.
	GOMP_SPINCOUNT=2000 $(BIN)/python -m pytest -m slow

browser: ## Install Debian's Chromium and Node.js for the tests of the page; without them they skip, but fail where CI is set.
	@tools/install_browser

bench: $(VENV)/.installed-bench ## Measure speed, memory and quality beside the peers; hours, and goes on where it was stopped.
	$(BIN)/python -m benchmarks $(BENCH)

lint: $(VENV)/.installed-dev ## Run ruff, the strict type checker and the import contract.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.installed-dev ## Build the wheel and the source archive into dist/.
	$(BIN)/python -m build

clean: ## Remove what was made, the environment included.
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Impasto needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-bench
