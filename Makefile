# `make demo` and `make test` set everything up by themselves; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; `make PYTHON=…` for another one.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input
LOCK := requirements.lock
BUILD_TOOLS := scikit-build-core nanobind cmake ninja
NATIVE := $(shell find native -name '*.?pp' -o -name '*.inc' -o -name CMakeLists.txt) CMakeLists.txt pyproject.toml
JOBS ?= 2
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst native/fuzz/fuzz_%.cpp,%,$(wildcard native/fuzz/fuzz_*.cpp))
CMAKE_NATIVE = $(PY) -m cmake -S . -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja
# What runs native code. Not those that measure memory: a sanitizer takes it eightfold, and keeps what was freed.
NATIVE_TESTS := tests/unit/dicom/test_scan.py tests/conformance tests/property/test_scan_hostile.py \
	$(foreach noun,bits planes resolutions rle,tests/unit/codec/test_$(noun).py) tests/property/test_native_codec.py tests/reference/test_rle.py \
	--deselect tests/property/test_scan_hostile.py::test_hostile_lengths_allocate_nothing_of_their_size \
	--deselect tests/property/test_scan_hostile.py::test_a_deflated_bomb_ends_at_its_limit

.PHONY: help demo viewer test lint format docs lock bench torture fuzz sanitize wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runs viewer ## fill a temporary archive with sample images and serve it (DATA=folder for your own)
	@$(PY) -P -m engine.cli demo $(if $(DATA),"$(DATA)")

viewer: ## the page, from engine/viewer/src into engine/viewer/dist, where Node.js is there
	@.ci/viewer.sh build

test: lint ## format, types, and every test but the long ones
	@PYTHON=$(PY) .ci/system.sh peers
	@.ci/clients.sh
	@.ci/viewer.sh test
	$(PY) -m pytest -n $(JOBS) --dist worksteal -m "not torture" $(ARGS)

lint: $(VENV)/.tests ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.tests ## what ruff can put right by itself
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: $(VENV)/.tests ## the tables in README.md and docs/ that are made from the program, or by comparing it with others
	$(PY) docs/tables.py
	@PYTHON=$(PY) .ci/system.sh peers
	VOXCAST_RENEW_DOCS=1 $(PY) -m pytest -q -rs tests/reference/test_transfer_syntaxes.py

torture: $(VENV)/.tests ## the long tests: kill -9, full disks, large objects (an hour)
	@PYTHON=$(PY) .ci/system.sh peers
	$(PY) -m pytest -m torture --timeout 3600 $(ARGS)

bench: $(VENV)/.tests ## measure beside Orthanc and nginx on the same files
	@PYTHON=$(PY) .ci/system.sh bench
	$(PY) -m benchmarks.run $(ARGS)

fuzz: $(VENV)/.tests ## every fuzz target of the native part (FUZZ_SECONDS=60 each)
	@.ci/system.sh fuzz
	@$(CMAKE_NATIVE) -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DVOXCAST_FUZZ=ON >/dev/null
	@$(PY) -m cmake --build build/fuzz
	@$(PY) native/tools/make_seeds.py build/fuzz/seeds
	@ln -sfn "$$($(PY) -c 'import pydicom; print(pydicom.__path__[0])')/data/test_files" build/fuzz/seeds/scan
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p build/fuzz/corpus/$$target; \
		echo "fuzz_$$target for $(FUZZ_SECONDS) s"; \
		build/fuzz/native/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=build/fuzz/$$target- build/fuzz/corpus/$$target build/fuzz/seeds/$$target || exit 1; \
	done

sanitize: $(VENV)/.tests ## the tests of the native part, against a build with AddressSanitizer and UBSan
	@.ci/system.sh sanitize
	@$(CMAKE_NATIVE) -B build/sanitize -DCMAKE_CXX_COMPILER=g++ -DVOXCAST_SANITIZE=ON \
		-DPython_EXECUTABLE=$(CURDIR)/$(PY) >/dev/null
	@$(PY) -m cmake --build build/sanitize
	@export LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 \
		UBSAN_OPTIONS=print_stacktrace=1 VOXCAST_NATIVE=$(CURDIR)/build/sanitize/native PYTHONPATH=$(CURDIR)/tests/native_build; \
	$(PY) -c 'import engine._native as n; print("testing", n.__file__); assert "/build/sanitize/" in n.__file__' && \
	$(PY) -m pytest -p no:cacheprovider $(NATIVE_TESTS) $(ARGS)

wheel: $(VENV)/.tests viewer ## a wheel in dist/
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

lock: ## renew requirements.lock: the newest versions that pyproject.toml allows
	@PYTHON=$(PYTHON) .ci/system.sh python
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -q --upgrade pip
	build/lock/bin/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
		print("\n".join(p["build-system"]["requires"] + p["project"]["dependencies"] \
		+ sum(p["project"]["optional-dependencies"].values(), [])))' > build/lock/wanted.txt
	build/lock/bin/python -m pip install -q -r build/lock/wanted.txt
	{ echo "# Exact versions of all that make installs; renewed by \`make lock\` from pyproject.toml."; \
		build/lock/bin/python -m pip freeze; } > $(LOCK)
	rm -rf build/lock

clean: ## remove what make has made, the virtual environment too
	rm -rf $(VENV) build dist engine/viewer/dist engine/viewer/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find engine tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# -- the virtual environment; each stamp stands for a state of it

$(VENV)/bin/python:
	@PYTHON=$(PYTHON) .ci/system.sh python
	@echo "making $(VENV)" >&2
	@$(or $(PYTHON),python3) -m venv $(VENV)

$(VENV)/.runs: $(LOCK) $(NATIVE) | $(VENV)/bin/python
	@PYTHON=$(PY) .ci/system.sh build
	@echo "installing what voxcast needs and building its native part" >&2
	@$(PIP) install -c $(LOCK) $(BUILD_TOOLS)
	@$(PIP) install -c $(LOCK) --no-build-isolation -e .
	@echo "compiling what draws pictures (voxcast warmup)" >&2
	@$(PY) -P -m engine.cli warmup >/dev/null
	@touch $@

$(VENV)/.tests: $(LOCK) $(NATIVE) $(VENV)/.runs
	@echo "installing the test tools" >&2
	@$(PIP) install -r $(LOCK)
	@touch $@
