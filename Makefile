# The commands of tools/tutorial.py, for who has make: `make` lists them, docs/commands.md explains.
# `PYTHON=python3.12 make run` picks another interpreter.
PYTHON ?= python3
COMMANDS := lab run pages test test-quick check-class links setup refresh record bench lock
OPTIONS :=

.PHONY: help $(COMMANDS)
help:
	@$(PYTHON) tools/tutorial.py --help

run refresh: OPTIONS = $(NOTEBOOKS)
lab: OPTIONS = $(LAB_OPTIONS)
check-class: OPTIONS = $(if $(URL),--url $(URL))
record: OPTIONS = $(if $(NETWORKS),--networks $(NETWORKS)) $(if $(SEEDS),--seeds $(SEEDS)) \
	$(if $(CHECK),--check $(CHECK))

$(COMMANDS):
	@exec $(PYTHON) tools/tutorial.py $@ $(OPTIONS)
