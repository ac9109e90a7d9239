#!/usr/bin/env bash
# Shows that the chaos harness catches what it is there for: applies each mutant of jepsen/mutants to a copy
# of this tree, builds its `holdfast`, and lets the harness of this tree run the workloads and the nemesis that
# the mutant names; the checkers that it names have to fail within three minutes, and before that to pass, in the
# same run of what this tree has itself. A mutant that names a seed of the simulation instead is run by that.
#
#   xtask/mutants.sh [NAME...]      all, or those whose names begin so, as in: xtask/mutants.sh 03 05
#
# What a patch says about itself: `Run`, the run that finds it; `Checker`, what has to fail; `Simulation`, the seed
# that finds it; `Builds`, the packages that are built of the copy, where clients have the mistake too and the
# harness has to come from there.
#
# Losses of power need root. Where a cluster does not heal, the harness waits its two minutes before it says so: the
# run of such a mutant is short.
#
# Only what a mutant changes is compiled anew, and with less effort than for a release: all mutants share one
# directory for what is built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'mutants: %s\n' "$*" >&2; }

# Seconds that a run may take, with everything around it.
within=180
harness=$PWD/target/release/jepsen
node=$PWD/target/release/holdfast
for program in "$harness" "$node"; do
    [ -x "$program" ] || { say "$program is missing; make mutants builds it"; exit 2; }
done

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

# Crates of this project, which a mutant may change.
own=(api cli client jepsen raft seal server store)
swift=()
for crate in "${own[@]}"; do swift+=(--config "profile.release.package.$crate.opt-level=1"); done
export CARGO_INCREMENTAL=1

build() {
    if [ -n "$seed" ]; then
        cargo test "${swift[@]}" --release --locked --quiet --package raft --lib --no-run
    else
        # shellcheck disable=SC2086 # one word for each package
        cargo build "${swift[@]}" --release --locked --quiet $(printf -- '--package %s ' ${builds:-cli})
    fi
}

# Runs what a mutant names, by the harness and with the node that are given, or by the tree that is.
# What it said is in $copy/log, and its exit code in $code.
try() {
    if [ -n "$seed" ]; then
        (cd "$1" && HOLDFAST_SIM_SEED=$seed exec cargo test "${swift[@]}" --release --locked --quiet --package raft --lib -- \
            --exact simulation::one_seed --nocapture) >"$copy/log" 2>&1 &
    else
        "$1" run --program "$2" "${run[@]}" --out "$copy/out" >"$copy/log" 2>&1 &
    fi
    child=$! code=0
    wait "$child" || code=$?
    child=
    rm -rf "$copy/out"
}

# Which checkers failed.
failed() {
    if [ -n "$seed" ]; then
        ! grep -qF "$checkers: " "$copy/log" || printf '%s' "$checkers"
    else
        sed -n 's/^\([a-z]*\) *fail$/\1/p' "$copy/log" | paste -sd' '
    fi
}

# Whether all that have to fail did.
caught() {
    [ -z "$seed" ] || { [ "$(failed)" = "$checkers" ]; return; }
    local checker
    for checker in $checkers; do [[ " $(failed) " == *" $checker "* ]] || return 1; done
}

# The runs that were seen to pass without a mistake.
sound=$'\n'

missed=0
rows=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    checkers=$(field Checker "$patch")
    seed=$(field Simulation "$patch")
    builds=$(field Builds "$patch")
    read -r -a run <<<"$(field Run "$patch")"
    [ -z "$seed" ] || run=(simulation of seed "$seed")
    # The simulation of this tree is part of its tests.
    if [ -z "$seed" ] && [[ "$sound" != *$'\n'"${run[*]}"$'\n'* ]]; then
        say "${run[*]}, without a mistake"
        try "$harness" "$node"
        if [ "$code" -ne 0 ]; then
            cat "$copy/log" >&2
            say "$name: its run does not pass without it, and shows nothing"
            missed=1
            rows+=("| $name | \`${run[*]}\` | $checkers | | | SHOWS NOTHING |")
            continue
        fi
        sound+=${run[*]}$'\n'
    fi

    say "$name: building"
    { patch_copy "$patch" && (cd "$copy/tree" && build); } 2>"$copy/log" || { cat "$copy/log" >&2; exit 2; }

    say "$name: ${run[*]}"
    began=$SECONDS
    if [ -n "$seed" ]; then
        try "$copy/tree"
    elif [[ "$builds" == *jepsen* ]]; then
        try "$copy/target/release/jepsen" "$copy/target/release/holdfast"
    else
        try "$harness" "$copy/target/release/holdfast"
    fi
    took=$((SECONDS - began))
    verdict=caught
    if [ "$code" -eq 2 ]; then
        # No verdict: a fault is not to be had here, or the run contained too little.
        verdict=UNKNOWN
    elif [ "$code" -eq 0 ] || ! caught; then
        verdict=MISSED
    elif [ "$took" -gt "$within" ]; then
        verdict="CAUGHT LATE"
    fi
    if [ "$verdict" != caught ]; then
        missed=1
        tail -40 "$copy/log" >&2
    fi
    say "$name: $verdict after $took s; these fail: $(failed)"
    rows+=("| $name | \`${run[*]}\` | $checkers | $(failed) | $took s | $verdict |")
done

printf '\n| mutant | run | has to fail | failed | took | |\n|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"
exit "$missed"
