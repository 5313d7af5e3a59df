# make test     checks and tests, as CI runs them
# make compare  trains DDPG beside the experts and writes a report
# make docs     the pages, in docs/_build/html
#
# All install rlx into .venv first; only the first call, or a change of the dependencies, takes that time.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

# What `make compare` runs: make compare ENV=rlx/ElectricMotor-v0 COMPARE="--algos ddpg,pi --seeds 3 --steps 20000"
ENV ?= rlx/ElectricMotorPaper2019-v0
COMPARE ?= --algos ddpg,pi,random --seeds 5 --steps 8000000
OUT ?= runs/compare

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help test test-slow compare docs install reinstall clean

help:
	@sed -n 's/^# //p' Makefile

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy -p rlx
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(JOBS) --dist loadgroup

test-slow: $(READY)
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m slow

compare: $(READY)
	$(BIN)/rlx compare $(ENV) $(COMPARE) --out $(OUT)
	$(BIN)/rlx report $(OUT)

docs: $(READY)
	$(BIN)/sphinx-build -W --keep-going docs docs/_build/html

install: $(READY)

# An editable install lives in build/dev as well; when that is gone, it is made again.
$(READY): pyproject.toml constraints.txt registry/_hatch.py $(if $(wildcard build/dev/rlx/__init__.py),,reinstall)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c constraints.txt -e ".[all,web,docs,test]"
	# Without what it depends on: its pygame would take the folder of pygame-ce.
	$(BIN)/pip install -c constraints.txt --no-deps pysc2
	touch $(READY)

reinstall:

clean:
	rm -rf build dist $(VENV)
