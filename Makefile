# The tutorial's commands, for who has make; tools/tutorial.py does the same on any system.
# `PYTHON=python3.12 make run` picks another interpreter.
PYTHON ?= python3
TUTORIAL := $(PYTHON) tools/tutorial.py

.PHONY: help setup run test test-quick lab refresh record bench bench-class lock check-class links
.PHONY: binder-link
help:
	@echo "make run          execute the notebooks, print the results, render build/site/"
	@echo "make lab          open the tutorial in JupyterLab"
	@echo "make test         run every test (make test-quick: the fast ones)"
	@echo "make check-class  check this machine before a class"
	@echo "make refresh      re-execute the notebooks in place (authors)"
	@echo "make record       train at full length, for hours, and add to the records (authors)"
	@echo "make bench        benchmark side by side (authors)"
	@echo "make bench-class  measure a class at once on a JupyterHub (authors)"
	@echo "make lock         resolve the dependencies anew (authors)"
	@echo "make links        print the addresses of this repository for Binder and Colab"

setup test-quick bench lock links:
	@$(TUTORIAL) $@

# What has been executed and is still current. `make -B run` makes it anew: everything is executed.
build/current:
	@rm -rf $@ && mkdir -p $@

run test: build/current
	@$(TUTORIAL) $@

lab:
	@exec $(TUTORIAL) lab $(LAB_OPTIONS)

refresh:
	@$(TUTORIAL) refresh $(NOTEBOOKS)

record:
	@$(TUTORIAL) record $(if $(NETWORKS),--networks $(NETWORKS)) \
		$(if $(SEEDS),--seeds $(SEEDS)) $(if $(CHECK),--check $(CHECK))

bench-class:
	@exec $(TUTORIAL) bench-class $(if $(LEARNERS),--learners $(LEARNERS)) \
		$(if $(SPREAD),--spread $(SPREAD)) $(if $(SMALL),--small) $(if $(KEEP_OPEN),--keep-open)

check-class:
	@$(TUTORIAL) check-class $(if $(URL),--url $(URL))

binder-link: links
