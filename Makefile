# Two commands do all the set-up: `make demo` and `make test`. Only Python >= 3.11 and make are needed.
PYTHON ?= python3
EXTRA ?= cpu
BIN := .venv/bin
TYPES := build/types/sottovoce
# Some images set this to 1; without byte code every `sottovoce toggle` would compile itself anew.
export PYTHONDONTWRITEBYTECODE =
export UV_PROJECT_ENVIRONMENT = .venv

.PHONY: demo test lint types fuzz check clean setup

demo: $(BIN)/.synced-$(EXTRA) ## dictate a real recording end to end (AUDIO=path for your own)
	@$(BIN)/sottovoce demo $(if $(AUDIO),"$(AUDIO)")

# Two workers run services and whatever else keeps time, the third what needs a processor alone: tests/schedule.py.
test: setup ## the whole test suite, three files at a time (ARGS="tests/shm -x" for a part)
	@$(BIN)/sottovoce models pull silero-v6 smart-turn-v3 moonshine-tiny-en beckett
	$(BIN)/pytest -n 3 --dist loadfile $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: setup
	@mkdir -p $(TYPES) && for p in shm protocol models actors ops; do ln -sfn ../../../$$p $(TYPES)/$$p; done
	$(BIN)/mypy $(foreach p,shm protocol models actors ops,-p sottovoce.$(p))

fuzz: setup ## fuzz the decoders, SECONDS each (TARGETS="ring audio" for some of them); tests/fuzz/README.md
	$(BIN)/uv sync --quiet --frozen --inexact --extra $(EXTRA) --group fuzz
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(SECONDS),60) $(TARGETS)

check: lint types test

# It compiles for half a minute where the transform has changed; without a C compiler that runs as Python.
setup: $(BIN)/.synced-$(EXTRA)
	@$(BIN)/python -m sottovoce.ops.compile

$(BIN)/.synced-$(EXTRA): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sottovoce needs Python >= 3.11; name one with: make PYTHON=/path/to/python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv sync --quiet --frozen --extra $(EXTRA) --compile-bytecode
	@rm -f $(BIN)/.synced-*; touch $@

clean:
	rm -rf build .venv .pytest_cache .ruff_cache .hypothesis *.egg-info
