# make demo    train the seed's network and report on it, in demo-run/
# make test    lint, types and every test, as CI does
# make check   lint, types and the fast tests
# make format  put the code into the house's form
# make bench   what kashika costs, beside other ways to do the same; docs/benchmarks.md has the table
#
# Each makes its environment where there is none, and installs nothing where there is one. That
# takes Python 3.11 or later, git and make; another Python than python3: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin

# One thread for each process: torch's threads wait by spinning, and JOBS times as many threads as
# cores make small networks several times slower.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

# Stamps: touched when an installation is complete, so an interrupted one is done again.
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: demo test check lint format bench

demo: $(RUN)
	$(BIN)/kashika demo demo-run

test: lint
	$(PYTEST) -m ""

check: lint
	$(PYTEST)

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict src tests benchmarks clinic docs

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV)
	$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks

# Editable, so that nothing has to be installed again when the sources change.
$(RUN): $(BIN)/pip pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): $(BIN)/pip pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(RUN) $@

# pip, not python: where venv lacks its pip (Debian without python3-venv) it leaves python behind.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "kashika needs Python 3.11 or later: $(PYTHON) was not found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("kashika needs Python 3.11 or later, and $(PYTHON) is %d.%d: name another with make PYTHON=..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
