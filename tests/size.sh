#!/bin/sh
# SPDX-License-Identifier: MIT
# Are the compressed guest images within their budget? tests/size.sh MAX_BYTES IMAGE.gz...
set -eu

[ $# -ge 2 ] || { echo "usage: $0 MAX_BYTES IMAGE.gz..." >&2; exit 2; }
max=$1 passed=0 failed=0
shift
for image; do
    bytes=$(wc -c <"$image")
    echo "$image: $bytes bytes, at most $max"
    if [ "$bytes" -le "$max" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
