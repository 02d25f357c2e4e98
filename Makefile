# The verbs of this house. Each sets up what it needs, on a machine with Python 3.11+ and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
MARKS  ?= slow or sim or node or anvil or browser or postgres

.PHONY: help setup demo test check marked bench soak lock artifacts clean

help: ## show the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.ready: requirements/dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.ready ## a virtual environment with the locked dependencies

demo: setup ## a street of homes trades a whole day; the audit proves it
	$(BIN)/merit demo

# without compiled files, every worker and every process that a test starts would compile the house anew
test: export PYTHONDONTWRITEBYTECODE =
test: setup ## every test that needs nothing but Python
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

check: setup ## format, lint, types, import rules, artifacts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.artifacts --check
	$(BIN)/python -m app.interface --check

marked: setup ## the tests that need Node, Chromium, anvil, PostgreSQL or the sim extra, and the long ones
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m '$(MARKS)'

bench: setup ## one figure a line, beside its base in the same run
	$(BIN)/python -m bench.clearing
	$(BIN)/python -m bench.tree
	$(BIN)/python -m bench.network
	$(BIN)/python -m bench.preferences
	$(BIN)/python -m bench.merkle
	$(BIN)/python -m bench.growth
	$(BIN)/python -m bench.sessions
	$(BIN)/python -m bench.queries
	$(BIN)/python -m bench.replay
	$(BIN)/python -m bench.authority
	$(BIN)/python -m bench.metering --readings 5000
	$(BIN)/python -m bench.orders --orders 5000
	$(BIN)/python -m bench.chain
	$(BIN)/python -m bench.start

soak: setup ## ten minutes at 80 % of the peak: memory, latency, errors, and docs/soak.svg
	$(BIN)/python -m bench.soak --peak-seconds 91 --svg docs/soak.svg

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--extra dev pyproject.toml requirements/build.in -o requirements/dev.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--extra sim pyproject.toml -o requirements/sim.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		pyproject.toml -o requirements/run.lock

artifacts: setup ## compile the contracts and write contracts/artifacts/
	$(BIN)/python -m contracts.artifacts

clean: ## remove what the verbs made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist merit-demo merit-data
