# Hopline's front door: `make` lists what it does. All it needs is Python 3.11+; all it installs is in .venv.
#
#   make serve ARGS="--port 9000"      flags for `hopline serve`; HOPLINE_PORT=9000 make serve does the same
#   make test TESTARGS="-k cache -x"   arguments for pytest
#   make test PYTHON=/opt/python3.13   the Python that .venv is made with, when there is none yet

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STARTED := $(or $(firstword $(MAKECMDGOALS)),serve)

.DEFAULT_GOAL := help
.PHONY: help serve test check generate bench soak docs clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
	    printf '  make %-9s %s\n' "$$name" "$$text"; \
	done

serve: $(VENV)/.serve ## install what is needed, and run the link shortener on http://127.0.0.1:8080
	@$(BIN)/hopline serve $(ARGS)

test: $(VENV)/.dev ## install what is needed, and run all tests
	@$(BIN)/python -m pytest -m "not soak" $(TESTARGS)

check: $(VENV)/.dev ## lint, formatting, types, and that generated files are what their sources make
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python tools/unasync.py --check

generate: $(VENV)/.made ## write the generated files anew (the _sync/ twins)
	@$(BIN)/python tools/unasync.py

bench: $(VENV)/.dev ## run the benchmarks against their peers; results go to benchmarks/results
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.dev ## run the long fault runs and soaks (hours)
	@$(BIN)/python -m pytest -m soak --timeout=0 $(TESTARGS)

docs: $(VENV)/.dev ## run every example in README and docs
	@$(BIN)/python -m pytest tests/test_docs.py $(TESTARGS)

clean: ## remove .venv, caches and everything else that was built
	@rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Files that say what was installed when; older than pyproject.toml, they are made again.

$(VENV)/.serve: pyproject.toml $(VENV)/.made
	@if [ ! $(VENV)/.dev -nt pyproject.toml ]; then \
	    echo "installing what the server needs into $(VENV) (once; about half a minute)"; \
	    $(PIP) -e ".[shortener]"; \
	fi
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.made
	@echo "installing what the tests need into $(VENV) (once; about a minute, 400 MB)"
	@$(PIP) -e ".[dev]"
	@touch $@

# A .venv that works is kept, whoever made it.
$(VENV)/.made:
	@if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    for python in $(PYTHONS); do \
	        "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	        python=; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "hopline needs Python 3.11 or later, and $(PYTHONS) is not it; install one," >&2; \
	        echo "or say where it is: make $(STARTED) PYTHON=/path/to/python3" >&2; \
	        exit 1; \
	    fi; \
	    echo "making $(VENV) with $$("$$python" --version)"; \
	    if ! "$$python" -m venv $(VENV); then \
	        rm -rf $(VENV); \
	        echo "this Python can't make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	fi
	@touch $@
