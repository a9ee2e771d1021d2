# An environment in .venv, and the commands in it. notebooks/tools/course.py has what they do,
# for any other environment. `make` alone lists them.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c "$(SUPPORTED)" 2>/dev/null && echo $$p && break; done)
# Another folder, or another set of packages than all of the course on a processor. A folder
# keeps the set that it was made with, until another one is named.
VENV ?= .venv
REQUIREMENTS ?= $(or $(patsubst $(VENV)/installed-%,%,$(firstword \
	$(shell ls -t $(VENV)/installed-requirements*.txt 2>/dev/null))),requirements.txt)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-$(REQUIREMENTS)
COURSE = $(BIN)/python notebooks/tools/course.py
PIP = $(BIN)/python -m pip install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup run book pdf editions release assignment grade test test-alone test-browser test-grading lint full gpu-check notebooks clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s%s\n", $$1, $$2}' Makefile

# What is installed is compared by content: a new clone has new times, and an environment that
# others share, behind a link, may not be written.
WANTED := $(sort $(wildcard requirements*.txt)) constraints.txt pyproject.toml

setup: ## make .venv with everything (REQUIREMENTS=requirements-gpu.txt for an NVIDIA GPU)
	@if test -x $(BIN)/python && ! test -w $(VENV)/; then exit; fi; \
	cat $(WANTED) | cmp -s - $(INSTALLED) || $(MAKE) --no-print-directory $(INSTALLED) && \
	touch $(INSTALLED) # the newest is the set from now on

$(INSTALLED): FORCE
	@$(or $(PYTHON),false) -c "$(SUPPORTED)" || { echo "The course needs Python 3.11, 3.12 or 3.13" \
	"(TensorFlow has no package for others). Install one, or name it:" \
	"make setup PYTHON=/path/to/python3.11"; exit 1; }
	@test -L book/notebooks || { echo "book/notebooks must be a symbolic link to" \
	"../notebooks. On Windows, clone inside WSL or with core.symlinks=true."; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "Python must have venv and ensurepip," \
	"which make an environment. Debian, Ubuntu, WSL: sudo apt install python3-venv. Or use conda or" \
	"uv, see book/how-to.md. Received: $(PYTHON) without them."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r $(REQUIREMENTS)
	$(BIN)/python -m pip install --no-deps --editable .
	@cat $(WANTED) > $@

FORCE:

# What the tests of the book in a browser, and making and grading the assignment, need on top.
$(VENV)/installed-browser $(VENV)/installed-grading: $(VENV)/installed-%: setup
	@cat requirements-$*.txt constraints.txt | cmp -s - $@ || { $(PIP) -r requirements-$*.txt && \
	cat requirements-$*.txt constraints.txt > $@; }

run: setup ## run every notebook on the embedded data into runs/quick, then build the book
book: setup ## build the book from the committed notebooks, warnings are errors (SOLUTIONS=no: without them)
pdf: setup ## print the whole book as one PDF (with an installed Chromium or Chrome; SOLUTIONS=no as for the book)
editions: setup ## write the chapters for students, tutors and instructors, slides and questions into editions/
release: setup ## all that a version publishes, into _build/release: pages, PDF, editions (TAG=v0.1.0 checks it)
assignment: $(VENV)/installed-grading ## make the students' version of the graded assignment
# Each student's code in a process without network; UNSEALED=1 where there is no Bubblewrap.
grade: $(VENV)/installed-grading ## grade what students handed in (STUDENTS="ada bo" for some of them)
test: setup ## tests that compute on JAX, then all tests and every notebook's outputs on TensorFlow
test-browser: $(VENV)/installed-browser ## open the book and the slides in an installed Chromium: links, figures, keyboard, contrast
test-grading: $(VENV)/installed-grading ## grade the assignment of made-up students with nbgrader
lint: setup ## check style and format
gpu-check: setup ## say whether Keras sees a GPU, and if not, why
full: setup ## run every notebook at the report's sizes on a GPU into runs/full
notebooks: setup ## for authors: bring each .ipynb up to its .py, format both, run it, strip the noise (NAME=patches: one)

run book pdf editions release assignment grade test test-browser test-grading lint gpu-check full notebooks:
	@$(COURSE) $@ $(NAME)

test-alone: ## what computes: a training, a notebook and tests, on JAX alone, then on TensorFlow alone
	@for one in jax tensorflow; do \
	$(MAKE) --no-print-directory setup VENV=.venv-$$one REQUIREMENTS=requirements-$$one.txt && \
	.venv-$$one/bin/python notebooks/tools/course.py test-alone || exit 1; done

clean: ## remove the book, the slides, quick runs and caches; environments, runs/full and notebooks in editions/ stay
	rm -rf _build editions/slides runs/quick .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*/*" -prune -exec rm -rf {} +
	rm -f notebooks/*.failed.ipynb
