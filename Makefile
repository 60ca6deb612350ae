# Two commands set everything up: `make demo` and `make test`. Both make .venv if it is not there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Types and syntax are checked for these.
PYTHONS := 3.11 3.12 3.13 3.14
# The oldest versions of what is depended on, and what is tested with them. Of the images all but TIFF: older imagecodecs
# cannot write what its tests read.
OLDEST := build/oldest
OLDEST_TESTS ?= $(wildcard tests/images) $(addprefix tests/test_,$(addsuffix .py,vgg representations losses style_losses \
    objective optimizers method checkpoints pastiche color guidance api fast plots settings presets files \
    cli_stylize cli_options cli_lists cli_rerun)) --ignore tests/images/test_tiff.py
FUZZ ?= images --seconds 3600
# Also for what builds the package: the same versions everywhere.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help cpu demo bench browser test test-slow fuzz test-oldest coverage lint lint-versions docs wheel release clean
.DEFAULT_GOAL := help

help: ## Say what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

cpu: $(VENV)/bin/python ## Before anything else, on Linux without a GPU: take PyTorch's CPU build, 200 MB instead of several GB.
	$(BIN)/python -m pip install --no-deps --index-url https://download.pytorch.org/whl/cpu torch

demo: $(VENV)/.installed-web ## Install Impasto, paint the bundled photo with the bundled painting, say where the picture lies.
	@$(BIN)/impasto demo
	@echo "Paint pictures of your own in a browser: $(BIN)/impasto serve --open"

# Two processes of one thread each do more than two of two.
test: lint browser ## Install the development tools and run every check but the slow tests.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

coverage: $(VENV)/.installed-dev ## Run the core tests and say which lines of the package none of them runs; takes half as long again.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" --cov --cov-report=term

# Threads that wait sleep soon, as the command has them: other programs that run then disturb little.
test-slow: $(VENV)/.installed-dev ## Run the slow tests.
	GOMP_SPINCOUNT=2000 $(BIN)/python -m pytest -m slow

fuzz: $(VENV)/.installed-dev ## Feed made-up files and requests to what reads them, for hours: make fuzz FUZZ="images --seconds 3600".
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz $(FUZZ)

test-oldest: $(OLDEST)/.installed ## Test the core with the oldest versions that pyproject.toml promises; gigabytes, on Linux.
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -o filterwarnings= -m "not slow" $(OLDEST_TESTS)

browser: ## Install what the tests of the page need: Chromium and Node.js. Without them they skip, or fail where CI is set.
	@tools/install_browser

bench: $(VENV)/.installed-bench ## Measure speed, memory and quality beside the peers; hours, and goes on where it was stopped.
	$(BIN)/python -m benchmarks $(BENCH)

# With the first and the latest Python: what is in both is in those between, which `make lint-versions` looks at.
lint: $(VENV)/.installed-dev ## Run ruff, the strict type checker and the import contract.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version $(lastword $(PYTHONS))
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs ## Build the documentation site into build/site; a warning, a dead link or use of the network fails.
	@$(BIN)/python tools/make_site.py

lint-versions: $(VENV)/.installed-dev ## The same, for every Python that is promised.
	@for version in $(PYTHONS); do \
	    echo "Python $$version" && \
	    $(BIN)/ruff check --quiet --select E9,F --ignore F722 --target-version py$$(echo $$version | tr -d .) . && \
	    $(BIN)/mypy --python-version $$version || exit 1; \
	done

wheel: $(VENV)/.installed-dev ## Build the wheel and the source archive into dist/.
	$(BIN)/python -m build

release: $(VENV)/.installed-release ## Build and check the files of a release, see docs/releasing.md; uploads nothing.
	$(BIN)/python tools/make_release.py $(RELEASE)

clean: ## Remove what was made, the environment included.
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Impasto needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-web: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[web]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-bench $(VENV)/.installed-web

$(VENV)/.installed-docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-release: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	@touch $@ $(VENV)/.installed

$(OLDEST)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m venv --clear $(OLDEST)
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra tiff --extra torchvision --extra web --extra export \
	    --extra tensorboard --output-file $(OLDEST)/requirements.txt pyproject.toml
	$(BIN)/uv pip install --python $(OLDEST)/bin/python --requirement $(OLDEST)/requirements.txt \
	    beartype httpx hypothesis pytest
	$(BIN)/uv pip install --python $(OLDEST)/bin/python --no-deps --editable .
	@touch $@
