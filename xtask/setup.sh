#!/usr/bin/env bash
# Makes a fresh machine able to build this workspace, and is quick where nothing is missing.
#
# 1. libclang, which bindgen needs: from apt where this may install, else from the `libclang` wheel.
# 2. RocksDB, compiled once for all profiles and checkouts into the user's cache, because the C++
#    takes minutes and cargo would repeat them for every profile and feature.
# 3. .cargo/config.toml (not committed), which tells cargo where both are.
# 4. With the argument `test`: python3 and its package `cryptography`, for the second reader of the
#    frozen formats; libfaketime, to turn nodes' clocks with; promtool; the tools by which jepsen/ injects faults; and
#    what tests/interop/ names, clients and testers that others wrote, in the cache.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/holdfast"
mkdir -p "$cache" .cargo

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

command -v cargo >/dev/null || fail "cargo was not found; install a Rust toolchain (https://rustup.rs)"
command -v g++ >/dev/null || fail "g++ was not found; install it, for example: apt-get install g++"

find_libclang() {
    local dir
    for dir in "${LIBCLANG_PATH:-}" "$cache"/libclang/clang/native /usr/lib/llvm-*/lib \
        /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64; do
        [ -n "$dir" ] || continue
        if compgen -G "$dir/libclang.so*" >/dev/null || compgen -G "$dir/libclang-*.so*" >/dev/null; then
            printf '%s\n' "$dir"
            return 0
        fi
    done
    return 1
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Installs Debian packages; fails where this may not.
apt_install() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
    say "installing $* with apt"
    as_root apt-get update -qq >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

install_libclang() {
    apt_install libclang-dev && return 0
    if command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1; then
        say "installing the libclang wheel into $cache/libclang"
        python3 -m pip install --quiet --no-deps --target "$cache/libclang" libclang >&2 && return 0
    fi
    return 1
}

libclang=$(find_libclang) || { install_libclang && libclang=$(find_libclang); } ||
    fail "libclang was not found and could not be installed; install libclang-dev, or set LIBCLANG_PATH to a folder with libclang.so"

second_reader_runs() { python3 -c 'import cryptography.hazmat' 2>/dev/null; }

if [ "${1:-}" = test ] && ! second_reader_runs; then
    python3 -m pip install --quiet cryptography >&2 2>/dev/null || apt_install python3-cryptography || true
    second_reader_runs || say "python3 with the package cryptography is missing; the second reader of the formats will be skipped"
fi

if [ "${1:-}" = test ] && ! compgen -G "/usr/lib/*/faketime/libfaketime.so.1" >/dev/null; then
    apt_install faketime || say "libfaketime is missing; the test that turns clocks will be skipped"
fi

promtool=$cache/promtool

# Out of Debian's package, which would start a server if it were installed.
fetch_promtool() (
    command -v apt-get >/dev/null || return 1
    work=$(mktemp -d "$cache/promtool.XXXXXX") && cd "$work" || return 1
    trap 'rm -rf "$work"' EXIT
    say "fetching promtool of Debian's package prometheus into $promtool"
    apt-get download -qq prometheus >/dev/null 2>&1 ||
        { as_root apt-get update -qq && apt-get download -qq prometheus; } >&2 || return 1
    dpkg-deb -x prometheus_*.deb . && mv usr/bin/promtool "$promtool"
)

if [ "${1:-}" = test ] && [ ! -e "$promtool" ] && ! command -v promtool >/dev/null; then
    fetch_promtool || say "promtool could not be had; metrics are judged by the rules that the test knows"
fi

# What jepsen/ injects faults with, each with the Debian package it is in.
missing_tools() {
    local tool
    for tool in strace:strace ip:iproute2 nft:nftables mkfs.ext4:e2fsprogs unshare:util-linux mount:mount; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "${tool%:*}" >/dev/null || printf '%s\n' "${tool#*:}"
    done
}

if [ "${1:-}" = test ]; then
    mapfile -t missing < <(missing_tools)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}" ||
        say "these packages are missing: ${missing[*]}; faults of jepsen/ that need them will be skipped"
fi

interop="$cache/interop-$(cat tests/interop/requirements.txt tests/interop/package-lock.json | sha256sum | cut -c1-16)"

