# The tutorial's commands. `PYTHON=python3.12 make run` picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
# Two workers, each on a core of its own (tests/conftest.py), take file after file.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Notebooks run in a folder of their own: a relative path must not depend on it.
ifneq ($(MNIST_NPZ),)
MNIST_NPZ := $(shell $(PYTHON) -c 'import os; print(os.path.abspath(os.environ["MNIST_NPZ"]))')
export MNIST_NPZ
endif

.PHONY: help setup run test test-quick lab refresh record bench lock check-class binder-link
help:
	@echo "make run          execute the notebooks, print the results, render build/site/"
	@echo "make lab          open the tutorial in JupyterLab"
	@echo "make test         run every test (make test-quick: the fast ones)"
	@echo "make check-class  check this machine before a class"
	@echo "make refresh      re-execute the notebooks in place (authors)"
	@echo "make record       train at full length, for hours, and add to the records (authors)"
	@echo "make bench        benchmark side by side (authors)"
	@echo "make lock         resolve the dependencies anew (authors)"
	@echo "make binder-link  print the Binder address of this repository"

setup:
	@$(PYTHON) tools/setup_venv.py

run: setup build/current
	@$(BIN)/python tools/run.py

# What has been executed and is still current. `make -B run` makes it anew: everything is executed.
build/current:
	@rm -rf $@ && mkdir -p $@

test: run
	@$(PYTEST)

test-quick: setup
	@$(PYTEST) -m "not slow"

lab: setup
	@exec $(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.answer_yes=True $(LAB_OPTIONS) notebooks/01_data_exploration.ipynb

refresh: setup
	@$(BIN)/python tools/refresh.py $(NOTEBOOKS)

record: setup
	@$(BIN)/python tools/record.py $(if $(NETWORKS),--networks $(NETWORKS)) \
		$(if $(SEEDS),--seeds $(SEEDS)) $(if $(CHECK),--check $(CHECK))

bench: setup
	@$(BIN)/python tools/bench.py

check-class: setup
	@$(BIN)/python tools/check_class.py

binder-link:
	@$(PYTHON) tools/binder_link.py

lock:
	@$(PYTHON) tools/lock.py
