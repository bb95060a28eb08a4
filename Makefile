# make        sets everything up and runs the default study
# make test   sets everything up and runs the tests
# make lint   checks style, types and the workflow
# make lock   pins requirements.txt and environment.yml anew from requirements.in

PYTHON ?= python3
CORES ?= all
READY := .venv/.ready

export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: all test lint lock

all: $(READY)
	snakemake --cores $(CORES)

test: $(READY)
	python -m pytest $(PYTEST_OPTIONS)

lint: $(READY)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	mypy
	snakemake --lint

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@echo "installing; llama.cpp is compiled, which takes some minutes the first time"
	python -m pip install --quiet --requirement requirements.txt
	touch $@

# Run in a fresh .venv: what is installed is what gets pinned.
lock:
	$(PYTHON) -m venv --clear .venv
	python -m pip install --quiet --requirement requirements.in
	{ echo "# Every package and its version; 'make lock' writes this file from requirements.in."; \
	  python -m pip freeze --all --exclude pip | sed 's/+cpu$$//'; } > requirements.txt
	{ sed '/^  - pip:$$/q' environment.yml; \
	  sed -n '/^[^#]/s/^/      - /p' requirements.txt; } > environment.new
	mv environment.new environment.yml
	touch $(READY)
