# FlowKit's commands. `make` alone lists them. Every target sets itself up from python3 ≥ 3.11 and its venv module.

PYTHON ?= python3
VENV ?= .venv
OUT ?= ./demo-film
ARGS ?=

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := "$(BIN)/python" -m
QUICK := not crash and not media and not e2e and not node and not browser
PYTEST := $(RUN) pytest -q --no-header

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-browser test test-slow test-all test-crash test-media test-browser chaos check format tool-table skill-errors mcpb wheel setup clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  PYTHON=python3.12 chooses the Python, ARGS="-k word" goes to pytest or the demo.\n'

demo: setup ## Make a three-scene film with the local simulator (no account, no credits): OUT=./demo-film
	@"$(BIN)/flowkit-mcp" demo --out "$(OUT)" $(ARGS)

demo-browser: setup ## The same through a real Chromium with the extension: ARGS="--headless --lane labs"
	@"$(BIN)/flowkit-mcp" demo --browser --out "$(OUT)" $(ARGS)

test: setup ## The quick suite: no network, no ffprobe, no Node, no browser
	@$(PYTEST) -n auto -m "$(QUICK)" $(ARGS)

test-slow: setup ## The rest: kills, real encodes, the whole program, Node, Chromium
	@$(PYTEST) -n auto --dist loadfile --no-loadscope-reorder -m "not ($(QUICK))" $(ARGS)

test-all: test test-slow ## Both

test-crash: setup ## Only the tests that kill real processes; the last line but one says how often, and what it cost
	@$(PYTEST) -n auto --dist loadfile --no-loadscope-reorder -m crash $(ARGS)

test-media: setup ## Only the tests of clips and films; FLOWKIT_FFMPEG=… runs them with another ffmpeg
	@$(PYTEST) -n auto --dist loadfile tests/media $(ARGS)

test-browser: setup ## Only the tests in a real Chromium with the extension
	@$(PYTEST) -m browser $(ARGS)

chaos: setup ## 300 jobs in each lane of a Flow where all goes wrong: ARGS="--seed 7 --jobs 300 -k labs"
	@$(PYTEST) tests/chaos -rA $(ARGS)

check: setup ## Lint, formatting and types
	@$(RUN) ruff check --quiet .
	@$(RUN) ruff format --check --quiet . || { echo "not formatted: run make format"; exit 1; }
	@$(RUN) pyright --pythonpath "$(BIN)/python" --warnings

format: setup ## Mend what ruff can mend
	@$(RUN) ruff check --quiet --fix .
	@$(RUN) ruff format .

wheel: setup ## Build the wheel and the source package into dist/
	@$(RUN) hatchling build

mcpb: setup ## Build and validate the bundle for Claude Desktop into dist/ (needs npm)
	@"$(BIN)/python" scripts/mcpb.py

tool-table: setup ## Write the generated table of tools into README.md
	@"$(BIN)/python" scripts/tool_table.py

skill-errors: setup ## Write the generated error catalogue of the skill flowkit-doctor
	@"$(BIN)/python" scripts/skill_errors.py

setup: # the environment; says nothing and takes no time when it is already right
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is missing: sudo apt-get install python3 python3-venv"; exit 1; }
	@"$(PYTHON)" scripts/prepare.py "$(VENV)"

clean: ## Remove the environment, caches and build results (never a film)
	@rm -rf "$(VENV)" build dist .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
