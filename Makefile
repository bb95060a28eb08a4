# make        sets everything up and runs the default study
# make test   sets everything up and runs the tests; simulations only where their code changed
# make test-changed [SINCE=REV]   runs the tests that a change since REV (HEAD) can touch
# make test-simulations           runs all simulations, and notes the code that passed
# make test-faults   breaks a study on purpose and sees that nothing is lost
# make test-slurm   tests the profile for SLURM on a cluster of one node, from Debian's packages
# make train ADAPTER=ID         trains an adapter of config/adapters, in an environment of its own
# make test-training           tests the training of adapters, in that environment
# make fuzz   runs every fuzzer for FUZZ_SECONDS (600); their tests run a short version
# make docs   builds the documentation as a site, in the folder site
# make lint   checks style, types and the workflow
# make archive                 packs the default study, for a deposit
# make verify ARCHIVE=FILE     computes answers and tables of somebody's archive again
# make lock   pins requirements.txt and environment.yml anew from requirements.in

PYTHON ?= python3
CORES ?= all
FUZZ_SECONDS ?= 600
READY := .venv/.ready

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# answers that are computed again, and the seed of their draw
SAMPLE ?= 20
SEED ?= 1

# what test-changed compares with
SINCE ?= HEAD

.PHONY: all test test-changed test-simulations test-faults test-slurm test-training train fuzz docs lint lock archive verify

# What is there already is not made again: a first look, which is a part of the study, least of all.
LOOK := results/figures/triage_accuracy.png

all: $(READY)
	@echo "The default study, and what it takes:"
	@python workflow/scripts/check_study.py config/config.yaml
	@test -f results/report.html || { \
	  echo "First a part of it, three personas on 60 cases of primary care: at most 3 minutes on 2 free processors."; \
	  snakemake --cores $(CORES) --configfile config/studies/first-look.yaml -- $(LOOK) results/summary.md \
	  && echo "A first look: $(LOOK), and in words results/summary.md. The rest goes on."; }
	snakemake --cores $(CORES)
	@sed -n '/^## What was found/,/^## What was asked/{/^- /p}' results/summary.md
	@echo "Done. Open the report: xdg-open $(CURDIR)/results/report.html (on a Mac: open $(CURDIR)/results/report.html)"

# A process of the tests that dies is not replaced: it would die again, over and over. There is one
# for every processor, and it computes on that one alone.
PYTEST := POLARS_MAX_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 \
    python tests/in_memory.py -m pytest \
    --numprocesses auto --dist worksteal --max-worker-restart 0

test: $(READY)
	$(PYTEST) --simulations changed $(PYTEST_OPTIONS)

test-changed: $(READY)
	$(PYTEST) --simulations changed --changed-since $(SINCE) $(PYTEST_OPTIONS)

test-simulations: $(READY)
	$(PYTEST) -m simulation
	PYTHONPATH=workflow python tests/dependencies.py

test-faults: $(READY)
	python -m pytest tests/faults $(PYTEST_OPTIONS)

test-slurm: .venv-slurm/.ready
	.venv-slurm/bin/python -m pytest tests/slurm $(PYTEST_OPTIONS)

# With the plugin installed every call of snakemake waits for SLURM's controller: it has an
# environment of its own, which sees all that the other one has.
.venv-slurm/.ready: $(READY) requirements-slurm.txt
	python -m venv --clear .venv-slurm
	python -c 'import site; print(site.getsitepackages()[0])' > \
	    "$$(.venv-slurm/bin/python -c 'import site; print(site.getsitepackages()[0])')/project.pth"
	.venv-slurm/bin/python -m pip install --quiet --no-deps --ignore-installed \
	    --requirement requirements-slurm.txt "$$(grep ^snakemake== requirements.txt)"
	touch $@

train: .venv-train/.ready
	@test -f "config/adapters/$(ADAPTER).yaml" || { echo "error: name a file of config/adapters: make train ADAPTER=ID"; exit 1; }
	PATH="$(CURDIR)/.venv-train/bin:$$PATH" .venv-train/bin/python -m snakemake --cores $(CORES) \
	    --config 'adapters=[$(ADAPTER)]' -- train
	python workflow/scripts/compare_adapter.py $(ADAPTER)

test-training: .venv-train/.ready
	.venv-train/bin/python -m pytest tests/training $(PYTEST_OPTIONS)

# What trains is large, and nothing else needs it: as above, an environment that sees the other one.
.venv-train/.ready: $(READY) requirements-train.txt
	python -m venv --clear .venv-train
	python -c 'import site; print(site.getsitepackages()[0])' > \
	    "$$(.venv-train/bin/python -c 'import site; print(site.getsitepackages()[0])')/project.pth"
	.venv-train/bin/python -m pip install --quiet --no-deps --requirement requirements-train.txt
	touch $@

fuzz: $(READY)
	PERSONA_FUZZ_SECONDS=$(FUZZ_SECONDS) python -m pytest -s tests/unit/test_fuzz.py $(PYTEST_OPTIONS)

# The theme's notice on its successor says nothing about the site. Not quietly: unheard warnings do not
# count, and links that lead nowhere are warnings.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 mkdocs build --clean
	@echo "site/index.html is the site; 'python -m http.server --directory site' serves it, with its search"

lint: $(READY)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	mypy
	snakemake --lint

archive: $(READY)
	snakemake --cores $(CORES) results/archive.zip

verify: $(READY)
	@test -f "$(ARCHIVE)" || { echo "error: name an archive: make verify ARCHIVE=FILE"; exit 1; }
	python workflow/scripts/verify.py --cores $(CORES) --sample $(SAMPLE) --seed $(SEED) "$(ARCHIVE)"

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
