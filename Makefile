VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
INSTALLED := $(VENV)/.installed
FUZZ_INSTALLED := $(VENV)/.fuzz-installed
BENCH_INSTALLED := $(VENV)/.bench-installed
DOCS_INSTALLED := $(VENV)/.docs-installed
MODEL := runtime/sketch_infer/default.onnx
INT8_MODEL := runtime/sketch_infer/default_int8.onnx
# A model of 345 classes comes along where the repository has its weights.
CHECKPOINT_345 := $(wildcard models/quickdraw-345/model.safetensors)
MODELS_345 := $(if $(CHECKPOINT_345),runtime/sketch_infer/quickdraw-345.onnx runtime/sketch_infer/quickdraw-345_int8.onnx)
MODELS := $(MODEL) $(INT8_MODEL)
# The same network for other languages, the page among them. The Python package prepares points itself and carries neither.
POINTS_MODEL := dist/points.onnx
INT8_POINTS_MODEL := dist/points_int8.onnx
ALL_MODELS := $(MODELS) $(MODELS_345)
# The trained weights where the repository has them; without them the pipeline still runs, on random weights.
CHECKPOINT := $(wildcard models/quickdraw-40/model.safetensors)
STROKES ?= runtime/samples/drawings.ndjson
WEB := runtime/web
WEB_INSTALLED := $(WEB)/node_modules/.package-lock.json
WEB_PAGE := $(WEB)/dist/index.html
NODE_CHECK := node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a === 20 && +b >= 19) ? 0 : 1)' 2>/dev/null || \
	{ echo "the page needs Node >= 20.19 to be built; nothing else does"; exit 2; }

EXPORT := $(BIN)/sketch-export onnx \
	$(if $(CHECKPOINT),--checkpoint $(CHECKPOINT),--random-weights)

.DEFAULT_GOAL := help
.PHONY: help setup lock export infer train test bench evaluate bench-ray bench-points bulk fuzz docs adversary compat engines arm64-proof cuda-proof lint typecheck npm wheel hub release web web-serve web-test web-lint web-bench clean

##@ Start

help: ## List the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Install the packages and the tools into .venv

export: setup ## Export the models to ONNX, prove and install them
	$(EXPORT) --output $(MODEL)
	$(EXPORT) --output $(INT8_MODEL) --int8
	@mkdir -p dist
	$(EXPORT) --input points --output $(POINTS_MODEL)
	$(EXPORT) --input points --output $(INT8_POINTS_MODEL) --int8
	$(if $(CHECKPOINT_345),$(BIN)/sketch-export onnx --checkpoint $(CHECKPOINT_345) --output $(word 1,$(MODELS_345)))
	$(if $(CHECKPOINT_345),$(BIN)/sketch-export onnx --checkpoint $(CHECKPOINT_345) --output $(word 2,$(MODELS_345)) --int8)

infer: $(MODELS) ## Classify STROKES=FILE, by default the sample drawings
	$(BIN)/sketch-infer $(STROKES)

PREPARED := dist/quickdraw
TRAIN_345 := --epochs 26 --learning-rate 2e-3 --dropout 0.2 --label-smoothing 0.12 --augment 0.8 --balance 0.7 --unrecognized
TRAIN_40 := --pretrain-epochs 0 --epochs 4 --further-share 0.1 --fine-learning-rate 7e-4 --dropout 0.3 --augment 0.8 --balance 1 --unrecognized
PROVENANCE := Google Quick, Draw! Dataset, CC BY 4.0

train: setup ## Train both networks anew on QUICKDRAW=DIR (2 hours)
	@test -d "$(QUICKDRAW)/train" || { echo "expected QUICKDRAW=DIR with train/ val/ test/ raw/ extra/ more/ classes.txt; see models/README.md"; exit 2; }
	$(BIN)/python models/prepare_quickdraw.py $(QUICKDRAW) $(PREPARED)
	$(BIN)/sketch-train $(PREPARED)/train --dense $(QUICKDRAW)/raw --val $(PREPARED)/val $(TRAIN_345) \
		--provenance "$(PROVENANCE)" --output models/quickdraw-345/model.safetensors
	$(BIN)/sketch-train $(PREPARED)/train --val $(PREPARED)/val --codes 64 --from quickdraw-345 \
		--output models/quickdraw-345/model.safetensors
	$(BIN)/sketch-train $(PREPARED)/known --dense $(QUICKDRAW)/raw --val $(QUICKDRAW)/val $(TRAIN_40) \
		--classes $(QUICKDRAW)/classes.txt --from quickdraw-345 --pretrain $(PREPARED)/others \
		--provenance "$(PROVENANCE)" --output models/quickdraw-40/model.safetensors

