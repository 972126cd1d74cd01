# Everything from a fresh clone: the first target that needs it makes .venv.
TASK   ?= demo
LOSS   ?=
TEACHERS ?=
RECIPE ?=
SUITE  ?= experiments/suites/$(TASK).yaml
JOBS   ?= 1
PART   ?= teachers_seed2 teachers_seed3 uner wikiann upos uner_changes capacity structural_uner structural_wikiann structural_upos \
          text_only_wikiann text_only_upos folds k curves generated larger_upos
SEED   ?= 1
ARGS   ?=
LANGS  ?=
DATA   ?=
DEVICES ?=
NODES  ?=
TORCHRUN ?=
LOGGER ?=
PROJECT ?= skd_lightning
SWEEP  ?= experiments/sweeps/distillation.yaml
PYTHON ?= python3
VENV   ?= .venv
BENCH  ?= .venv-bench
PROCESSES ?= 2
MINUTES ?= 60
PIP     = $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

SKD    := $(if $(TORCHRUN),$(VENV)/bin/torchrun $(TORCHRUN) -m skd_lightning,$(VENV)/bin/skd)
COMMON  = --task $(TASK) $(if $(LANGS),--langs $(LANGS)) $(if $(DATA),--data $(DATA))
SPREAD  = $(if $(DEVICES),--trainer.devices $(DEVICES)) $(if $(NODES),--trainer.num_nodes $(NODES))
TRACK   = $(if $(filter wandb,$(LOGGER)),--wandb $(PROJECT))

# A file's tests share what its fixtures have trained, so a file stays in one process.
PYTEST  = $(VENV)/bin/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

# A variable that nothing reads is a misspelt one, and the default would be taken without a word.
KNOWN = TASK LOSS TEACHERS RECIPE SUITE JOBS PART SEED ARGS LANGS DATA DEVICES NODES TORCHRUN LOGGER PROJECT SWEEP PYTHON VENV \
        BENCH PROCESSES MINUTES SHELL
TYPED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(if $(filter-out $(KNOWN) -%,$(TYPED)),$(error $(filter-out $(KNOWN) -%,$(TYPED)): no variable of this Makefile, which has $(KNOWN)))

.DEFAULT_GOAL := help
.PHONY: help install demo corpus teachers distill suite evidence zeroshot report sweep sweep-check sweep-local notebooks
.PHONY: docs test test-all fuzz bad-inputs lint bench

help: ## this list
	@echo "make TARGET [TASK=demo|upos|wikiann|uner|conll|absa] [LANGS=\"en fr\"]"
	@echo "            [DATA=folder] [ARGS=\"--trainer.max_epochs 10\"]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ \
	  line = sprintf("  make %-12s", $$1); count = split($$2, words, " "); \
	  for (i = 1; i <= count; i++) { \
	    if (length(line) + 1 + length(words[i]) > 79) { print line; line = sprintf("%19s", "") } \
	    line = line " " words[i] } \
	  print line }'

install: $(VENV)/.installed ## virtual environment with the package; other targets add what they need

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable ".[train]"
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed  # the extra of that name in pyproject.toml
	$(PIP) --editable ".[$*]"
	@touch $@

demo: install ## teachers and students on a generated corpus, two of its languages without labels (minutes)
	$(SKD) demo $(ARGS)

corpus: install ## what TASK's corpora hold: sizes, tags, repeated sentences, unknown words
	$(SKD) corpus $(COMMON) $(ARGS)

teachers: install ## one monolingual teacher a language; DEVICES=4 side by side, RECIPE=paper, LOGGER=wandb PROJECT=name
	$(SKD) teachers $(COMMON) $(if $(RECIPE),--recipe $(RECIPE)) $(if $(NODES),$(SPREAD),$(if $(DEVICES),--devices $(DEVICES))) $(TRACK) $(ARGS)

distill: install ## a student; LOSS=none, topk, structural … (skd distill --help), TEACHERS="runs or file", RECIPE=paper|best|linear, SEED=1, DEVICES=4 NODES=2
	$(SKD) distill $(COMMON) $(if $(LOSS),--loss $(LOSS)) $(if $(TEACHERS),--teachers $(TEACHERS)) $(if $(RECIPE),--recipe $(RECIPE)) --seed $(SEED) $(SPREAD) $(TRACK) $(ARGS)

