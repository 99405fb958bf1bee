# Every command a person or CI needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
ENV    ?= dev
CLI     = $$($(PY) -m local.servers.tools --print-cdk) --app
CDK     = $(CLI) "$(PY) app.py"
# Packages of which little or nothing is imported: what of aws_cdk is, the stacks tell.
UNUSED := aws_cdk|sympy|networkx|mpmath|pip|setuptools|mypyc?|tests?
CODE   := app.py contracts cdk_app lambdas glue_jobs analytics operate local tools bench tests
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_DOWNLOADS := never
# Compiled modules are kept: without them, every command compiles boto3 and the like anew before it does anything.
unexport PYTHONDONTWRITEBYTECODE
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.cache/jsii

.PHONY: help setup demo dashboard check test stress bench bench-keep bench-extract bench-transform bench-load bench-end-to-end model year many-batches load-faults load-any-size format lint types unit lint-infra audit synth diff diff-comment deploy destroy adopted baselines github-role doctor doctor-table golden dictionary warehouse-script rds-authorities cost lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## install everything into .venv, node_modules and .cache

$(VENV)/.ready: requirements.lock package-lock.json lambdas/extract/requirements.lock lambdas/load/requirements.lock lambdas/notify/requirements.lock local/spark/class_archive.py
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "Python 3.11 or 3.12 is needed: make PYTHON=python3.11 ...")'
	$(PY) -m pip install --quiet --disable-pip-version-check --cache-dir .cache/pip $$(grep '^uv==' requirements.txt)
	$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements.lock
	$(PY) -m compileall -q -j 0 -x '/($(UNUSED))/' $(VENV)/lib
	$(PY) -c 'import app'
	$(PY) -m local.servers.tools
	$(PY) -m cdk_app.bundling
	$(PY) -m local.spark.class_archive
	touch $@

demo: setup ## run the whole platform on this machine and prove the outcome
	$(PY) -m local demo

dashboard: setup ## write build/dashboard: a page that needs nothing, and pictures, of a running platform (HOME_DIR=.local)
	$(PY) -m local dashboard --file build/dashboard --home $(or $(HOME_DIR),.local)

check: setup format-check lint types unit ## format, lint, types and unit tests: under 2 minutes

test: setup ## everything: the checks, and every test up to the deployed platform
	$(MAKE) --no-print-directory format-check lint
	$(MAKE) --no-print-directory --jobs types every-test

.PHONY: every-test
every-test: setup
	$(PY) -m coverage erase
	$(PY) -m pytest -n 3 --no-loadscope-reorder -p tools.executed
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report --fail-under=90

format: setup ## format the code
	$(VENV)/bin/ruff format $(CODE)
	$(VENV)/bin/ruff check --fix-only --quiet $(CODE)

.PHONY: format-check
format-check:
	$(VENV)/bin/ruff format --check --quiet $(CODE)

