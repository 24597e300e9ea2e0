# Every target sets up what it needs in .venv by itself: Python 3.11 or newer and make are enough to begin with.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all check check-all lint types contracts bench mixed mutants lock changelog dist image clean
MAKEFLAGS += --no-print-directory
# Tests start hundreds of processes: none of them compiles again what the one before has compiled.
unexport PYTHONDONTWRITEBYTECODE

PYTHON_HERE := .venv/bin/python
# tests/conftest.py says how many processes `auto` is.
PYTEST := $(PYTHON_HERE) -m pytest -n auto --dist loadfile --no-loadscope-reorder
BOOTSTRAP := @sh scripts/bootstrap.sh
IMAGE := localhost/bedesten:dev
# ONCE=1 make demo: exit when the last step is done.
DEMO_OPTIONS := $(if $(filter-out 0 no false,$(ONCE)),--once) $(if $(PORT),--port $(PORT))

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: ## one order of a partner and one of a customer through all four surfaces, then goes on serving (ONCE=1: ends)
	$(BOOTSTRAP)
	@$(PYTHON_HERE) -m bedesten demo $(DEMO_OPTIONS)

test: ## the tests to run before each commit (ARGS='tests/gate -x' narrows them down, ARGS=-n0 uses one process)
	$(BOOTSTRAP) dev
	@$(PYTEST) $(if $(findstring tests/,$(ARGS)),,-m "not slow and not external") $(ARGS)

test-all: ## every test: also those that start programs, wait or kill, and those that need proxies, a browser and npm
	$(BOOTSTRAP) dev
	@$(PYTEST) $(ARGS)

check: lint types contracts test ## what must hold before a commit

check-all: lint types contracts test-all ## everything that must hold before a change lands: what CI runs

lint: ## ruff: style and format; codespell; tidy: words, names, sizes, changelog fragments, the lock file
	$(BOOTSTRAP) dev
	@$(PYTHON_HERE) -m ruff check
	@$(PYTHON_HERE) -m ruff format --check
	@.venv/bin/codespell
	@$(PYTHON_HERE) scripts/tidy.py

types: ## mypy --strict
	$(BOOTSTRAP) dev
	@$(PYTHON_HERE) -m mypy

contracts: ## which packages may import which
	$(BOOTSTRAP) dev
	@.venv/bin/lint-imports

bench: ## beside plain FastAPI applications, as ratios (ARGS=--quick: shows that it runs)
	$(BOOTSTRAP) bench
	@$(PYTHON_HERE) -m benchmarks $(ARGS)

mutants: ## defects put into the gate one at a time: would a test notice? (about an hour; ARGS=decide: one module)
	$(BOOTSTRAP) dev
	@.venv/bin/mutmut run $(foreach module,$(ARGS),"bedesten.*.$(module).*")
	@$(PYTHON_HERE) scripts/mutation_scores.py --write

mixed: ## 10,000 operations of every kind by 16 clients while the server is killed, on both engines (ARGS=-k sqlite)
	$(BOOTSTRAP) dev
	@BEDESTEN_TEST_OPERATIONS=$(or $(OPERATIONS),10000) $(PYTHON_HERE) -m pytest -n0 -q tests/crash/test_mixed.py $(ARGS)

lock: ## resolve requirements.lock again, with hashes, from constraints.txt and both pyproject.toml
	$(BOOTSTRAP) dev
	@$(PYTHON_HERE) scripts/lock.py

changelog: ## print what the next release says, from the fragments in changelog.d (VERSION=0.2.0)
	$(BOOTSTRAP) dev
	@.venv/bin/towncrier build --draft --version $(or $(VERSION),next)

dist: ## build sdists and wheels of both distributions, install them into an empty environment and run them there
	$(BOOTSTRAP) dev
	@sh scripts/dist.sh

image: ## build the container image with buildah, and run its tests with podman (BASE=debootstrap: where none can be pulled)
	$(BOOTSTRAP) dev
	@BASE="$(BASE)" LOCK="$(LOCK)" sh scripts/image.sh $(IMAGE)
	@BEDESTEN_TEST_IMAGE=$(IMAGE) $(PYTHON_HERE) -m pytest -n0 tests/docs/test_image.py $(ARGS)

clean: ## remove .venv, dist and what tools left behind
	@rm -rf .venv dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis mutants .pytest_cache
