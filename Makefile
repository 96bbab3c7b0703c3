# Everything here works on a machine that has only make and Python 3.11 or newer with venv.
PYTHON ?= python3
LAUNCH := .venv/bin/python -B -m launcher
RUNTIME := .venv/.installed
TOOLS := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test bench limits soak lint sure shell manage clean
.NOTPARALLEL:

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
	  printf '  make %-8s %s\n' "$$target" "$$text"; done

run: $(RUNTIME) ## start the demo on this machine: database, portal, worker; PORT=8080 for another port
	@exec $(LAUNCH) run

test: $(TOOLS) ## run the tests, in two processes; T="tests/vault -x" for some of them, in one
	@exec $(LAUNCH) test $(T)

bench: $(RUNTIME) ## measure the gateway beside a bare proxy, some minutes; B=--short for one
	@exec .venv/bin/python -B -m benchmarks.gateway $(B)

limits: $(RUNTIME) ## what one process bears: make limits L=streams, kills, connections, rows or processes
	@exec .venv/bin/python -B -m benchmarks.limits $(L)

soak: $(TOOLS) ## try to lose a grant: faults, kills, restarts, a quarter of an hour; S=--short for a minute
	@exec .venv/bin/python -B -m tests.soak $(S)

lint: $(TOOLS) ## check style, formatting and the layers of imports
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/lint-imports --no-cache --no-logo

sure: lint ## everything that CI checks on this machine: lint, migrations, deployment settings, tests
	@$(LAUNCH) check
	@exec $(LAUNCH) test

shell: $(RUNTIME) ## a Django shell on the demo's database
	@exec $(LAUNCH) exec -- python manage.py shell

manage: $(RUNTIME) ## a management command on the demo's database: make manage c="create_owner"
	@exec $(LAUNCH) exec -- python manage.py $(c)

clean: ## remove .venv, caches and test databases; the demo's data in var/ stays
	@rm -rf .venv var/test var/test-[0-9] staticfiles .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +

$(RUNTIME): requirements.txt
	@$(call need_python)
	@$(PYTHON) -B -m launcher.venv $< $@

$(TOOLS): requirements-dev.txt requirements.txt
	@$(call need_python)
	@$(PYTHON) -B -m launcher.venv $< $(RUNTIME) $(TOOLS)

need_python = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo 'Gatehouse needs Python 3.11 or newer, and $(PYTHON) is not. \
	Install one, and name it if it is not python3: make run PYTHON=python3.12' >&2; exit 2; }
