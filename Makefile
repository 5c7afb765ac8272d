# Every verb works in a fresh clone: whatever it needs is set up first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
PY := .venv/bin/python
LOCKED := .venv/.locked
SETUP := .venv/.set-up
LAYERS := domain application adapters server
TOOLS := $(CURDIR)/.tools/bin
GRPCURL_VERSION := v1.9.4
GHZ_VERSION := v0.93.0

.PHONY: help setup lock proto proto-release lint format test run demo bench tools clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(SETUP)  ## the virtual environment, from the locked versions

$(LOCKED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "quantmesh needs Python 3.11 or newer: make PYTHON=...")'
	@test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(SETUP): $(LOCKED) pyproject.toml clients/python/pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e clients/python
	@touch $@

COMPILE := $(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-emit-find-links

lock: $(SETUP)  ## the newest versions into requirements/*.txt
	$(COMPILE) --output-file requirements/service.txt requirements/service.in
	$(COMPILE) --output-file requirements/dev.txt --constraint requirements/service.txt requirements/dev.in

proto: $(SETUP)  ## the Python stubs from proto/
	$(PY) -m tools.contract generate

proto-release: $(SETUP)  ## today's contract as the released one, which breaking changes are held against
	$(PY) -m tools.contract release

lint: $(SETUP)  ## style, types, layers and the contract
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(wildcard $(LAYERS)) clients/python/src tests tools
	.venv/bin/lint-imports --no-logo
	$(PY) -m tools.contract check

format: $(SETUP)  ## the style, applied
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

test: $(SETUP)  ## every test; PYTEST_ARGS narrows it
	$(PY) -m pytest $(PYTEST_ARGS)

run: $(SETUP)  ## the server on 127.0.0.1:50051, until stopped
	.venv/bin/quantmesh serve --listen 127.0.0.1:50051

demo: $(SETUP)  ## a server, an account and a mix of orders, shown live
	.venv/bin/quantmesh demo

bench: $(SETUP)  ## speed, as ratios to a bare echo
	$(PY) tests/benchmarks/run.py

tools: $(TOOLS)/grpcurl $(TOOLS)/ghz  ## grpcurl and ghz, built by Go

$(TOOLS)/grpcurl:
	GOBIN=$(TOOLS) go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)

$(TOOLS)/ghz:
	GOBIN=$(TOOLS) go install github.com/bojand/ghz/cmd/ghz@$(GHZ_VERSION)

clean:  ## everything that make built
	rm -rf .venv .tools build *.egg-info clients/python/src/*.egg-info
