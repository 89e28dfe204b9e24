# GridTrader: `make run` starts everything, `make test` proves it. Needs Python 3.11, git and make.

VENV := .venv
BIN := $(VENV)/bin
# The locked files are complete, so nothing is resolved. pip would compile on one core, and every
# generated class of plotly; without any bytecode each of our eight processes would compile anew.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/plotly/(validators|graph_objs)/|/tests?/' $(VENV)/lib
PYTHON := $(shell for each in python3.11 python3 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	&& echo $$each && break; done)

# Each of our processes would compile all that we wrote anew if none might keep the result.
unexport PYTHONDONTWRITEBYTECODE

# An install is done once for each content of a requirements file.
sum = $(firstword $(shell cksum < $(1)))
RUNTIME := $(VENV)/.runtime-$(call sum,requirements.txt)
DEV := $(VENV)/.dev-$(call sum,requirements-dev.txt)

# Test processes, each with its own PostgreSQL and Redis. Tests wait more than they compute.
PROCESSES ?= 3
SPREAD := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

FIND_CHROMIUM := { command -v chromium || command -v chromium-browser || command -v google-chrome; }

.PHONY: acceptance schema help nightly run shots plotly test test-all test-timescale faults bench lint lock browser
.DEFAULT_GOAL := help

help:
	@echo "make run    start GridTrader in paper mode on http://127.0.0.1:8000"
	@echo "make test   run the whole suite; ARGS=\"-k words\" chooses tests"
	@echo "make test-timescale   the storage tests on a real TimescaleDB, built on the spot"
	@echo "make faults 500 random fault runs, with figures; ARGS=\"--runs 50 --seed 7 --verbose\""
	@echo "make nightly a grid's life at random to a million steps, with figures; ARGS=\"--minutes 10\""
	@echo "make schema calls the API in every way that its document allows and forbids"
	@echo "make bench  one JSON line per benchmark; ARGS=\"candles\" chooses"
	@echo "make acceptance   27 checks of the pages in a browser, with figures; SOAK_MINUTES=60"
	@echo "make shots  a picture of every page, into var/shots"
	@echo "make plotly build the charts' bundle anew (docs/charts.md)"
	@echo "make test-all   the slow tests too: outages, deaths, foreign clients, random faults; five times the examples"
	@echo "make lint   ruff (its security rules too), mypy, known vulnerabilities"
	@echo "make lock   choose versions anew from requirements*.in"

run: $(RUNTIME)
	@exec $(BIN)/python manage.py up

test: $(DEV) browser
	@CHROMIUM="$${CHROMIUM:-$$($(FIND_CHROMIUM) || echo /usr/bin/chromium)}" \
	exec $(BIN)/python -m pytest $(SPREAD) $(ARGS)

test-all:
	@GRIDTRADER_THOROUGH=1 $(MAKE) --no-print-directory test ARGS="-m '' $(ARGS)"

# What is stored as time series; tests/timescale/build.sh makes the server once (about 30 s).
test-timescale: $(DEV)
	@server=$$(tests/timescale/build.sh $(VENV)) && TIMESCALE_SERVER="$$server" \
	exec $(BIN)/python -m pytest -m '' tests/market tests/test_postgresql.py $(ARGS)

# Two bots, five simulated minutes, whatever can go wrong; seeds that failed are printed.
faults: $(DEV)
	@exec $(BIN)/python -m tests.faults --jobs 2 $(ARGS)

# Prices, part fills, lost news, restarts, edits, pauses, gates, trailing: what must hold, holds.
nightly: $(DEV)
	@exec $(BIN)/python -m tests.grid $(ARGS)

# Everything that the API's document allows and forbids, as each role, against a live server.
schema: $(DEV)
	@exec $(BIN)/python -m pytest -n0 -m slow tests/schema $(ARGS)

bench: $(DEV)
	@exec $(BIN)/python -m bench $(ARGS)

# The acceptance checks of the pages by number, with what was measured; also into var/acceptance.md.
# Figures want a quiet machine. SOAK_MINUTES=60 is the whole soak.
acceptance: $(DEV) browser
	@CHROMIUM="$${CHROMIUM:-$$($(FIND_CHROMIUM) || echo /usr/bin/chromium)}" \
	exec $(BIN)/python -m pytest -n0 -p tests.acceptance.checks -m '' \
		tests/acceptance $(ARGS)

# Every page in light, dark and on a phone, into var/shots.
shots: $(DEV) browser
	@CHROMIUM="$${CHROMIUM:-$$($(FIND_CHROMIUM) || echo /usr/bin/chromium)}" \
	exec $(BIN)/python -m pytest -n0 -m '' tests/browser/test_shots.py $(ARGS)

# The charts' bundle anew (docs/charts.md); needs Node and npm.
plotly:
	@vendoring/plotly/build.sh

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@.ci/audit $(VENV)

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed: neither python3.11 nor python3 is one" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): | $(BIN)/pip
	@echo "installing requirements.txt"
	@$(PIP) -r requirements.txt
	@$(COMPILE)
	@touch $@

$(DEV): | $(BIN)/pip
	@echo "installing requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@$(COMPILE)
	@touch $@ $(RUNTIME)

# Browser tests use the Chromium they find. Only root on Debian can be helped to one.
browser:
	@$(FIND_CHROMIUM) >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; then \
			echo "installing Debian's chromium"; \
			{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends chromium >/dev/null; } \
			|| echo "chromium could not be installed: browser tests are skipped"; \
		else \
			echo "no Chromium found: browser tests are skipped"; \
		fi; }

# Tests run on the very versions that users get, whatever a tool of the tests asks for.
lock: $(DEV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@for each in requirements requirements-dev; do \
		case $$each in *-dev) same="--override requirements.txt requirements.txt";; *) same=;; esac; \
		$(BIN)/uv pip compile --quiet --generate-hashes --no-annotate --no-header \
			--no-emit-index-url --no-emit-find-links --python-version 3.11 \
			--python-platform x86_64-unknown-linux-gnu $$same $$each.in -o $$each.txt >/dev/null \
		&& sed -i "1i # Made from $$each.in by \`make lock\`: exact versions, each file proved by its hash." $$each.txt; \
	done
