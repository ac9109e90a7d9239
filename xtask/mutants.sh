#!/usr/bin/env bash
# Shows that the chaos harness catches what it is there for: applies each mutant of jepsen/mutants to a copy
# of this tree, builds its `holdfast`, and lets the harness of this tree run the workloads and the nemesis that
# the mutant names; the checker that it names has to fail within three minutes. A mutant that names a seed of the
# simulation instead is run by that.
#
#   xtask/mutants.sh [NAME...]      all, or those whose names begin so, as in: xtask/mutants.sh 03 05
#
# Losses of power need root. Where a cluster does not heal, the harness waits its two minutes before it says so: the
# run of such a mutant is short.
#
# Only crates that a mutant changes are compiled anew: all mutants share one directory for what is built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'mutants: %s\n' "$*" >&2; }

# Seconds that a run may take, with everything around it.
within=180
harness=$PWD/target/release/jepsen
[ -x "$harness" ] || { say "target/release/jepsen is missing; make mutants builds it"; exit 2; }

patches=()
for chosen in "${@:-}"; do
    found=(jepsen/mutants/"$chosen"*.patch)
    [ -f "${found[0]}" ] || { say "no mutant begins with $chosen"; exit 2; }
    patches+=("${found[@]}")
done

# shellcheck source=xtask/copy.sh
. xtask/copy.sh
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || true; rm -rf "$copy"' EXIT

# Runs what a mutant names, in the background; which checkers failed is in the output.
build() {
    if [ -n "$seed" ]; then
        cargo test --release --locked --quiet --package raft --lib --no-run
    else
        cargo build --release --locked --quiet --package cli
    fi
}
start() {
    if [ -n "$seed" ]; then
        (cd "$copy/tree" && HOLDFAST_SIM_SEED=$seed exec cargo test --release --locked --quiet --package raft --lib -- \
            --exact simulation::one_seed --nocapture) >"$copy/log" 2>&1 &
    else
        "$harness" run --program "$copy/target/release/holdfast" "${run[@]}" --out "$copy/out" >"$copy/log" 2>&1 &
    fi
    child=$!
}
failed() {
    if [ -n "$seed" ]; then
        ! grep -qF "$checker: " "$copy/log" || printf '%s ' "$checker"
    else
        sed -n 's/^\([a-z]*\) *fail$/\1/p' "$copy/log" | tr '\n' ' '
    fi
}

missed=0
rows=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    checker=$(field Checker "$patch")
    seed=$(field Simulation "$patch")
    read -r -a run <<<"$(field Run "$patch")"
    [ -z "$seed" ] || run=(simulation of seed "$seed")
    say "$name: building"
    { patch_copy "$patch" && (cd "$copy/tree" && build); } 2>"$copy/log" || { cat "$copy/log" >&2; exit 2; }

    say "$name: ${run[*]}"
    began=$SECONDS
    start
    code=0
    wait "$child" || code=$?
    child=
    took=$((SECONDS - began))
    failed=$(failed)
    verdict=caught
    if [ "$code" -eq 2 ]; then
        # No verdict: a fault is not to be had here, or the run contained too little.
        verdict=UNKNOWN
    elif [ "$code" -eq 0 ] || [[ " $failed" != *" $checker "* ]]; then
        verdict=MISSED
    elif [ "$took" -gt "$within" ]; then
        verdict="CAUGHT LATE"
    fi
    if [ "$verdict" != caught ]; then
        missed=1
        tail -40 "$copy/log" >&2
    fi
    say "$name: $verdict after $took s; these fail: ${failed:-none}"
    rows+=("| $name | \`${run[*]}\` | $checker | ${failed% } | $took s | $verdict |")
    rm -rf "$copy/out"
done

printf '\n| mutant | run | has to fail | failed | took | |\n|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"
exit "$missed"
