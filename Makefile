# Every target does its own set-up: a fresh machine needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-fast lint format clean

# Tests start Python a hundred times. Where a machine forbids it to keep what it has compiled, each start compiles all of ours again.
unexport PYTHONDONTWRITEBYTECODE

# One worker for each core; a file's tests stay in one worker, so that what they share is made once. tests/conftest.py deals the
# files that take long first, an order that must not be changed on the way.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

install: .venv/installed

# dynamic-network-architectures, which some tests build nnU-Net's networks with, is installed without what it asks for: timm, which
# its U-Nets do not use, brings torchvision, whose presence beside torch for the CPU breaks `import monai`.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'error: focalseg needs Python 3.11 or newer; run make PYTHON=/path/to/python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps dynamic-network-architectures
	touch $@

demo: install
	$(BIN)/focalseg demo

test: install lint
	$(BIN)/python -m pytest $(PARALLEL)

# About a minute on two cores, for work in between. It tells of tests that take long and are not marked as slow.
test-fast: install
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" --durations 5 --durations-min 2

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv build dist focalseg-demo
