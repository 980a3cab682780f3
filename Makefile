# Everything a contributor or a CI runs. On a machine with Python >= 3.10 and nothing else, `make demo` and `make test`
# make their environment in .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: help demo test coverage lint format adequacy bench matrix frameworks docs clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[html,hypothesis,time]' --group dev
	@touch $@

demo: $(READY) ## run the examples against the reference agent and show the span trees
	$(BIN)/python -m pytest examples -q --mlflow-traces-show=all
	$(BIN)/python -m reference_agent "Why did costs spike?"

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto

coverage: $(READY) ## run the tests with branch coverage, which takes twice as long
	@rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest -n auto
	@$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

format: $(READY) ## fix style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is left are edits of RunnableSequence, ChatPromptTemplate, StrOutputParser and of where in them the model's call is:
# the baselines of the example see through these on purpose, so that a new version of LangChain breaks none.
adequacy: $(READY) ## see that the gate of the examples notices all but what it sees through
	$(BIN)/python -m pytest examples/ci -q --mlflow-traces-mutate --mlflow-traces-mutate-fail-under=73

bench: $(READY) ## print every figure that the README quotes
	$(BIN)/python -m benchmarks

docs: $(READY) ## build the documentation into site/
	$(BIN)/mkdocs build --quiet

matrix: $(READY) ## run the tests with each supported MLflow, and each Python that is here; SESSIONS="wheel" for some
	$(BIN)/nox $(if $(SESSIONS),-s $(SESSIONS))

frameworks: $(READY) ## run what must hold for each agent framework, in an environment of their own
	$(BIN)/nox -s frameworks

clean: ## remove what the other commands made
	rm -rf $(VENV) .nox .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache dist site
