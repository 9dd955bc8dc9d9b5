# Everything a person types. The first call sets the environment up; later calls find it ready.
VENV := .venv
PY := $(VENV)/bin/python
UV_VERSION := 0.13.9
# Processes are started by the hundred: none of them compiles again what another one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run reset demo tour test check compiled openapi bench faults stateful long lock browser office format clean

run: $(VENV)/.ok        ## start everything; Ctrl-C stops it
	@$(PY) -m local run

reset: $(VENV)/.ok      ## empty .local/
	@$(PY) -m local reset

demo: $(VENV)/.ok       ## one affiliation's whole life, day by day
	@$(PY) -m local demo

openapi: $(VENV)/.ok    ## print the API's OpenAPI document
	@$(PY) -m api.openapi

tour: $(VENV)/.ok       ## a newcomer's way through the pages, with pictures in docs/tour/
	@$(PY) -m tests.tour

test: $(VENV)/.ok       ## lint, types, import contracts, tests
	@$(MAKE) --no-print-directory -j2 check compiled
	@$(PY) -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ok
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy .
	@$(VENV)/bin/lint-imports

compiled: $(VENV)/.ok   # the tests, once for all that run them at the same time
	@$(PY) -m pytest -q --collect-only >/dev/null

format: $(VENV)/.ok
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

browser:                ## install a browser for the tests (Debian's Chromium, as root)
	@command -v chromium >/dev/null || (apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium)

office:                 ## install LibreOffice Calc for the tests of `make long` (Debian's, as root)
	@command -v soffice >/dev/null || (apt-get -qq update && apt-get -qq install -y --no-install-recommends libreoffice-calc-nogui)

faults: $(VENV)/.ok     ## crashes and outages, the long form
	@$(PY) -m pytest -q -m faults_long tests/faults

stateful: $(VENV)/.ok   ## sign-in against its model, and requests from the OpenAPI document, with many examples
	@STATEFUL=20 $(PY) -m pytest -q tests/services/test_sign_in_stateful.py tests/api/test_schema_fuzz.py

long: office faults stateful   ## everything whose short form is in the tests, and what they leave out
	@$(PY) -m pytest -q -m long
	@EVERY_LOOK=1 $(PY) -m pytest -q tests/portal -k "accessible"

bench: $(VENV)/.ok      ## measurements, as ratios to a bare floor of the same run
	@$(PY) -m bench

lock: $(VENV)/.ok       ## pin and hash the dependencies of pyproject.toml
	@$(VENV)/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@$(VENV)/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command "make lock" --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .local bench/results .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.ok: requirements-dev.lock portal/fonts.py
	@echo "Setting up the environment (once)…"
	@python3 -m venv $(VENV) || (echo "Python ≥ 3.11 with venv is needed: apt install python3-venv" && exit 1)
	@$(VENV)/bin/pip install -q --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(VENV)/bin/uv pip install -q --compile-bytecode --require-hashes --no-deps -r requirements-dev.lock --python $(PY)
	@$(PY) -m portal.fonts
	@touch $@
