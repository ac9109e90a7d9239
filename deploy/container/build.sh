#!/bin/sh
# Builds the image of one node out of the program of `make build`, without asking any registry:
#
#     deploy/container/build.sh [IMAGE]
#
# HOLDFAST_PROGRAM names another program than target/release/holdfast. Needs buildah.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=${1:-holdfast}
program=${HOLDFAST_PROGRAM:-$here/../../target/release/holdfast}

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir -p "$context/root/usr/bin" "$context/root/etc/holdfast" "$context/data"
cp -L "$program" "$context/root/usr/bin/holdfast"
# Lines of source in backtraces are not worth three times the size.
! command -v strip > /dev/null || strip "$context/root/usr/bin/holdfast"
chmod 0755 "$context/root/usr/bin/holdfast"
# Each library, and the loader, at the path where the program looks for it.
ldd "$program" | awk '{ for (i = 1; i <= NF; i++) if (substr($i, 1, 1) == "/") print $i }' |
    while read -r library; do
        mkdir -p "$context/root$(dirname "$library")"
        cp -L "$library" "$context/root$library"
    done
cp "$here/Containerfile" "$context/"
buildah build --tag "$image" "$context"