##@ Measure

bench: $(MODELS) $(BENCH_INSTALLED) ## Compare speed with others (12 minutes; BENCH=--quick)
	$(BIN)/python -m benchmarks.bench $(BENCH)

TEST_40 := benchmarks/data/quickdraw_test
NETWORKS_40 := $(CHECKPOINT) $(MODEL) $(INT8_MODEL)
NETWORKS_345 := $(CHECKPOINT_345) $(MODELS_345)

evaluate: $(ALL_MODELS) ## Measure accuracy (3 minutes; 30 with QUICKDRAW=DIR)
	$(BIN)/sketch-export evaluate $(NETWORKS_40) $(TEST_40)
	$(BIN)/sketch-export evaluate $(NETWORKS_345) $(TEST_40) --restrict
ifdef QUICKDRAW
	$(BIN)/python models/prepare_quickdraw.py $(QUICKDRAW) $(PREPARED)
	$(BIN)/sketch-export evaluate $(MODELS) $(TEST_40) --unfinished --others $(PREPARED)/test --others $(PREPARED)/scribbles \
		--reliability dist/reliability-40.png
	$(BIN)/sketch-export evaluate $(NETWORKS_345) $(PREPARED)/test --unfinished --others $(PREPARED)/scribbles \
		--reliability dist/reliability-345.png
endif

bulk: $(MODELS) ## Measure reading, and memory in bulk (10 minutes, 3 GB)
	$(BIN)/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.bulk.worst

bench-ray: $(MODELS) ## Measure what Ray costs on this machine (20 minutes)
	$(BIN)/python -m benchmarks.ray

bench-points: $(MODEL) $(POINTS_MODEL) ## Measure the preparation inside a points file (1 minute)
	$(BIN)/python -m benchmarks.points $(POINTS_MODEL)

##@ Prove

adversary: $(MODELS) ## Find where ONNX and float64 differ most (5 minutes)
	$(BIN)/python -m benchmarks.adversary

engines: $(MODELS) $(POINTS_MODEL) $(BENCH_INSTALLED) ## Run the probes in ONNX Runtime, OpenVINO and others
	@if ($(NODE_CHECK)) > /dev/null; then $(MAKE) --no-print-directory --silent $(WEB_INSTALLED); fi
	$(BIN)/python -m benchmarks.engines

compat: $(MODELS) $(POINTS_MODEL) $(INT8_POINTS_MODEL) ## Self-check under several releases of ONNX Runtime
	$(BIN)/python -m benchmarks.compat

arm64-proof: $(MODELS) $(POINTS_MODEL) $(INT8_POINTS_MODEL) ## Self-check on emulated ARM64 (Debian; 20 minutes)
	$(BIN)/python -m benchmarks.arm64 $(MODELS) $(POINTS_MODEL) $(INT8_POINTS_MODEL)

cuda-proof: setup ## Prove the graphs on an NVIDIA GPU: cuda-proof.json
	@$(BIN)/python -m benchmarks.cuda --checkpoint $(CHECKPOINT)

##@ Develop

test: $(MODELS) ## Run the tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile

fuzz: $(FUZZ_INSTALLED) ## Fuzz readers and model loading (10 min; FUZZ=--runs=N)
	$(BIN)/python -m fuzz $(FUZZ)

docs: $(DOCS_INSTALLED) ## Build guides and API reference as a site in dist/docs
	rm -rf dist/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs dist/docs
	@ls dist/docs/index.html

lock: setup ## Write hashes.txt anew, after a change of dependencies
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	printf './runtime\n.[dev]\n' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint constraints.txt \
		--generate-hashes --no-annotate --no-header --no-emit-package sketch-infer --no-emit-package sketchrnn-edge - \
		| awk '/^[^ ]/ {keep = !/^(torch|triton|nvidia-|cuda-)/} keep' > hashes.txt

lint: setup ## Check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

typecheck: setup ## Check types
	$(BIN)/mypy

clean: ## Remove .venv, dist, caches, the page and the models
	rm -rf $(VENV) dist $(WEB)/dist $(WEB)/node_modules $(WEB)/screenshots .mypy_cache .pytest_cache .ruff_cache $(ALL_MODELS)
	find runtime models export tests benchmarks fuzz -name __pycache__ -prune -exec rm -rf {} +

