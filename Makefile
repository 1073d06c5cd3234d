# Every target prepares what it needs: a checkout, Python 3.11 or newer, git and make are enough.

PYTHON ?= python3
MINUTES ?= 10
ARGS ?=

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# Compiled modules are kept: tests start hundreds of interpreters, and each would compile Squall anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo web openapi test check bench soak clean lock format release

IN := .venv/bin/python -m
CODE := src tests bench .ci
# Tests wait more than they work, so there are more processes than processors; what they share: tests/conftest.py.
PARALLEL := -n 6 --dist loadgroup --no-loadscope-reorder --max-worker-restart=0
READY := .venv/.synced

# An environment that was copied here from elsewhere still belongs to that place: make it anew.
ifneq ($(shell cat $(READY) 2>/dev/null),$(shell pwd -P))
.PHONY: $(READY)
endif

$(READY): pyproject.toml uv.lock .ci/bootstrap.py
	@command -v $(PYTHON) >/dev/null || { echo "squall: there is no $(PYTHON); Squall needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) .ci/bootstrap.py

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: $(READY) ## start a server of its own, run an action, watch it print
	@$(IN) squall demo

test: $(READY) ## run all tests; ARGS="-k name" picks some
	@$(PYTHON) .ci/packages.py
	@# While the page is built, the tests are compiled: otherwise each process would do that for itself.
	@$(if $(ARGS),,$(IN) pytest --collect-only >/dev/null 2>&1 &) $(PYTHON) .ci/web.py --if-possible; result=$$?; wait; exit $$result
	@if command -v npm >/dev/null; then npm --prefix web test --silent; fi
	@echo "squall: tests"
	@$(IN) pytest $(PARALLEL) $(ARGS)

web: ## build the web page into web/dist (needs node)
	@$(PYTHON) .ci/web.py

openapi: $(READY) ## write what the API offers to web/openapi.json, for the page's types
	@.venv/bin/python .ci/openapi.py

check: $(READY) ## format, lint, types, architecture
	@echo "squall: format"
	@$(IN) ruff format --quiet --diff $(CODE)
	@echo "squall: lint"
	@$(IN) ruff check --quiet $(CODE)
	@echo "squall: types"
	@MYPYPATH=src:. $(IN) mypy --explicit-package-bases --no-error-summary src tests bench
	@$(PYTHON) .ci/web.py --check
	@echo "squall: architecture"
	@$(IN) pytest tests/unit/test_architecture.py tests/unit/test_page_architecture.py

bench: $(READY) ## measure, beside the floor of this machine; writes bench/results/
	@$(IN) bench $(ARGS)

soak: $(READY) ## run the long tests for MINUTES=n
	@test -d tests/soak || { echo "squall: there are no soak tests yet (tests/soak)" >&2; exit 1; }
	@$(PYTHON) .ci/packages.py
	@SQUALL_EXAMPLES=$$((200 * $(MINUTES))) $(IN) pytest tests/unit -m hypothesis $(ARGS)
	@SQUALL_EXAMPLES=1 $(IN) pytest tests/unit/services/workflow/test_nth_call.py $(ARGS)
	@SQUALL_EXAMPLES=$$((20 * $(MINUTES))) $(IN) pytest tests/api/test_openapi.py $(ARGS)
	@UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --locked --quiet --inexact --group fuzz --no-build-package atheris \
		|| echo "squall: there is no wheel of atheris for this Python and machine"
	@SQUALL_SOAK_MINUTES=$(MINUTES) $(IN) pytest tests/soak tests/scenarios/test_workflow_extremes.py $(ARGS)

release: $(READY) ## join the changelog, tag and build VERSION=n.n.n
	@$(PYTHON) .ci/web.py
	@.venv/bin/python .ci/release.py "$(VERSION)"

format: $(READY) ## put all code into form
	@$(IN) ruff format $(CODE)
	@$(IN) ruff check --fix $(CODE)
	@if [ -x web/node_modules/.bin/biome ]; then npm --prefix web run --silent format; fi

lock: ## bring uv.lock up to date with pyproject.toml; ARGS=--upgrade takes newer versions too
	@$(PYTHON) .ci/bootstrap.py --only-uv
	@.venv/bin/uv lock $(ARGS)
	@$(MAKE) $(READY)

clean: ## remove everything that make has made
	@rm -rf .venv .build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results/*.tmp
	@find . -name __pycache__ -prune -exec rm -rf {} +
