# Two commands do everything: `make run` serves http://localhost:5000, `make test` passes the tests.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 5000
DATASET ?= ../shared/flickr8k
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --annotation-style line \
	--custom-compile-command "make lock"
export PORT

.PHONY: help setup run test fuzz reliability mutation soak image-test lint format lock audit screenshots train evaluate \
	benchmark benchmark-training clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# Each stamp is as old as the packages it stands for, so nothing is installed twice.
.venv/serve.stamp: requirements-serve.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -r requirements-serve.txt
	touch $@

.venv/train.stamp: requirements.txt .venv/serve.stamp
	$(INSTALL) -r requirements.txt
	touch $@

.venv/dev.stamp: requirements-dev.txt .venv/train.stamp
	$(INSTALL) -r requirements-dev.txt
	touch $@

setup: .venv/train.stamp  ## make .venv with everything that serving and training need

run: .venv/serve.stamp  ## serve http://localhost:$(PORT)
	$(BIN)/gunicorn --config gunicorn.conf.py "app:create_app()"

test: .venv/dev.stamp  ## run the tests
	$(BIN)/python -m pytest

fuzz: .venv/dev.stamp  ## ask a server what its OpenAPI document allows and forbids, 1,000 times each (2 minutes)
	$(BIN)/python -m tests.fuzz

image-test: .venv/dev.stamp  ## build the image and run compose.yaml (as root, with Debian's podman; ten minutes)
	$(BIN)/python -m pytest tests/container/laws.py

reliability: .venv/dev.stamp  ## bad inputs and faults against real servers; writes docs/reliability.md (2 minutes)
	$(BIN)/python -m pytest tests/reliability --write-reliability

mutation: .venv/dev.stamp  ## send 10,000 damaged pictures to a server; writes docs/reliability.md (2 minutes)
	$(BIN)/python -m tests.reliability.mutation

soak: .venv/dev.stamp  ## ask a server 10,000 times and weigh it; writes docs/reliability.md (15 minutes)
	$(BIN)/python -m tests.reliability.soak

lint: .venv/dev.stamp  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp  ## put the code in its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# All packages are resolved together, so that the smaller sets are parts of the largest. Versions change only where
# requirements/ asks for it; without the old requirements-dev.txt, all are the newest.
lock: .venv/dev.stamp  ## pin what requirements/*.in ask for, and all that they need, with hashes
	$(COMPILE) requirements/dev.in --output-file requirements-dev.txt
	$(COMPILE) requirements/train.in --constraints requirements-dev.txt --output-file requirements.txt
	$(COMPILE) requirements/serve.in --constraints requirements-dev.txt --output-file requirements-serve.txt

audit: .venv/dev.stamp  ## ask PyPI for known holes in what is locked
	$(BIN)/uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement requirements-dev.txt

screenshots: .venv/dev.stamp  ## take the pictures of the page in docs/ (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

train: setup  ## train on DATASET=DIR (more options: python training/train.py --help)
	$(BIN)/python training/train.py --dataset $(DATASET)

evaluate: setup  ## score the artifact on DATASET=DIR and compare with artifacts/metrics.json
	$(BIN)/python training/evaluate.py --artifacts artifacts --dataset $(DATASET) --split test --check 0.002

benchmark: setup  ## measure speed and load on a quiet machine; writes docs/performance.md (8 minutes)
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/load.py

benchmark-training: setup  ## the same of training; writes docs/training-speed.md, docs/scale.md (20 minutes)
	$(BIN)/python benchmarks/training_speed.py
	$(BIN)/python benchmarks/scale.py

clean:  ## remove what the commands above made, except artifacts and runs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