##@ Package

wheel: $(ALL_MODELS) ## Build the runtime's wheel, models inside, into dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./runtime
	@ls dist/sketch_infer-*.whl

hub: $(ALL_MODELS) ## Put together the Hugging Face folders in dist/hub
	$(BIN)/python models/hub_folder.py quickdraw-40 dist/hub/quickdraw-40
	$(BIN)/python models/hub_folder.py quickdraw-345 dist/hub/quickdraw-345

release: setup ## Check the version; build wheel, npm package and sums
	@test -z "$$(git status --porcelain)" || { echo "not ready to release: there are uncommitted changes"; exit 2; }
	@$(BIN)/python .ci/release.py check
	@$(MAKE) --no-print-directory wheel
	@$(MAKE) --no-print-directory npm
	@$(BIN)/python .ci/release.py sums

npm: $(WEB_INSTALLED) ## Build and pack the JavaScript library into dist/
	@$(NODE_CHECK)
	@mkdir -p dist
	cd $(WEB) && npm run --silent build:library && npm pack --silent --pack-destination $(CURDIR)/dist ./npm

##@ Browser

web: $(WEB_PAGE) ## Build the browser demo (needs Node 20.19 or newer)

web-serve: $(WEB_PAGE) ## Serve the browser demo on http://localhost:8000
	cd $(WEB) && npm run --silent preview

web-test: $(WEB_PAGE) ## Test the browser demo, in Chromium too (or CHROMIUM=PATH)
	cd $(WEB) && npm run --silent test

web-lint: $(WEB_INSTALLED) ## Check style and format of the page (npm run format fixes)
	cd $(WEB) && npm run --silent lint

web-bench: $(WEB_PAGE) $(INT8_POINTS_MODEL) ## Measure the models under WebAssembly, and the page
	@mkdir -p $(WEB)/dist/bench
	$(EXPORT) --input points --graph plain --output $(WEB)/dist/bench/plain.onnx > /dev/null
	cd $(WEB) && node bench/start.mjs plain=$(CURDIR)/$(WEB)/dist/bench/plain.onnx \
		fast=$(CURDIR)/$(POINTS_MODEL) int8=$(CURDIR)/$(INT8_POINTS_MODEL)

# pip takes no editable package where it checks hashes, so that is a step of its own. It leaves out torch, which comes as
# several files of one version (CPU, CUDA, a local build), and the CUDA libraries that only one of them needs.
$(INSTALLED): pyproject.toml runtime/pyproject.toml constraints.txt hashes.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement hashes.txt
	$(BIN)/pip install --quiet --no-build-isolation --constraint constraints.txt --editable ./runtime --editable '.[dev]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(FUZZ_INSTALLED): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	@touch $@

$(WEB_INSTALLED): $(WEB)/package.json $(WEB)/package-lock.json
	@$(NODE_CHECK)
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel error
	@touch $@

$(WEB_PAGE): $(WEB_INSTALLED) $(POINTS_MODEL) $(wildcard $(WEB)/*.html $(WEB)/*.ts $(WEB)/*.json $(WEB)/src/* $(WEB)/public/*)
	@$(NODE_CHECK)
	cd $(WEB) && npm run --silent build

SOURCES := $(shell find runtime/sketch_infer models/sketch_models export/sketch_export -name '*.py')

$(MODEL): $(INSTALLED) $(CHECKPOINT) $(SOURCES)
	$(EXPORT) --output $@

$(INT8_MODEL): $(INSTALLED) $(CHECKPOINT) $(SOURCES)
	$(EXPORT) --output $@ --int8

$(POINTS_MODEL): $(INSTALLED) $(CHECKPOINT) $(SOURCES)
	@mkdir -p $(@D)
	$(EXPORT) --input points --output $@

$(INT8_POINTS_MODEL): $(INSTALLED) $(CHECKPOINT) $(SOURCES)
	@mkdir -p $(@D)
	$(EXPORT) --input points --output $@ --int8

runtime/sketch_infer/quickdraw-345.onnx: $(INSTALLED) $(CHECKPOINT_345) $(SOURCES)
	$(BIN)/sketch-export onnx --checkpoint $(CHECKPOINT_345) --output $@

runtime/sketch_infer/quickdraw-345_int8.onnx: $(INSTALLED) $(CHECKPOINT_345) $(SOURCES)
	$(BIN)/sketch-export onnx --checkpoint $(CHECKPOINT_345) --output $@ --int8
