# `make demo` and `make test` need Python 3.11 or 3.12 and nothing else: the first of them makes .venv and installs into it.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format type docs docs-check examples clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv and install the package and its tools (the other targets do it when needed)

demo: $(INSTALLED) ## record, clone, refine, evaluate, compare: results in out/demo
	$(BIN)/sb3-delta-waypoint demo --out out/demo

test: $(INSTALLED) ## run the tests, in two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations 20

lint: $(INSTALLED) ## style, and that imports run one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(INSTALLED) ## rewrite the code in the style that lint checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(INSTALLED) ## check types
	$(BIN)/mypy

docs: $(INSTALLED) ## build the documentation, strictly, into out/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-check: $(INSTALLED) ## run the code of README.md and docs/, check its commands and links
	$(BIN)/python docs/run_code_blocks.py

examples: $(INSTALLED) ## run examples/
	for example in examples/*.py; do echo "$$example" && OMP_NUM_THREADS=1 $(BIN)/python "$$example" || exit 1; done

clean: ## remove .venv and everything built, not out/ and logs/
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an install that was interrupted is taken up again.
$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' 2>/dev/null || { \
		echo "This package needs Python 3.11 or 3.12, and PYTHON=$(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name one that is: make PYTHON=python3.12 test" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[zoo,carla,dev,docs]'
	@touch $@