lint: setup ## lint the code, its imports, and look for insecure patterns
	$(VENV)/bin/ruff check --quiet $(CODE)
	$(VENV)/bin/lint-imports --no-cache > /dev/null || $(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/bandit --quiet --severity-level medium -c pyproject.toml -r app.py contracts cdk_app lambdas glue_jobs analytics operate

types: setup ## check the types
	$(VENV)/bin/mypy

unit: setup ## unit tests only
	$(PY) -m pytest tests/unit

stress: setup ## 50 races of two extractions, and five times 12 writers for 60 s against one and a timestamp reader
	RACES=50 $(PY) -m pytest -q tests/postgres/test_reading_rule.py -k racing
	for run in 1 2 3 4 5; do STRESS_SECONDS=60 $(PY) -m pytest -q -s tests/postgres/test_stress.py | grep -E "Reader:|passed|failed"; done

bench: setup $(if $(DLT),.cache/dlt/.ready) ## every benchmark, and a report in build/bench (ROWS="10000 1000000", ROUNDS=3, DLT=1; COMPARE=1 fails where it got worse)
	$(PY) -m bench --rows $(or $(ROWS),10000) --rounds $(or $(ROUNDS),3) $(if $(DLT),--dlt .cache/dlt/bin/python) $(if $(COMPARE),--compare)

bench-keep: setup ## make the last report of make bench the reviewed one: docs/performance.md
	$(PY) -m bench --keep

bench-extract: setup $(if $(DLT),.cache/dlt/.ready) ## the extraction against psql's COPY (ROWS=1000000; DLT=1: and dlt)
	$(PY) -m bench.extract --rows $(or $(ROWS),1000000) $(if $(DLT),--dlt .cache/dlt/bin/python)

model: setup ## 200 random histories of the source through the job, 25 at a time, against a model of the lake; and without each mechanism (EXAMPLES=200)
	for first in $$(seq 1 25 $(or $(EXAMPLES),200)); do \
	  echo "$$(date +%T) histories $$first and the next, of $(or $(EXAMPLES),200)"; MODEL_EXAMPLES=25 $(PY) -m pytest -q tests/spark/test_model.py || exit 1; done
	MODEL_EXAMPLES=1 $(PY) -m pytest -q tests/spark/test_model_mechanisms.py

year: setup ## a year of weekly maintenances with batches, held rows, deletions, a rebuild and a replay (WEEKS=60)
	YEAR_WEEKS=$(or $(WEEKS),60) $(PY) -m pytest -q tests/spark/test_year.py

many-batches: setup ## 500 small batches, then maintenance, under the eyes of two readers (BATCHES=500)
	MANY_BATCHES=$(or $(BATCHES),500) $(PY) -m pytest -q tests/spark/test_many_batches.py

load-faults: setup ## kill, cut off and refuse the load before and after each of its statements
	FAULT_STRIDE=1 $(PY) -m pytest -q tests/postgres/test_load_faults.py tests/postgres/test_any_size.py -k "statement or at_once"

load-any-size: setup ## a publication that does not fit into a load of 20 seconds, killed twice, under the eyes of a reader (ROWS=1000000)
	ANY_SIZE_ROWS=$(or $(ROWS),1000000) $(PY) -m pytest -q -s --show-capture=no tests/postgres/test_any_size.py -k of_any_size | grep -E "orders:|passed|failed"

bench-transform: setup ## the job against DuckDB on the same files (ROWS=1000000)
	$(PY) -m bench.transform --rows $(or $(ROWS),1000000)

bench-load: setup ## the load against psql's \copy into an identical table (ROWS=1000000)
	$(PY) -m bench.load --rows $(or $(ROWS),1000000)

bench-end-to-end: setup ## a first batch from the source into the warehouse, against psql, DuckDB and psql (ROWS=1000000)
	$(PY) -m bench.end_to_end --rows $(or $(ROWS),1000000)

.cache/dlt/.ready: bench/dlt-requirements.txt
	$(VENV)/bin/uv venv --quiet --allow-existing --python $(PY) .cache/dlt
	$(VENV)/bin/uv pip install --quiet --python .cache/dlt/bin/python -r $<
	touch $@

.cache/linters/.ready: tools/lint_infra/requirements.lock tools/lint_infra/package-lock.json
	$(VENV)/bin/uv venv --quiet --allow-existing --python $(PY) .cache/linters
	$(VENV)/bin/uv pip install --quiet --python .cache/linters/bin/python --require-hashes -r tools/lint_infra/requirements.lock
	cp tools/lint_infra/package.json tools/lint_infra/package-lock.json .cache/linters
	$(PY) -m local.servers.tools --npm-ci .cache/linters
	touch $@

lint-infra: setup .cache/linters/.ready ## lint templates, state machine and workflows: cfn-lint, asl-validator, cdk-nag, checkov, zizmor
	$(PY) -m tools.lint_infra

audit: setup .cache/linters/.ready ## look for known vulnerabilities in everything that is pinned; needs the package index itself
	$(PY) -m tools.audit

synth: setup ## synthesise the templates, without credentials or network (ENV=dev)
	$(CDK) synth --quiet --context env=$(ENV)

diff: setup ## what a deployment would change in AWS; writes build/diff-dev.txt (ENV=dev)
	mkdir -p build
	$(CDK) diff --method template --no-color --context env=$(ENV) $(CDK_ARGUMENTS) 2>&1 | tee build/diff-$(ENV).txt

diff-comment: setup ## show what make diff has written in a comment on a pull request: GitHub Actions calls it (ENV=dev)
	$(PY) -m tools.pull_request_comment $(ENV) build/diff-$(ENV).txt

doctor: setup ## look at all that a deployment needs, and say what is wrong and what to do (ENV=dev, HOME_DIR=.local, JSON=1)
	@$(PY) -m operate.doctor --env $(ENV) $(if $(HOME_DIR),--home $(HOME_DIR)) $(if $(JSON),--json)

deploy: setup ## deploy every stack to AWS (ENV=dev); SKIP_DOCTOR=1: without a look at the settings first
	$(if $(SKIP_DOCTOR),,@$(PY) -m operate.doctor --env $(ENV) --before-deploy)
	$(CDK) deploy --all --context env=$(ENV) $(CDK_ARGUMENTS)

github-role: setup ## deploy the roles of GitHub Actions, once, as an administrator (REPOSITORY=owner/name ENV=dev PROVIDER=arn)
	$(CLI) "$(PY) -m cdk_app.github_app" deploy --context env=$(ENV) --context repository=$(REPOSITORY) --context provider_arn=$(PROVIDER) $(CDK_ARGUMENTS)

destroy: setup ## delete a deployment with its data, after asking (ENV=dev); STACKS=1: the stacks alone, where data is kept
	$(PY) -m operate destroy --env $(ENV) --cdk "$$($(PY) -m local.servers.tools --print-cdk)" $(if $(STACKS),--stacks) $(if $(YES),--yes $(YES))

adopted: setup ## print the settings by which the next deployment takes over what an earlier one has left (ENV=prod)
	@$(PY) -m operate adopted --env $(ENV)

baselines: setup ## write tests/infra/baselines: the templates of dev and prod, to be read in a review
	WRITE_BASELINES=1 $(PY) -m pytest -q tests/infra/test_baselines.py

golden: setup ## keep documents of the current format as a run writes them: after FORMAT was raised, before it is released
	WRITE_GOLDEN=1 $(PY) -m pytest -q tests/spark/test_golden_documents.py

dictionary: setup ## write docs/data-dictionary.md from the contracts
	$(PY) -m tools.data_dictionary > docs/data-dictionary.md

warehouse-script: setup ## write docs/sql/create_warehouse.sql: star tables and the load's least-privileged login
	$(PY) -m tools.warehouse_script > docs/sql/create_warehouse.sql

rds-authorities: setup ## write lambdas/rds_authorities.pem: the certificate authorities of Amazon RDS that are valid today
	$(PY) -m tools.rds_authorities

cost: setup ## write docs/cost.md; or print the bill of another traffic (ARGUMENTS="--batches 60 --rows 500", ENV=prod)
	$(PY) -m tools.cost $(if $(filter command line,$(origin ENV)),--env $(ENV)) $(ARGUMENTS) $(if $(ARGUMENTS),,> docs/cost.md)

doctor-table: setup ## write the table of findings in docs/deploying.md
	$(PY) -m operate.doctor.page

lock: setup ## pin what requirements.txt and the functions' requirements ask for
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements.txt -o requirements.lock
	cd tools/lint_infra && ../../$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements.txt -o requirements.lock
	for name in extract load notify; do (cd lambdas/$$name && ../../$(VENV)/bin/uv pip compile --quiet --generate-hashes --python-version 3.14 \
	  --python-platform aarch64-manylinux_2_28 --no-header --no-annotate requirements.txt -o requirements.lock); done

clean: ## remove what was built; caches and homes stay
	rm -rf build cdk.out .coverage*
