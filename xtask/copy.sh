# A copy of this tree, to which patches are applied: for controls.sh and mutants.sh, which source this file.
# $copy/tree has the files, $copy/target what was compiled of them. It is removed when the script ends.

root=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
export CARGO_TARGET_DIR="$copy/target"

# What was compiled is taken over, as hard links; what cargo writes in place, as a copy.
mkdir -p "$copy/target/release" "$copy/tree"
for part in deps build; do
    [ ! -d "target/release/$part" ] || cp -al "target/release/$part" "$copy/target/release/"
done
[ ! -d target/release/.fingerprint ] || cp -a target/release/.fingerprint "$copy/target/release/"

# The tree as it is, with its times, so that nothing of it is compiled again.
git ls-files -z | xargs -0 cp -p --parents -t "$copy/tree"
[ ! -f .cargo/config.toml ] || cp -p --parents .cargo/config.toml "$copy/tree"

# Applies one patch, after taking back the one before: only what differs is written, with a new time.
patch_copy() {
    git ls-files -z | while IFS= read -r -d '' tracked; do
        cmp -s "$tracked" "$copy/tree/$tracked" || cp "$tracked" "$copy/tree/$tracked"
    done
    (cd "$copy/tree" && git apply "$root/$1")
}

# What a line in front of a patch's changes says.
field() { sed -n "s/^$1: //p" "$2"; }
