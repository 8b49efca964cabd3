# Two commands set everything up on a fresh machine: make demo, make test. make docs writes build/site.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# uv installs in a tenth of pip's processor time, and on less disk. It reads PIP_FIND_LINKS and
# PIP_INDEX_URL as pip does; without them it takes the torch that this machine can use. Where uv
# fails, pip installs. It is needed for this alone, so its 37 MiB go afterwards.
TOLD := $(addprefix --find-links ,$(PIP_FIND_LINKS)) $(addprefix --default-index ,$(PIP_INDEX_URL))
TORCH := $(if $(strip $(TOLD)),,--torch-backend auto)
define install
	-@$(BIN)/pip install --quiet 'uv>=0.7'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python $(TOLD) $(TORCH) $(1) || $(BIN)/pip install --quiet $(1)
	-@$(BIN)/pip uninstall --quiet --yes uv
endef

.PHONY: demo test docs clean

demo: $(VENV)/.installed
	$(BIN)/harness run --rounds 2

test: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

docs: $(VENV)/.development
	$(BIN)/mkdocs build --strict

# Constraints pin the versions with which the suite passes: of what a user installs, and of what
# development adds to the same environment.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; call make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(call install,--constraint constraints.txt --editable .)
	@touch $@

$(VENV)/.development: $(VENV)/.installed constraints-dev.txt
	$(call install,--constraint constraints-dev.txt --editable '.[dev]')
	@touch $@

clean:
	rm -rf $(VENV) results/runs
