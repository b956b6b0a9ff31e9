# The menu. `make` shows it.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
# The oldest supported Python that is there: what runs on it runs on the newer ones.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$name; break; }; done)
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
# Where tests look for PostgreSQL. Absent: a visible skip here, a failure with CI=true.
POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres
BREAK ?=
# Where a running sandbox answers, for its pictures.
URL ?= http://127.0.0.1:8000
ARGS ?=
# Into how many processes the tests of the CI are shared out; each has a database of its own.
WORKERS ?= 2
CI_PARTS := ci-look test ci-postgres
SHARED := -n $(WORKERS) --dist loadgroup
# Tests that draw examples (tests/examples.py).
LONG := tests/content/test_compile_once.py tests/engine/test_annual_dates.py tests/engine/test_files.py \
	tests/engine/test_state_machine.py tests/policy/test_consent.py tests/policy/test_windows.py

.PHONY: help sandbox sandbox-production demo test test-sqlite test-localize test-postgres test-postgres-only test-long \
	lint format messages docs screenshots ci ci-parts ci-look ci-postgres test-next storm clean

help: ## Show this menu
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

# ── Running ──────────────────────────────────────────────────────────────────────────────────────

sandbox: $(VENV)/.installed-sandbox ## Run the shop with everything: SQLite, no server to install
	@$(PY) -m sandbox.run

sandbox-production: $(VENV)/.installed-production ## The same on PostgreSQL and Redis (DATABASE_URL, REDIS_URL)
	@$(PY) -m sandbox.run --production

demo: $(VENV)/.installed-sandbox ## Play the main job without a person (BREAK=order|consent|smtp breaks it)
	@$(PY) -m sandbox.demo $(if $(BREAK),BREAK=$(BREAK))

# ── Checking ─────────────────────────────────────────────────────────────────────────────────────

test: test-postgres-only test-sqlite test-localize ## Run the tests: PostgreSQL's own, then all on SQLite (ARGS=…)

# Exit code 5: ARGS names tests of which none is of this kind.
test-sqlite: $(VENV)/.installed-dev
	@echo "── on SQLite ──"
	@env -u TEST_DATABASE_URL $(PYTEST) $(SHARED) -m "not (postgres or storm or alone or localize)" $(ARGS) || [ $$? -eq 5 ]
	@echo "── storms, races and measurements on SQLite, one after another ──"
	@env -u TEST_DATABASE_URL $(PYTEST) -m "(storm or alone) and not postgres" $(ARGS) || [ $$? -eq 5 ]

test-postgres-only: $(VENV)/.installed-dev
	@echo "── on PostgreSQL, what only it can show ──"
	@TEST_DATABASE_URL=$${TEST_DATABASE_URL:-$(POSTGRES_URL)} $(PYTEST) -m postgres $(ARGS) || [ $$? -eq 5 ]

test-localize: $(VENV)/.installed-dev ## Run what a shop with wagtail-localize gets
	@echo "── with wagtail-localize ──"
	@env -u TEST_DATABASE_URL WITH_LOCALIZE=1 $(PYTEST) -m localize $(or $(ARGS),tests/localize) || [ $$? -eq 5 ]

test-postgres: $(VENV)/.installed-dev ## Run all tests but the browser's on PostgreSQL
	@echo "── on PostgreSQL ──"
	@TEST_DATABASE_URL=$${TEST_DATABASE_URL:-$(POSTGRES_URL)} $(PYTEST) \
		-m "postgres or not (browser or slow or localize)" $(ARGS)

test-long: $(VENV)/.installed-dev ## Draw all examples of the tests that draw some; CI draws a tenth
	@TEST_LONG=1 $(PYTEST) $(LONG) $(ARGS)

lint: $(VENV)/.installed-dev ## ruff, mypy, import contracts, missing migrations
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run

format: $(VENV)/.installed-dev ## Let ruff put the code in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

messages: $(VENV)/.installed-dev ## Gather texts into locale/*/*.po and compile them (needs GNU gettext)
	@for tool in xgettext msgmerge msgfmt; do command -v $$tool >/dev/null || { \
		echo "GNU gettext is needed ($$tool is missing): apt-get install gettext, or brew install gettext." >&2; \
		echo "Without it, leave the texts of locale/ to someone who has it, and say so in your change." >&2; \
		exit 1; }; done
	@for package in oscar_triggers wagtail_triggers; do (cd $$package && \
		$(abspath $(PY)) -m django makemessages --all --no-location --no-obsolete && \
		$(abspath $(PY)) -m django compilemessages) || exit 1; done
	@for file in {oscar,wagtail}_triggers/locale/*/LC_MESSAGES/django.po; do \
		printf '%s: ' $$file; msgfmt --statistics -o /dev/null $$file 2>&1; done

docs: $(VENV)/.installed-dev ## Build the documentation; every warning is an error
	$(PY) -m sphinx -n -W --keep-going -b html docs docs/_build/html

screenshots: $(VENV)/.installed-dev ## Take the pictures of the docs from a running sandbox (URL=http://127.0.0.1:8000)
	$(PY) docs/screenshots.py $(URL)

test-next: ## Run what depends on Django on Python 3.13 with the newest Django
	@CI=$(CI) bash sandbox/test_next.sh

storm: $(VENV)/.installed-dev ## Kill everything in full; writes docs/trust.md (ARGS="--only kills")
	@$(PY) -m tests.storm.full $(ARGS)

ci: $(CI_PARTS) ## Everything, as the CI runs it

# Side by side: one waits for the disk while the other works.
ci-look: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint docs

# Both far corners at once: what passed on SQLite with the oldest Python and Django runs on
# PostgreSQL with the newest. What asks no database, and the browser, ends the same; what is
# PostgreSQL's own ran with the tests.
ci-postgres:
	@echo "── the rest on PostgreSQL, with the newest Python and Django ──"
	@CI=$(CI) WORKERS=$(WORKERS) TEST_DATABASE_URL=$${TEST_DATABASE_URL:-$(POSTGRES_URL)} bash sandbox/test_next.sh $(ARGS)

ci-parts:
	@echo $(CI_PARTS)

clean: ## Remove the sandbox's data and what the tools left (not the virtual environments)
	rm -rf sandbox/var docs/_build dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# ── Installing ───────────────────────────────────────────────────────────────────────────────────

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed: install it, or say where it is: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-sandbox: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the shop (a minute or two, once) …"
	@$(PY) -m pip install --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(VENV)/.installed-production: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the shop with PostgreSQL and Redis (a minute or two, once) …"
	@$(PY) -m pip install --disable-pip-version-check -e '.[sandbox,redis,postgres]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the shop and the tools (a minute or two, once) …"
	@$(PY) -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed-sandbox $(VENV)/.installed-production
