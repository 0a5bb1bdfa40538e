#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh HOSTILE WORKFOLDER - damaged file systems through every reader; see hostile.c for what must
# hold.
#
#   e2fsprogs   the images of its own tests: each shows one kind of damage (or a journal)
#   xfs         images of mkfs.xfs in which xfs_db's blocktrash flips bits of metadata, and zeroes or
#               cuts blocks of each kind; the same ones for the same seed
#
# XFS_ROUNDS (default 24): damaged XFS images.
set -eu
if [ $# != 2 ]; then
    echo "usage: $0 HOSTILE WORKFOLDER; \`make check-hostile\` runs it" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
hostile=$(realpath "$1")
mkdir -p "$2"
work=$(cd "$2" && pwd)
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
passed=0 failed=0 skipped=0

# A minute is a hang: each of these images is read in a second.
try() {
    status=0
    timeout 60 "$hostile" "$1" >"$work/out" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        cat "$work/out"
        return 0
    fi
    failed=$((failed + 1))
    tail -n 40 "$work/out"
    kept=$work/failed-$(basename "$1")
    cp --sparse=always "$1" "$kept"
    echo "not ok $(basename "$1"): status $status; the image is kept as $kept"
}

e2fsprogs() {
    folder=$("$top/tools/fetch-corpora.sh") || {
        echo "skip e2fsprogs: $folder"
        skipped=$((skipped + 1))
        return 0
    }
    for f in "$folder"/*.gz; do
        image=$work/$(basename "$f" .gz)
        gzip -dc "$f" >"$image"
        try "$image"
        rm -f "$image"
    done
}

# xfs NAME NR MKFS-OPTIONS...
xfs() {
    name=$1 nr=$2
    shift 2
    base=$work/$name.base
    rm -f "$base"
    # The variables are those of the file system's own test suite: they allow small images.
    TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f "$@" -p "$work/proto" -d "file,name=$base,size=20m" \
        >"$work/log" 2>&1 || {
        cat "$work/log"
        echo "not ok $name: mkfs.xfs failed"
        failed=$((failed + 1))
        return 0
    }
    i=0
    while [ $i -lt "$nr" ]; do
        i=$((i + 1))
        cp --sparse=always "$base" "$work/$name-$i"
        # 1 to 1024 bits of 1 to 8 blocks that the file system uses
        xfs_db -x -c blockget -c "blocktrash -n $((1 + i % 8)) -s $i -x 1 -y $((1 << i % 11))" \
            "$work/$name-$i" >"$work/log" 2>&1 || true
        cmp -s "$base" "$work/$name-$i" && echo "# blocktrash changed nothing in $name-$i"
        try "$work/$name-$i"
        rm -f "$work/$name-$i"
    done
    rm -f "$base"
}

# A file for mkfs.xfs -p: directories of each format, files, links.
proto() {
    head -c 300000 /dev/urandom >"$work/content"
    {
        printf '/\n0 0\nd--755 0 0\n'
        printf 'few d--755 0 0\n'
        for n in 1 2 3; do printf 'f%s ---644 0 0 %s\n' $n "$work/content"; done
        printf 'link l--777 0 0 ../many/entry-7\n$\n'
        for dir in many:60 lots:700; do
            printf '%s d--755 0 0\n' "${dir%:*}"
            n=0
            while [ $n -lt "${dir#*:}" ]; do
                n=$((n + 1))
                printf 'entry-%s ---644 0 0 /dev/null\n' $n
            done
            printf '$\n'
        done
        printf '$\n'
    } >"$work/proto"
}

e2fsprogs
proto
rounds=${XFS_ROUNDS:-24}
xfs xfs-v5 $((rounds / 2))
xfs xfs-v4 $((rounds / 4)) -m crc=0
xfs xfs-v4-512 $((rounds / 4)) -m crc=0 -b size=512
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
