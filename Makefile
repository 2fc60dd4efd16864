.DEFAULT_GOAL := help
.PHONY: help venv influxd test test-servers lint format docs pictures bridges sizing bench lock clean

SETUP := tools/setup_venv requirements-dev.txt
PYTHON := .venv/bin/python -P
PYTEST_ARGS ?=
BENCH_PATH := services:benchmarks:tests/support
PYTHON_DIRS := services tests tools $(wildcard benchmarks)
UV_COMPILE := $(PYTHON) -m uv pip compile pyproject.toml --quiet --universal --generate-hashes \
	--python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

venv: ## Makes .venv with the development packages, if it is not current
	@$(SETUP)

test: venv $(if $(filter true,$(CI)),test-servers) influxd ## Runs the tests (PYTEST_ARGS="..." for pytest)
	@$(PYTHON) -m pytest -n auto --dist=worksteal $(PYTEST_ARGS)

test-servers: ## Gets the servers that tests run against: redis-server, and InfluxDB built once
	@tools/install_servers
	@tools/influxd/build >/dev/null

# Where the tools to build it are there; without it, the tests that need it are skipped.
influxd:
	@if command -v go >/dev/null && command -v cargo >/dev/null; then tools/influxd/build >/dev/null || [ -z "$$REQUIRE_REAL_SERVERS" ]; fi

lint: venv ## Checks style, format and types
	@$(PYTHON) -m ruff check $(PYTHON_DIRS)
	@$(PYTHON) -m ruff format --check $(PYTHON_DIRS)
	@$(PYTHON) -m mypy

format: venv ## Formats the code and applies the safe fixes
	@$(PYTHON) -m ruff check --fix $(PYTHON_DIRS)
	@$(PYTHON) -m ruff format $(PYTHON_DIRS)

docs: venv ## Writes docs/flags.md from the flags, and docs/exchanges.md from what is known of exchanges
	@$(PYTHON) -c "from candle_ingestor.commands.help import flags_page; print(flags_page(), end='')" > docs/flags.md
	@$(PYTHON) tools/exchanges_page.py

pictures: venv ## Makes the README's pictures from runs of the demo
	@$(PYTHON) tools/pictures.py
	@PYTHONPATH=tests/support $(PYTHON) tools/page_pictures.py
	@$(PYTHON) tools/example_picture.py

bridges: venv ## Reads what export wrote with freqtrade and NautilusTrader themselves (900 MB, minutes)
	@tools/bridges/make_environments
	@$(PYTHON) -m pytest -n 0 -m bridges tests/bridges

sizing: venv influxd ## Measures the figures of docs/sizing.md, about five minutes, and writes them
	@PYTHONPATH=$(BENCH_PATH) $(PYTHON) benchmarks/sizing.py

# Each goes on after one that missed a bound; what `make` answers is whether all kept theirs.
bench: venv influxd ## Runs the benchmarks, about ten minutes; fails when a figure misses its bound
	@missed=; for script in benchmarks/bench_*.py; do \
		echo "== $$script"; PYTHONPATH=$(BENCH_PATH) $(PYTHON) $$script || missed="$$missed $$script"; done; \
		if [ -n "$$missed" ]; then echo "missed a bound or could not be run:$$missed"; exit 1; fi

lock: venv ## Writes both locks from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(UV_COMPILE) -o requirements.txt
	@$(UV_COMPILE) --group dev -c requirements.txt -o requirements-dev.txt

clean: ## Removes .venv, caches and build artefacts; data/ stays
	@rm -rf .bridges .venv .venv.lock .venv-setup.log build dist .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis services/*.egg-info
	@find services tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || :
