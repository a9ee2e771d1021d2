# Short ways to say what README.md spells out. `make` alone lists them.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c "$(SUPPORTED)" 2>/dev/null && echo $$p && break; done)
# Another folder, or another set of packages than all of the course on a processor. A folder
# keeps the set that it was made with, until another one is named.
VENV ?= .venv
REQUIREMENTS ?= $(or $(patsubst $(VENV)/installed-%,%,$(firstword \
	$(shell ls -t $(VENV)/installed-requirements*.txt 2>/dev/null))),requirements.txt)
BIN := $(VENV)/bin
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
INSTALLED := $(VENV)/installed-$(REQUIREMENTS)
# A notebook's outputs must not hold TensorFlow's banner, nor depend on the processor.
export TF_CPP_MIN_LOG_LEVEL := 3
EXACT := TF_ENABLE_ONEDNN_OPTS=0
EXECUTE := $(BIN)/python notebooks/tools/execute.py
# Keras takes TensorFlow unless told.
JAX_ALONE := $(filter requirements-jax%,$(REQUIREMENTS))
TENSORFLOW_ALONE := $(filter requirements-tensorflow%,$(REQUIREMENTS))
ifneq ($(JAX_ALONE),)
export KERAS_BACKEND ?= jax
endif
# Of the tests that compute on the backend, those for a machine with one of them alone.
COMPUTING := dropout normalize patches provenance train_script training

.DEFAULT_GOAL := help
.PHONY: help setup run book pdf editions assignment test test-alone test-browser test-grading lint full gpu-check notebooks clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED) ## make .venv with everything (REQUIREMENTS=requirements-gpu.txt for an NVIDIA GPU)
	@touch $(INSTALLED) # the newest is the set from now on

$(INSTALLED): $(REQUIREMENTS) $(wildcard requirements*.txt) constraints.txt pyproject.toml
	@$(or $(PYTHON),false) -c "$(SUPPORTED)" || { echo "The course needs Python 3.11, 3.12 or 3.13" \
	"(TensorFlow has no package for others). Install one, or name it:" \
	"make setup PYTHON=/path/to/python3.11"; exit 1; }
	@test -L book/notebooks || { echo "book/notebooks must be a symbolic link to" \
	"../notebooks. On Windows, clone inside WSL or with core.symlinks=true."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -r $(REQUIREMENTS) -c constraints.txt
	$(BIN)/python -m pip install --no-deps --editable .
	@touch $@

# What the tests of the book in a browser need, on top.
$(VENV)/installed-browser: $(INSTALLED) requirements-browser.txt constraints.txt
	$(BIN)/python -m pip install -r requirements-browser.txt -c constraints.txt
	@touch $@

# What making and grading the assignment needs, on top.
$(VENV)/installed-grading: $(INSTALLED) requirements-grading.txt constraints.txt
	$(BIN)/python -m pip install -r requirements-grading.txt -c constraints.txt
	@touch $@

run: setup ## run every notebook on the embedded data into runs/quick, then build the book
	$(EXECUTE) --out runs/quick
	@$(MAKE) --no-print-directory book

book: setup ## build the book from the committed notebooks, warnings are errors
	$(BIN)/jupyter-book build book --all -W -n --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html"

pdf: setup ## print the whole book as one PDF (with an installed Chromium or Chrome)
	@test -n "$(CHROMIUM)" || { echo "make pdf prints with Chromium, and finds none. Install it" \
	"(Debian: apt install chromium), or name it: make pdf CHROMIUM=/path/to/chrome"; exit 1; }
	$(BIN)/jupyter-book build book --builder singlehtml -W -n --keep-going
	@$(CHROMIUM) --headless --no-sandbox --disable-gpu --no-first-run --no-pdf-header-footer \
	--generate-pdf-document-outline --user-data-dir=_build/chromium --virtual-time-budget=60000 \
	--print-to-pdf=_build/book.pdf "file://$(CURDIR)/_build/singlehtml/index.html" 2>/dev/null
	@test -s _build/book.pdf && echo "Open $(CURDIR)/_build/book.pdf"

editions: setup ## write the chapters for students, tutors and instructors, slides and questions into editions/
	@$(BIN)/python teaching/editions.py
	@$(BIN)/python teaching/slides.py
	@$(BIN)/python teaching/questions.py

assignment: $(VENV)/installed-grading ## make the students' version of the graded assignment
	@mkdir -p editions/grading/source/vit
	$(BIN)/jupytext --quiet --to ipynb --output editions/grading/source/vit/vit.ipynb teaching/assignment/vit.py
	cd teaching/assignment && PATH="$(CURDIR)/$(BIN):$$PATH" nbgrader generate_assignment vit --force
	@echo "Hand out $(CURDIR)/editions/grading/release/vit/vit.ipynb"

# A file stays with one worker: the cells of a notebook share a kernel, and the tests of a
# module what they have built. In their order, for the files of few tests are the slow ones.
PYTEST_WORKERS ?= auto
SHARED := -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

test: setup ## tests that compute on JAX, then all tests and every notebook's outputs on TensorFlow
	$(if $(TENSORFLOW_ALONE),,KERAS_BACKEND=jax $(KEEP_COMPILED) $(BIN)/pytest $(SHARED) tests -m backend)
	$(if $(JAX_ALONE),@echo "The other tests compare with outputs of TensorFlow.",\
	KERAS_BACKEND=tensorflow $(EXACT) $(BIN)/pytest $(SHARED) --nbval)

# The tests train the same small models; JAX compiles each once, and in two thirds of the time,
# since what runs for a moment need not be fast.
KEEP_COMPILED := JAX_COMPILATION_CACHE_DIR=$(CURDIR)/runs/compiled \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 XLA_FLAGS=--xla_backend_optimization_level=0

# Where one backend is installed and the other is not.
define TEST_ALONE
	@$(MAKE) --no-print-directory setup VENV=.venv-$(1) REQUIREMENTS=requirements-$(1).txt
	@.venv-$(1)/bin/python -c "import importlib.util as u, sys; sys.exit(bool(u.find_spec('$(2)')))" || \
	{ echo ".venv-$(1) must be without $(2). Delete it."; exit 1; }
	env -u KERAS_BACKEND .venv-$(1)/bin/python experiments/train.py tiny --epochs=2 --steps-per-epoch=10 \
	--force --out=runs/alone
	env -u KERAS_BACKEND .venv-$(1)/bin/python notebooks/tools/execute.py --out runs/alone notebooks/data.ipynb
	env -u KERAS_BACKEND $(KEEP_COMPILED) .venv-$(1)/bin/pytest $(SHARED) $(COMPUTING:%=tests/test_%.py)
endef

test-alone: ## what computes: a training, a notebook and tests, on JAX alone, then on TensorFlow alone
	$(call TEST_ALONE,jax,tensorflow)
	$(call TEST_ALONE,tensorflow,jax)

test-browser: $(VENV)/installed-browser book pdf editions ## open the book and the slides in an installed Chromium: links, figures, keyboard, contrast
	CHROMIUM="$(CHROMIUM)" $(BIN)/pytest -n $(PYTEST_WORKERS) tests/browser

test-grading: $(VENV)/installed-grading ## grade the assignment of made-up students with nbgrader
	$(BIN)/pytest tests/grading

lint: setup ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

gpu-check: setup ## say whether Keras sees a GPU
	@$(BIN)/python notebooks/tools/gpu_check.py 2>/dev/null

full: gpu-check ## run every notebook at the report's sizes on a GPU into runs/full
	$(EXECUTE) --out runs/full --profile notebooks/profiles/full.yml

notebooks: setup ## for authors: bring each .ipynb up to its .py, run it, strip the noise
	$(BIN)/jupytext --quiet --to ipynb --update notebooks/*.py
	$(EXECUTE) --in-place

clean: ## remove the book, the slides, quick runs and caches; environments, runs/full and notebooks in editions/ stay
	rm -rf _build editions/slides runs/quick .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*/*" -prune -exec rm -rf {} +
	rm -f notebooks/*.failed.ipynb