suite: install ## a whole table of runs: SUITE=experiments/suites/demo.yaml JOBS=2
	$(SKD) suite $(SUITE) $(if $(DATA),--data $(DATA)) --jobs $(JOBS) $(ARGS)

evidence: install ## the suites that PART names and their reports, a day on two cores, resumable: PART="teachers_seed2 teachers_seed3 uner"
	set -e; for part in $(PART); do \
	  $(SKD) suite experiments/suites/$$part.yaml $(if $(DATA),--data $(DATA)) --jobs $(JOBS) $(ARGS); \
	  $(SKD) report --suite experiments/suites/$$part.yaml --out experiments/results/$$part; done

zeroshot: install ## all runs of TASK on languages never trained on: LANGS="es nl"
	$(SKD) zeroshot $(COMMON) $(ARGS)

report: install ## all runs of TASK in one table, with plots
	$(SKD) report --task $(TASK) $(ARGS)

sweep: install ## a sweep at Weights & Biases, and an agent that runs it here: SWEEP=file PROJECT=name (needs an account)
	@id=$$($(VENV)/bin/wandb sweep --project $(PROJECT) $(SWEEP) 2>&1 | tee /dev/stderr | sed -n 's/.*wandb agent //p'); \
	test -n "$$id" && PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/wandb agent $(ARGS) $$id

sweep-check: install ## whether every trial of the sweeps in experiments/sweeps is understood (offline)
	$(SKD) sweep-check experiments/sweeps/*.yaml

sweep-local: install ## the same sweep without an account: SWEEP=file JOBS=2 ARGS="--method random --trials 20"
	$(SKD) sweep-local $(SWEEP) --jobs $(JOBS) $(ARGS)

notebooks: $(VENV)/.installed-notebooks ## opens notebooks/ in JupyterLab: corpora, what a teacher knows, objectives compared
	$(VENV)/bin/jupyter lab notebooks

docs: $(VENV)/.installed-docs ## the documentation as a site, in site/; broken links are errors
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict $(ARGS)

test: $(VENV)/.installed-test ## the tests but for the slowest
	$(PYTEST) -m "not slow and not exhaustive" $(ARGS)

test-all: $(VENV)/.installed-test ## all tests
	$(PYTEST) $(ARGS)

fuzz: $(VENV)/.installed-test ## inputs that nobody would write, new ones each time: MINUTES=60
	FUZZ_MINUTES=$(MINUTES) $(VENV)/bin/python -m pytest tests/fuzz $(ARGS)

bad-inputs: $(VENV)/.installed-test ## every bad input of the tables to a command of its own (an hour): ARGS="--sample 120 --seed 1"
	$(VENV)/bin/python tests/bad_inputs.py $(ARGS)

lint: $(VENV)/.installed-lint ## style, types and the floors of the house
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: install $(BENCH)/.installed ## most tables of docs/speed.md, into benchmarks/results (hours; other libraries in .venv-bench)
	$(BENCH)/bin/python benchmarks/crf.py --repeats 10 --budget 1.0 --threads 1
	$(BENCH)/bin/python benchmarks/numerics.py
	$(VENV)/bin/python benchmarks/epoch.py --task uner $(if $(DATA),--data $(DATA)) --languages da sv --sentences 1000 --rounds 5 --threads 1
	$(VENV)/bin/python benchmarks/whole_run.py --rounds 2
	$(VENV)/bin/python benchmarks/cache.py --rounds 5 --sentences 10000
	$(VENV)/bin/python benchmarks/threads.py
	$(VENV)/bin/python benchmarks/frozen.py
	$(VENV)/bin/python benchmarks/processes.py --task upos $(if $(DATA),--data $(DATA)) --languages en fr he ja --sentences 1000 --rounds 3 --kills 4 --epochs 4 --model.embedder.sparse true
	$(VENV)/bin/python benchmarks/compiled.py

# An environment of their own: some of the libraries that ours is measured against want older packages. A release of
# ai2-tango that allennlp-light can read wants such old ones of ours that pip would take an empty release instead, so
# these come without their dependencies; the last three are the ones that it lacks then.
ALLENNLP := "allennlp-light==1.0.0" "ai2-tango==1.3.2" base58 rjsonnet pytz
$(BENCH)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch numba
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps $(ALLENNLP)
	@touch $@
