#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tests/core-symbols/check.sh OBJECT... - that core/ is portable: it is linked alone, and may then
# miss only what allowed.txt lists; it has no variables; its sources include nothing but themselves,
# a few headers and, in core/unpack and core/menu/digest.h, the libraries', and do not ask where they
# are built for.
set -eu

here=$(dirname "$0")
passed=0 failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

verdict() { # NAME FILE-WITH-FINDINGS
	if [ -s "$2" ]; then
		sed 's/^/    /' "$2"
		failed=$((failed + 1))
		echo "not ok $1"
	else
		passed=$((passed + 1))
		echo "ok $1"
	fi
}

[ $# -gt 0 ] || {
	echo "core-symbols: no objects were given" >&2
	exit 2
}

# 1. undefined symbols
ld -r -o "$tmp/core.o" "$@" 2>/dev/null || # a 32-bit build needs its own emulation
	ld -m elf_i386 -r -o "$tmp/core.o" "$@"
sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$here/allowed.txt" | LC_ALL=C sort -u >"$tmp/allowed"
nm -u "$tmp/core.o" | awk '{ print $NF }' | LC_ALL=C sort -u >"$tmp/undefined"
[ -s "$tmp/undefined" ] || echo "core.o has no undefined symbol at all: was it built?" >"$tmp/wrong"
LC_ALL=C comm -13 "$tmp/allowed" "$tmp/undefined" | while read -r symbol; do
	nm -u -A "$@" | awk -v s="$symbol" '$NF == s { sub(/:$/, "", $1); sub(/:.*/, "", $1)
		print $1 " asks for " s ", which is not in tests/core-symbols/allowed.txt" }'
done >>"$tmp/wrong"
verdict "core asks for nothing unexpected" "$tmp/wrong"

# 2. variables: anything in a section that can be written, or common
nm -A "$@" | awk '$(NF - 1) ~ /^[BbCDdGgSs]$/ { sub(/:.*/, "", $1)
	print $1 " has the variable " $NF }' >"$tmp/wrong"
objdump -h "$@" | awk '/file format/ { sub(/:.*/, ""); file = $0 }
	$2 ~ /^\.(data|bss|tdata|tbss)/ && $3 !~ /^0+$/ { print file " has " $2 " of 0x" $3 " bytes" }' \
	>>"$tmp/wrong"
verdict "core has no variables" "$tmp/wrong"

# 3. headers
sources=$(find core -name '*.[ch]' | LC_ALL=C sort)
# shellcheck disable=SC2086 # one word a file
grep -nE '^[[:space:]]*#[[:space:]]*include' $sources |
	grep -vE 'include[[:space:]]+"core/[a-z0-9_/]+\.h"' |
	grep -vE 'include[[:space:]]+<(stdbool|stddef|stdint|string|stdarg|limits)\.h>' |
	grep -vE '^core/unpack/.*include[[:space:]]+<(zlib|bzlib|lzma|lz4|zstd|zstd_errors)\.h>' |
	grep -vE '^core/menu/digest\.h:.*include[[:space:]]+<mbedtls/(md5|sha256|sha512)\.h>' \
		>"$tmp/wrong" || true
verdict "core includes only itself, freestanding headers and <string.h>" "$tmp/wrong"

# 4. one core for all builds
# shellcheck disable=SC2086
grep -nEi '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif).*(GUEST|HOST|__XEN|__linux|__unix|_WIN32|FUZZ)' \
	$sources >"$tmp/wrong" || true
verdict "core does not ask for whom it is built" "$tmp/wrong"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
