#!/bin/sh
# Stands between cargo and rustc for the crates of this workspace: coverage counters for libFuzzer, and
# `--cfg fuzzing`, under which raft and api show their private parsers.
case " $* " in
    *" --crate-name build_script_build "* | *" proc-macro "*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
