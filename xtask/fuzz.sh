#!/usr/bin/env bash
# Fuzzes the targets of fuzz/ with libFuzzer on the stable toolchain.
#
#   xtask/fuzz.sh slice                  90 seconds for all: from the frozen seeds, the same inputs each time
#   xtask/fuzz.sh SECONDS [TARGET...]    so long for each; what is learned stays in the user's cache
#
# The crates of this workspace, and they alone, are compiled with coverage counters. An input that
# breaks something is written to fuzz/corpus/TARGET/, where it stays as a pinned case, and ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

# How many inputs make about eight seconds.
declare -A slice=(
    [signed]=1500000 [texts]=1200000 [commands]=600000 [snapshots]=1200000
    [requests]=1500000 [credentials]=150000 [settings]=1000000
    [peers]=2000000 [logs]=1500000 [json]=300000 [backups]=1000000
)
mode=${1:?slice, or how many seconds for each target}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(signed texts commands snapshots requests credentials settings peers logs json backups)
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$mode" = slice ]; then
    learned="$scratch/corpus"
else
    learned="${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/fuzz"
fi
# The selection of packages is that of `make unit`, whose build this shares.
HOLDFAST_FUZZ_SEEDS="$learned" cargo test --release --locked --quiet --workspace --test corpus
RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/instrument.sh" cargo build --release --locked --package fuzz --bins

for target in "${targets[@]}"; do
    found="fuzz/corpus/$target"
    mkdir -p "$found"
    bound="-max_total_time=$mode"
    [ "$mode" != slice ] || bound="-runs=${slice[$target]}"
    if "target/release/fuzz-$target" "$learned/$target" "$found" -artifact_prefix="$found/" "$bound" \
        -seed=1 -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 >"$scratch/log" 2>&1; then
        awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { mib = $2 }
            END { printf "fuzz: %s: %d inputs, nothing found, %d MiB at most\n", target, runs, mib }' "$scratch/log"
    else
        tail -40 "$scratch/log"
        printf 'fuzz: %s broke; the input is in %s\n' "$target" "$found" >&2
        exit 1
    fi
    rmdir --ignore-fail-on-non-empty "$found"
done
[ ! -d fuzz/corpus ] || rmdir --ignore-fail-on-non-empty fuzz/corpus