# A virtual environment cannot be moved, so what is half installed lies in its place, without its mark.
install_interop() {
    rm -rf "$interop"
    python3 -m venv "$interop/venv" >/dev/null 2>&1 || {
        rm -rf "$interop"
        apt_install python3-venv && python3 -m venv "$interop/venv" >&2 || return 1
    }
    say "installing tests/interop/requirements.txt into $interop"
    "$interop/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement tests/interop/requirements.txt >&2 || return 1
    command -v npm >/dev/null || apt_install npm || return 1
    cp tests/interop/package.json tests/interop/package-lock.json "$interop/"
    (cd "$interop" && npm ci --ignore-scripts --silent --no-audit --no-fund >&2) || return 1
    touch "$interop/whole"
}

if [ "${1:-}" = test ] && [ ! -e "$interop/whole" ]; then
    exec 8>"$cache/interop.lock"
    flock 8
    [ -e "$interop/whole" ] || install_interop ||
        say "what tests/interop/ names could not be installed; the tests with others' clients will be skipped"
    exec 8>&-
fi

version=$(awk '/^name = "librocksdb-sys"$/ { getline; gsub(/"/, "", $3); print $3; exit }' Cargo.lock)
[ -n "$version" ] || fail "Cargo.lock names no librocksdb-sys"
features=lz4
target=$(rustc -vV | awk '/^host:/ { print $2 }')
compiler=$(g++ -dumpfullversion)
rocksdb="$cache/librocksdb-$version-$features-$target-gcc$compiler"

# Most of the time of a C++ compiler goes into headers, which RocksDB's 340 sources share: fourteen of them at a time
# take a third of it. RocksDB keeps its sources fit for that.
join_sources() {
    local list=$1/rocksdb_lib_sources.txt
    grep -v '^util/build_version.cc' "$list" | awk -v directory="$1/rocksdb" '{
        joined = sprintf("joined_%02d.cc", int((NR - 1) / 14))
        printf "#include \"%s\"\n", $1 >(directory "/" joined)
        if (joined != last) print joined
        last = joined
    }' >"$list.joined"
    mv "$list.joined" "$list"
}

build_rocksdb() {
    local work sources flags=
    work=$(mktemp -d "$cache/build.XXXXXX")
    trap "rm -rf '$work'" EXIT
    mkdir -p "$work/src"
    : >"$work/src/lib.rs"
    cat >"$work/Cargo.toml" <<EOF
[package]
name = "rocksdb-once"
version = "0.0.0"
edition = "2021"

[dependencies]
librocksdb-sys = { version = "=${version%%+*}", default-features = false, features = ["bindgen-runtime", "$features"] }
EOF
    sources=$(cd "$work" && cargo metadata --quiet --format-version 1 |
        grep -o '"manifest_path":"[^"]*/librocksdb-sys-[^"]*/Cargo.toml"' | cut -d'"' -f4) ||
        fail "the sources of RocksDB could not be had; the lines above say why"
    cp -r "${sources%/Cargo.toml}" "$work/librocksdb-sys"
    join_sources "$work/librocksdb-sys"
    cat >>"$work/Cargo.toml" <<EOF

[patch.crates-io]
librocksdb-sys = { path = "librocksdb-sys" }
EOF
    # Hardware checksums; every x86-64 server since 2010 has them.
    case "$target" in x86_64-*) flags="-Ctarget-feature=+sse4.2,+pclmulqdq" ;; esac
    say "compiling RocksDB ${version#*+} once, about 4 minutes on two cores, into $rocksdb"
    (cd "$work" && LIBCLANG_PATH="$libclang" RUSTFLAGS="$flags" CARGO_TARGET_DIR="$work/target" \
        cargo build --release --quiet) || fail "RocksDB did not compile; the lines above say why"
    mkdir "$work/lib"
    cp "$work"/target/release/build/librocksdb-sys-*/out/librocksdb.a "$work/lib/"
    sync "$work/lib/librocksdb.a"
    mv -T "$work/lib" "$rocksdb"
    rm -rf "$work"
}

if [ ! -f "$rocksdb/librocksdb.a" ]; then
    exec 9>"$cache/lock"
    flock 9
    [ -f "$rocksdb/librocksdb.a" ] || build_rocksdb
    exec 9>&-
fi

cat >.cargo/config.toml.new <<EOF
# Written by xtask/setup.sh; not committed.
[env]
LIBCLANG_PATH = "$libclang"
ROCKSDB_LIB_DIR = "$rocksdb"
ROCKSDB_STATIC = "1"
HOLDFAST_INTEROP = "$interop"
HOLDFAST_PROMTOOL = "$promtool"
EOF
if cmp -s .cargo/config.toml.new .cargo/config.toml; then
    rm .cargo/config.toml.new
else
    mv .cargo/config.toml.new .cargo/config.toml
fi
