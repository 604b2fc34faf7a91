# One short line a target; the work is in scripts/. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench lint vulncheck clean

# The engine drives ONNX Runtime through cgo.
export CGO_ENABLED := 1
LINT := go tool -modfile=tools/go.mod

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install all that is needed: system packages, Python clients, the program, the models.
	@scripts/setup.sh

build: ## Build bin/dictum.
	@scripts/build.sh

demo: setup ## Run the batch lab with the AWS CLI against a real server and real speech.
	@scripts/demo.sh

test: setup ## Check the code and run every test, the black-box suites included.
	@scripts/test.sh

bench: setup ## Measure speed, accuracy and the API beside faster-whisper, in one run.
	@bench/run.sh

lint: ## Check formatting and run the linters, pinned in tools/go.mod.
	@$(LINT) gofumpt -l . | (! grep .)
	@$(LINT) golangci-lint run ./...

vulncheck: ## Look for known vulnerabilities in code that is called (govulncheck, pinned in tools/go.mod).
	@scripts/vulncheck.sh

clean: ## Remove what was built here; models and data folders stay.
	@rm -rf bin .cache bench/out test/out
