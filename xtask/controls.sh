#!/usr/bin/env bash
# Shows that the tests of durability and repair can fail: applies each control of tests/controls to a copy
# of this tree, builds it, and runs the test that it names, which has to fail there.
#
#   xtask/controls.sh [NAME...]      all, or those named, as in: xtask/controls.sh quarantine-off
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'controls: %s\n' "$*" >&2; }

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in tests/controls/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
# shellcheck source=xtask/copy.sh
. xtask/copy.sh

missed=0
for name in "${names[@]}"; do
    patch=tests/controls/$name.patch
    read -r file test <<<"$(field Fails "$patch")"
    say "$name: building without that protection"
    patch_copy "$patch"
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
