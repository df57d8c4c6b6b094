# `make help` lists the targets. Everything runs in .venv, which tools/bootstrap.sh makes on the first call.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PY := .venv/bin/python
BIN := .venv/bin
STACK := $(PY) -m tools.local_stack
PYTEST := $(PY) -m pytest
TEST_OPTIONS ?=
SHELL_SCRIPTS := tools/bootstrap.sh .ci/run tests/deploy/images/*.sh deploy/monitoring/alertmanager/start.sh
YAML_RULES := {extends: default, rules: {document-start: disable, line-length: {max: 140}, \
  braces: {max-spaces-inside: 1}, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}

# of `make up`, of `make run` and of `make sql`; texts of people, in which make must not look for variables of its own
TEXTS := FILE MODE CONF SQL
$(foreach name,$(TEXTS),$(if $(filter undefined,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))))
export SCHEDULE $(TEXTS)
# of `make chaos`
N ?= 200
export SEED
# of the bootstrap: the interpreter to use
export PYTHON

# a mistyped variable must not start a run with the defaults
KNOWN := CONF FILE MODE N ONLY PYTHON QUICK REPEAT SCHEDULE SEED SQL TEST_OPTIONS
UNKNOWN := $(filter-out $(KNOWN),$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable $(strip $(UNKNOWN)): the known ones are $(KNOWN), in capitals)
endif

.PHONY: help bootstrap demo up down status logs sql run test test-sql test-integration test-browser test-deploy test-aws test-kubernetes secrets chaos chaos-long bench \
  check format lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

bootstrap: ## Install what is missing (every target does this first)
	@tools/bootstrap.sh

demo: bootstrap ## Start everything, run the DAG once, show the result
	@$(STACK) demo

up: bootstrap ## Start the stack (SCHEDULE=1: with the DAGs' schedules)
	@$(STACK) up

down: bootstrap ## Stop the stack; the data in .local stays
	@$(STACK) down

status: bootstrap ## Show the health of every part
	@$(STACK) status

logs: bootstrap ## Follow the logs of every part
	@$(STACK) logs

sql: bootstrap ## Open the stack's database in a MySQL client (SQL= runs one text)
	@$(STACK) sql

run: bootstrap ## Trigger one run and wait (FILE= CSV or CSV.gz, MODE=, CONF= JSON params)
	@$(STACK) run

# without Prometheus and Alertmanager the tests of the alerts would be skipped
test test-integration: export HUBSPOT_SYNC_PROMETHEUS ?= wanted
test: bootstrap ## Run every fast test (TEST_OPTIONS= for pytest)
	@$(PYTEST) -m "not performance and not chaos and not deploy and not browser" tests $(TEST_OPTIONS)

test-sql: bootstrap ## Run the tests of the SQL files only
	@$(PYTEST) -m sql tests $(TEST_OPTIONS)

test-integration: bootstrap ## Run the integration tests only
	@$(PYTEST) -m integration tests $(TEST_OPTIONS)

test-browser: bootstrap ## Run the tests of the page in Chromium inside the real Airflow UI (installs Chromium)
	@tools/bootstrap.sh browser
	@$(PYTEST) -m browser tests/browser $(TEST_OPTIONS)

test-deploy: bootstrap ## Build, start and use docker-compose.yaml on a Docker engine
	@$(PYTEST) -m deploy tests/deploy $(TEST_OPTIONS)

test-aws: bootstrap ## Check deploy/aws with checkov; apply it on an AWS emulator where terraform is installed
	@tools/bootstrap.sh checkov
	@$(PYTEST) -m deploy tests/deploy_aws $(TEST_OPTIONS)

test-kubernetes: bootstrap ## Check deploy/kubernetes with checkov and the schemas of Kubernetes; with kubectl where it is installed
	@tools/bootstrap.sh checkov
	@$(PYTEST) -m deploy tests/deploy_kubernetes $(TEST_OPTIONS)

secrets: ## Write .env with new passwords and keys for docker-compose.yaml
	@python3 -m tools.compose.secret_file

chaos-long: bootstrap ## 20,000 random sequences, the model's large scenarios, Airflow's failures, long outages
	@HUBSPOT_SYNC_SEQUENCES=long $(PYTEST) -m "sql or chaos" tests/chaos tests/unit/engine/test_delivery_model.py $(TEST_OPTIONS)

chaos: bootstrap ## Break things N=200 times, check every promise, write chaos/results.json (SEED= repeats a run)
	@$(PY) -m tools.chaos $(N)

bench: bootstrap ## Measure the product and other ways, write bench/results.json (QUICK=1, ONLY="case …", REPEAT=3)
	@$(PY) -m tools.bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(REPEAT),--repeat $(REPEAT))

check: bootstrap ## Lint, types, import rules, SQL lint, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --recursive --severity-level medium include dags plugins
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar include/sql
	$(BIN)/codespell $$(git ls-files -co --exclude-standard -- ':!*.lock' ':!*.csv')
	$(BIN)/yamllint --strict -d '$(YAML_RULES)' $$(git ls-files -co --exclude-standard -- '*.yaml' '*.yml')
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

format: bootstrap ## Format the code and repair what lint can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: bootstrap ## Compile both lock files anew from the requirements
	@tools/bootstrap.sh lock

clean: ## Stop the stack, then remove its data, the environment and all caches
	@if [ -x $(PY) ]; then $(STACK) down; fi
	rm -rf .local .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
