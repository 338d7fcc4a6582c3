# The entry points. CI calls only these.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Each worker starts servers of its own; who is done takes tests from the others. How many: tests/conftest.py.
PARALLEL := -n auto --dist=worksteal

# Some images set it: then each of the thousand processes that tests start compiles all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo docs screenshots test quick pythons check fix release bench campaign soak scale model clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

HIT := build_hit.py $(wildcard src/gatepost/compiled/*.[ch])

.venv/demo: pyproject.toml constraints.txt $(HIT)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing gatepost and what its demo needs into .venv …" >&2
	@$(PIP) install -c constraints.txt -e '.[demo]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing gatepost, its extras and its test tools into .venv (a minute or so) …" >&2
	@$(PIP) install 'pip>=25.1'
	@$(PIP) install -c constraints.txt -e '.[all]' --group dev
	@$(PIP) install -c constraints.txt --no-deps openapi-python-client  # it says that it needs an older typer; it does not
	@touch $@ .venv/demo .venv/hit

.venv/hit: .venv/dev $(HIT)
	@$(BIN)/python build_hit.py
	@touch $@

demo: .venv/demo ## run the demo: an asset store behind gatepost, on SQLite
	@$(BIN)/gatepost demo $(ARGS)

docs: .venv/dev ## the documentation as a site, in build/site
	@$(BIN)/python -m zensical build --strict $(ARGS)

screenshots: .venv/dev ## the pictures of the page that README and docs show, taken anew with Chromium
	@$(BIN)/python -m tests.pages.screenshots $(ARGS)

test: check ## every check, then every test, on real servers; without ARGS also the core on this machine's other Pythons
	@$(BIN)/pytest $(or $(ARGS),$(PARALLEL) --durations=20)
	@$(if $(ARGS),,$(BIN)/python -m tests.pythons)

quick: .venv/hit ## the checks, and the tests that need no server: below a minute
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -q $(PARALLEL) tests/pure $(ARGS)

pythons: .venv/hit ## the tests' core on every other CPython of this machine, from 3.11 up
	@$(BIN)/python -m tests.pythons $(ARGS)

check: .venv/hit ## format, lint, types, rooms
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m tests.rooms

fix: .venv/dev ## format and mend what can be mended
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

release: .venv/dev ## wheel and sdist, into dist/, each tried in a clean environment of every Python found
	@$(BIN)/python -m tests.release

bench: .venv/hit ## the benchmarks, against what people would use instead: ARGS=--quick for a first look, ARGS=--list
	@$(BIN)/python -m benchmarks $(ARGS)

campaign: .venv/hit ## revocation and limits on real processes that fail: faults, topologies, limits, latency, bulk, polling
	@$(BIN)/python -m tests.campaign $(ARGS)

soak: .venv/hit ## the simulation, on new seeds, for SECONDS=600
	@$(BIN)/python -m tests.simulation --seconds $(or $(SECONDS),600)

scale: .venv/dev ## sites of up to a thousand workers, simulated: what their database has to do; ARGS="--workers 200"
	@$(BIN)/python -m tests.simulation.scale $(ARGS)

model: ## the model of the rule of freshness, with Spin: the protocol, and each rule left out
	@$(PYTHON) docs/model/check.py $(ARGS)

clean: ## remove what was installed and made
	rm -rf src/gatepost/compiled/*.so .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
