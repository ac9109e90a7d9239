#!/usr/bin/env bash
# Shows that the tests of durability and repair can fail: applies each control of tests/controls to a copy
# of this tree, builds it, and runs the test that it names, which has to fail there.
#
#   xtask/controls.sh [NAME...]      all, or those named, as in: xtask/controls.sh quarantine-off
#
# What was compiled of other people's crates is taken over from target/, as hard links.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

say() { printf 'controls: %s\n' "$*" >&2; }

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in tests/controls/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
if [ -d target/release ]; then
    mkdir -p "$copy/target"
    cp -al target/release "$copy/target/"
fi

missed=0
for name in "${names[@]}"; do
    patch="$root/tests/controls/$name.patch"
    read -r file test < <(sed -n 's/^Fails: //p' "$patch")
    mkdir -p "$copy/tree"
    git ls-files -z | while IFS= read -r -d '' tracked; do
        # Only what differs is written, so that only what a control changes is compiled anew.
        mkdir -p "$copy/tree/$(dirname "$tracked")"
        cmp -s "$tracked" "$copy/tree/$tracked" || cp "$tracked" "$copy/tree/$tracked"
    done
    mkdir -p "$copy/tree/.cargo"
    [ ! -f .cargo/config.toml ] || cp .cargo/config.toml "$copy/tree/.cargo/"
    say "$name: building without that protection"
    (cd "$copy/tree" && git apply "$patch")
    export CARGO_TARGET_DIR="$copy/target"
    (cd "$copy/tree" && cargo build --release --locked --quiet --package cli &&
        cargo test --release --locked --quiet --package tests --test "$file" --no-run)
    if (cd "$copy/tree" && cargo test --release --locked --quiet --package tests --test "$file" -- --exact "$test" --nocapture) \
        >"$copy/log" 2>&1; then
        tail -5 "$copy/log" >&2
        if grep -q SKIPPED "$copy/log"; then
            say "$name: $test could not run here"
        else
            say "$name: $test PASSED although the protection is off"
            missed=1
        fi
    else
        say "$name: $test fails, as it must"
    fi
done
exit $missed
