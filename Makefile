# bgjobs. `make help` lists what there is; CONTRIBUTING.md says how to work with it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
STAMP := $(VENV)/.ready
PEERS := $(VENV)/.bench
AUDIT := $(VENV)/audit/.ready
DJANGO := $(VENV)/django/.ready
MINORS := $(notdir $(basename $(wildcard requirements/minors/*.txt))) # of Kubernetes, whose models the chart is checked by
DEV := $(PYTHON) devcluster/dev
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# ------------------------------------------------------------------------------ set-up
# What running needs; developing needs more. `api/assets` fetches the dashboard's script.
$(RUNS): requirements/local.txt requirements/uv.txt requirements/assets.txt pyproject.toml client/pyproject.toml
	$(call say,setting up $(VENV) to run bgjobs (some ten seconds))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.x")'
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: install it (on Debian: apt-get install python3-venv)"; exit 1; }
	@requirements/install $(BIN)/python --require-hashes -r requirements/local.txt
	@$(BIN)/python api/assets
	@requirements/install $(BIN)/python --no-deps --no-build-isolation -e client -e .
	@$(BIN)/python -c 'import bgjobs_local.dev, bgjobs.cli.app' # compiled now, so that the first start is as quick as any
	@touch $@

$(STAMP): $(RUNS) requirements/dev.txt $(wildcard requirements/minors/*.txt)
	$(call say,adding the tools of development)
	@requirements/install $(BIN)/python --require-hashes -r requirements/dev.txt
	@for minor in $(MINORS); do requirements/install $(BIN)/python --require-hashes --no-deps \
	    --target $(VENV)/minors/$$minor -r requirements/minors/$$minor.txt || exit 1; done
	@touch $@

.PHONY: setup
setup: $(STAMP) ## make .venv with everything that developing needs

.PHONY: dev
dev: $(RUNS) ## run jobs on this machine, without a cluster, and one of the examples at once (ARGS="--help")
	@$(BIN)/bgjobs dev examples/shop --data .bgjobs --hello $(ARGS)

.PHONY: wheels
wheels: $(STAMP) ## build what pip installs, into dist/
	@rm -rf dist
	@for source in client .; do $(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python -o dist $$source; done
	@ls dist/*.whl

.PHONY: lock
lock: $(STAMP) ## write the lock files anew
	requirements/lock

# ------------------------------------------------------------------------------ checks
.PHONY: check
check: lint unit ## the quick loop: lint, types, layers, unit tests (80 s on two cores)

.PHONY: lint
lint: $(STAMP) ## lint, types, layers
	$(BIN)/ruff check --quiet . api/assets
	$(BIN)/ruff format --check --quiet . api/assets
	$(BIN)/lint-imports --no-cache
	$(BIN)/basedpyright --warnings

.PHONY: unit
unit: $(STAMP) ## fundamentals and unit tests
	$(BIN)/python -m pytest -q -n 3 --dist loadfile tests/fundamentals tests/unit tests/typing

.PHONY: format
format: $(STAMP) ## format the code
	$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

.PHONY: generate
generate: $(STAMP) ## write CRDs, OpenAPI and the generated docs anew
	$(BIN)/python generate/all.py

.PHONY: verify
verify: $(STAMP) ## fail if anything generated is out of date
	$(BIN)/python generate/all.py --check

.PHONY: test
test: $(STAMP) ## every test, set-up included; needs root on Debian, or Docker and kind, for the cluster tests
	@$(BIN)/python -m tests.run

# In an environment of their own, with a Python that is new enough for Django.
$(DJANGO): $(STAMP) requirements/django.txt client/pyproject.toml tests/newer_python.py
	$(call say,adding an environment with Django)
	@python=$$($(BIN)/python -m tests.newer_python) && "$$python" -m venv --clear $(VENV)/django
	@requirements/install $(VENV)/django/bin/python --require-hashes -r requirements/django.txt
	@requirements/install $(VENV)/django/bin/python --no-deps --no-build-isolation -e client
	@touch $@

.PHONY: django-env django
django-env: $(DJANGO)
django: $(DJANGO) ## test the backend for tasks of Django (needs Python 3.12 or newer)
	@$(VENV)/django/bin/python -m pytest -q tests/django
.PHONY: test-kueue
test-kueue: $(STAMP) ## the tests with a real Kueue, on the cluster; it is built once (some 4 minutes)
	$(DEV) up && $(DEV) images && $(DEV) images kueue
	$(BIN)/python -m pytest -q -s tests/cluster/test_kueue.py

$(PEERS): $(STAMP) requirements/bench.txt
	$(call say,adding the programs that bgjobs is measured beside)
	@requirements/install $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: bench
bench: $(PEERS) ## measure the speed, beside ceilings and other programs (ONLY=store; ARGS="--help")
	@$(BIN)/python -m bench $(ONLY) $(ARGS)

# In an environment of their own: some of what they need is older than what we have.
$(AUDIT): $(STAMP) requirements/audit.txt
	$(call say,adding the programs of the audit)
	@$(PYTHON) -m venv $(VENV)/audit
	@requirements/install $(VENV)/audit/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

.PHONY: audit
audit: $(AUDIT) ## known vulnerabilities of the locked packages, secrets in the tree, helm lint
	@$(BIN)/python -m tests.audit

.PHONY: screenshots
screenshots: $(STAMP) ## take the pictures of the pages for the docs (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

# ----------------------------------------------------------------------------- cluster
.PHONY: cluster-up cluster-down cluster-status images demo kind-up
cluster-up: ## start a real Kubernetes: kind where Docker runs, else on this machine (root)
	$(DEV) up

cluster-down: ## stop it; the machine is left clean
	$(DEV) down

cluster-status: ## is it well?
	$(DEV) status

images: ## build the images and load them into the cluster
	$(DEV) images

kind-up: ## start a kind cluster (needs Docker and kind)
	BGJOBS_DEVCLUSTER=kind $(DEV) up

demo: $(STAMP) ## install on the cluster and play the four cases
	$(BIN)/python examples/demo
