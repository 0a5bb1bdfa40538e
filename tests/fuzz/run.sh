#!/bin/sh
# SPDX-License-Identifier: MIT
# Run fuzz harnesses, two at a time: tests/fuzz/run.sh SECONDS CORPUSDIR HARNESS...
# Inputs that are found go to CORPUSDIR/NAME; a crash's input stays there as crash-*.
set -eu

seconds=$1 corpus=$2
shift 2
mkdir -p "$corpus"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

fuzz_one() {
    name=$(basename "$1")
    mkdir -p "$corpus/$name"
    if "$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 \
        -artifact_prefix="$corpus/$name/" "$corpus/$name" >"$results/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$results/$name.log")
        echo "ok $name: $runs inputs in $seconds s"
    else
        tail -n 40 "$results/$name.log"
        echo "not ok $name: its input is in $corpus/$name"
    fi >"$results/$name.out"
}

while [ $# -gt 0 ]; do
    fuzz_one "$1" &
    shift
    if [ $# -gt 0 ]; then
        fuzz_one "$1" &
        shift
    fi
    wait
done
cat "$results"/*.out
passed=$(cat "$results"/*.out | grep -c '^ok ' || true)
failed=$(cat "$results"/*.out | grep -c '^not ok ' || true)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
