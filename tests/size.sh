#!/bin/sh
# SPDX-License-Identifier: MIT
# Is the compressed guest image within its budget? tests/size.sh IMAGE.gz MAX_BYTES
set -eu

bytes=$(wc -c <"$1")
echo "$1: $bytes bytes, at most $2"
if [ "$bytes" -le "$2" ]; then
    echo "1 passed, 0 failed"
else
    echo "0 passed, 1 failed"
    exit 1
fi
