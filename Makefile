# Every target first makes its own environment in .venv; nothing else need be installed
# but Python 3.11 or later. `uv` is used where there is one.

PYTHON ?= python3
BIN := .venv/bin
MADE := .venv/.made

.DEFAULT_GOAL := help
.PHONY: help demo test check crossings crossings-live versions fuzz kills bench picture

help:
	@echo "make demo      a real vLLM on this machine, traffic, and the screen on it"
	@echo "make test      all tests; makes the engine environment first"
	@echo "make check     formatting, lint, types and layers"
	@echo "make crossings every act beside every fault in its midst: docs/crossings.md, 20 minutes"
	@echo "make crossings-live the same for swaps on a real engine, an hour; ARGS='-k overlap' a part"
	@echo "make versions [V]... what can be done on these versions of vLLM: docs/versions.md, 10 minutes each"
	@echo "make fuzz      hostile requests and answers on the private sockets, ten minutes each"
	@echo "make kills     300 recorders killed at random moments, and what their ledger is worth"
	@echo "make bench     what trimtab costs, measured beside the aims"
	@echo "make picture   docs/screen.svg, from the program and the demo's ledger"

$(MADE): pyproject.toml
	@echo "making .venv" >&2
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
	  uv pip install --quiet --python $(BIN)/python -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@touch $@

demo: $(MADE)
	@$(BIN)/trimtab demo $(ARGS)

test: $(MADE)
	@$(BIN)/trimtab provision
	@$(BIN)/python -m pytest $(ARGS)

check: $(MADE)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

crossings: $(MADE)
	@$(BIN)/python -m pytest tests/crossings/test_crossings.py -m "wide or not wide" -n 2 --verbose \
	  --table docs/crossings.md $(ARGS)

crossings-live: $(MADE)
	@$(BIN)/trimtab provision
	@$(BIN)/python -m pytest tests/crossings/live -m wide --verbose \
	  --table docs/crossings.md $(ARGS)

# The words behind `versions` are no targets but versions of vLLM.
ifeq ($(firstword $(MAKECMDGOALS)),versions)
  V ?= $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
  $(if $(V),$(eval $(V):;@:))
endif

versions: $(MADE)
	@$(BIN)/python -m tests.engine.versions $(V)

fuzz: $(MADE)
	@$(BIN)/python -m tests.fuzz $(ARGS)

kills: $(MADE)
	@$(BIN)/python -m tests.kills $(ARGS)

bench: $(MADE)
	@$(BIN)/trimtab provision
	@$(BIN)/python -m tests.bench $(ARGS)

picture: $(MADE)
	@$(BIN)/python -m app.demo.picture docs/screen.svg $(ARGS)
