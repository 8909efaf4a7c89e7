# The only commands anyone must know.
#
#   make demo    drop MovieLens-100K into a local S3 and follow it to served predictions
#   make test    every test, whole runs on the local stack included
#   make check   format, lint, types, import rules, template, state machine, then every test
#   make read FILE=ratings.csv  how a file would be read, before it is uploaded
#   make up      start the local stack in the background;  make down  stops it and keeps what it holds
#                (ARGS=--fresh: up starts empty, down deletes)
#   make env     what points another terminal at it: eval "$(make -s env)"
#   make status  what every catalog is at: serving, running, waiting, not read (ARGS="--stack matinee" in an account)
#   make events  capture tests/events/*.json anew: what each function really receives
#   make build   build for AWS;                             make deploy  deploy to AWS
#   make bench-train  quality, time and memory against myFM and torch;  make bench-serve  serving
#   make bench-rank   lists beside implicit's ALS, EASE and popularity
#   make bench-encode  the encoder's speed beside its peers;  make bench-evaluate  a large evaluation
#   make chaos   kill and abort a run at each of its calls; storms of uploads (make test tries some)
#   make oracle  model artifacts against real MXNet, both ways
#   make spark-files  Parquet files of Spark's for the tests, written anew
#   make image   build container/'s image and check it (needs Docker)
#   make lock    resolve the dependencies anew

PYTHON ?= python3
# MXNet 1.9.1 goes with Python 3.11 at most.
ORACLE_PYTHON := $(or $(ORACLE_PYTHON),$(PYTHON))
ARGS ?=

# What AWS runs. `make deploy LAMBDA_PYTHON=3.12 LAMBDA_ARCH=x86_64` changes both at once.
export LAMBDA_PYTHON ?= 3.13
export LAMBDA_ARCH ?= arm64
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

pip_install := -m pip install --quiet --no-deps --require-hashes --requirement
sam := .venvs/sam/bin/sam
parameters := PythonRuntime=python$(LAMBDA_PYTHON) Architecture=$(LAMBDA_ARCH) $(PARAMETERS)

.PHONY: demo read test check up env status down events build deploy lock clean install bench-train bench-serve bench-encode \
	bench-evaluate bench-rank chaos oracle spark-files image

demo: .venv/.local .venvs/sam/.installed .venvs/emulator/.installed
	@.venv/bin/python -m local demo $(ARGS)

# CONFIG=config.json reads it with a catalog's settings.
read: .venv/.local
	@$(if $(FILE),,echo "usage: make read FILE=ratings.csv [CONFIG=config.json]"; exit 2;) .venv/bin/python -m recommender.catalog.inspection $(if $(CONFIG),--config "$(CONFIG)") "$(FILE)"

up: .venv/.local .venvs/sam/.installed .venvs/emulator/.installed
	@.venv/bin/python -m local up $(ARGS)

status: .venv/.local
	@.venv/bin/python -m local status $(ARGS)

env: .venv/.local
	@.venv/bin/python -m local env

down: .venv/.local
	@.venv/bin/python -m local down $(ARGS)

events: .venv/.local .venvs/sam/.installed .venvs/emulator/.installed
	@.venv/bin/python -m local events

test: install
	.venv/bin/python -m pytest -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

bench-encode: .venv/.dev .venvs/emulator/.installed
	@.venv/bin/python -m bench.encode $(ARGS)

bench-evaluate: .venv/.dev .venvs/emulator/.installed
	@.venv/bin/python -m bench.evaluate $(ARGS)

check: install
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(sam) validate --lint --region us-east-1
	.venv/bin/cfn-lint template.yaml
	$(MAKE) test

install: .venv/.dev .venvs/sam/.installed .venvs/emulator/.installed

build: .venvs/sam/.installed
	PATH="$(CURDIR)/.venvs/sam/bin:$$PATH" $(sam) build --parameter-overrides $(parameters)

deploy: build
	$(sam) deploy --parameter-overrides $(parameters) $(ARGS)

bench-train: .venv/.local .venvs/bench/.installed
	@.venv/bin/python -m bench.train $(ARGS)

bench-rank: .venv/.local .venvs/bench/.installed
	@.venv/bin/python -m bench.rank $(ARGS)

bench-serve: .venv/.local
	@.venv/bin/python -m bench.serve $(ARGS)

oracle: .venv/.dev .venvs/oracle/.installed
	.venv/bin/python -m pytest tests/oracle $(ARGS)

# Spark 3.5 goes with Python 3.12 at most.
spark-files: .venvs/spark/.installed
	.venvs/spark/bin/python testbed/ratings/spark.py

# make image ARGS="--build-arg PYTHON_IMAGE=..." builds on another base.
image: .venv/.dev
	BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform linux/amd64 --file container/Dockerfile --tag matinee-fm $(ARGS) .
	.venv/bin/python -m pytest tests/image

chaos: .venv/.dev
	CHAOS=all .venv/bin/python -m pytest -n auto --dist load tests/chaos $(ARGS)

lock: .venv/.dev
	sh requirements/lock.sh

clean:
	rm -rf .venv .venvs .aws-sam build .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Environments: one to run the demo, the same grown to develop, and one each for two tools whose
# pins would quarrel. Rebuilt when their lock changes.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Matinee needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/.local: requirements/local.txt pyproject.toml | .venv/bin/python
	@test -e .venv/.dev || echo "Installing (once) ..."
	.venv/bin/python $(pip_install) requirements/local.txt
	.venv/bin/python $(pip_install) requirements/build.txt
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.local
	.venv/bin/python $(pip_install) requirements/dev.txt
	@touch $@

.venvs/oracle/.installed: PYTHON := $(ORACLE_PYTHON)
.venvs/oracle/.installed: | oracle-python

.PHONY: oracle-python
oracle-python:
	@$(ORACLE_PYTHON) -c 'import platform as p, sys; sys.exit((sys.version_info[:2], p.system(), p.machine()) != ((3, 11), "Linux", "x86_64") and "MXNet 1.9.1 needs Python 3.11 on Linux, x86_64: make oracle ORACLE_PYTHON=python3.11")'

# torch without CUDA where an index has that build: 0.2 GB instead of 3.
.venvs/bench/.installed: requirements/bench.txt requirements/torch-cpu.txt requirements/torch.txt
	$(PYTHON) -m venv .venvs/bench
	.venvs/bench/bin/python $(pip_install) requirements/bench.txt
	.venvs/bench/bin/python $(pip_install) requirements/torch-cpu.txt 2>/dev/null \
		|| .venvs/bench/bin/python $(pip_install) requirements/torch.txt
	@touch $@

.venvs/%/.installed: requirements/%.txt
	$(PYTHON) -m venv .venvs/$*
	.venvs/$*/bin/python $(pip_install) requirements/$*.txt
	@touch $@
