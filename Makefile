# Each verb sets up what it needs on a machine that has only Python with pip: `make demo`, `make test`.
# Another interpreter: make demo PYTHON=python3.12. More for pip (an index with CPU builds of torch, say): PIP_ARGS='...'.
PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet $(PIP_ARGS) -c constraints.txt

.PHONY: help demo test check fix docs setup clean

help:
	@echo 'make demo    the whole R1 road in miniature, about a quarter of an hour on two cores'
	@echo 'make test    every test'
	@echo 'make check   ruff and pyright'
	@echo 'make fix     format, and mend what ruff can mend'
	@echo 'make docs    draw docs/architecture.md and docs/scorers.md again'
	@echo 'make clean   remove the environment and the caches (runs/ is kept)'

demo: setup
	$(BIN)/dataengine run tiny

test: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python docs/rooms.py
	$(BIN)/python docs/scorer_pages.py

setup: $(VENV)/installed

# The environment is made without its own pip (Debian splits that part off) and filled by the pip there is.
# reasoning-gym wants a C compiler for one of its dependencies: without one the rest works, and its tests are skipped.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"Python 3.11 to 3.13 is needed, $(PYTHON) is %d.%d: make demo PYTHON=python3.12" % sys.version_info[:2])'
	@echo 'Setting up $(VENV), once: a few minutes ...'
	$(PYTHON) -m venv --clear --without-pip $(VENV)
	$(PIP_INSTALL) pip -e '.[dev]'
	$(PIP_INSTALL) -e '.[gym]' || { test -z "$$CI" && echo 'No reasoning-gym tasks: they need a C compiler and the headers of Python.'; }
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
