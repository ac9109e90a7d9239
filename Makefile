# Holdfast. `make demo` and `make test` need a Rust toolchain, make, gcc, g++ and a package registry;
# each installs what else it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: help setup build demo test format clippy docs tidy unit fuzz-slice jepsen-slice fix bench fuzz controls jepsen mutants

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## libclang and RocksDB, once per machine
	@bash xtask/setup.sh

build: setup ## target/release/holdfast
	$(CARGO) build --release --locked --package cli

demo: build ## a cluster of three processes loses its leader, and gives everything back
	target/release/holdfast demo $(ARGS)

test: format clippy docs tidy unit fuzz-slice jepsen-slice ## the whole gate; changes nothing

format:
	$(CARGO) fmt --all --check

clippy: setup
	$(CARGO) clippy --release --locked --workspace --all-targets -- --deny warnings

docs: setup
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --release --locked --workspace --no-deps --document-private-items

tidy: setup
	$(CARGO) run --release --locked --quiet --package xtask -- tidy

# The whole workspace at once, in all that the gate runs: another selection of packages has other features of the
# same dependencies, and compiles them and everything above them again. `holdfast` and `jepsen` come with it.
unit:
	@bash xtask/setup.sh test
	$(CARGO) test --release --locked --workspace --no-fail-fast

fuzz-slice: setup # a minute and a half of all targets together, the same inputs each time
	@bash xtask/fuzz.sh slice

fuzz: setup ## an hour of fuzzing; SECONDS_EACH=N for another time for each target
	@bash xtask/fuzz.sh $(or $(SECONDS_EACH),327)

jepsen-slice: setup # each nemesis for 15 s, with seeds whose faults leave time to work: about 5 minutes
	@bash xtask/setup.sh test
	$(CARGO) test --release --locked --workspace --no-run --quiet
	@rm -rf target/jepsen/slice
	target/release/jepsen campaign --seconds 15 --seed 2638 --allow-skipped --out target/jepsen/slice

jepsen: build ## a campaign of chaos, about an hour; SEED=N, MINUTES=N for each nemesis, NODES=5
	@bash xtask/setup.sh test
	$(CARGO) build --release --locked --package jepsen
	target/release/jepsen campaign --minutes $(or $(MINUTES),4) --nodes $(or $(NODES),3) \
	    --seed $(or $(SEED),$(shell date +%s)) --runs-file jepsen/RUNS.md \
	    --out target/jepsen/$(shell date -u +%Y%m%d-%H%M%S)

controls: build ## shows that the tests of durability and repair fail where the protection is taken out
	@bash xtask/controls.sh $(CONTROLS)

mutants: build ## shows that the chaos harness catches planted mistakes; MUTANTS="03 05" for some
	@bash xtask/setup.sh test
	$(CARGO) build --release --locked --package jepsen
	@bash xtask/mutants.sh $(MUTANTS)

fix: ## format and apply what clippy knows how to apply
	$(CARGO) fmt --all
	$(CARGO) clippy --release --workspace --all-targets --fix --allow-dirty

bench: build ## pushes, pulls and restores per second on this machine
	@for clients in 1 64 256; do target/release/holdfast bench push --clients $$clients --seconds 10; done
	@for clients in 1 64 256; do target/release/holdfast bench pull --clients $$clients --seconds 10; done
	@for clients in 1 64 256; do target/release/holdfast bench restore --clients $$clients --seconds 10; done
