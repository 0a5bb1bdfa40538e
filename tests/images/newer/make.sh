#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh - the stored images beside this script, made with newer tools than Debian 12's:
# xfsprogs and e2fsprogs of Debian's sid (7.2.0 and 1.47.4 when they were made), unpacked into the
# cache and run with their own libraries. Needs no root. The tests only read what is stored.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
# shellcheck source=host/xenhost/debs.sh
. "$top/host/xenhost/debs.sh"
# shellcheck source=host/xenhost/suites.sh
. "$top/host/xenhost/suites.sh"
debs_cache
tree=$PVBOOT_CACHE_DIR/debs/newer-tools_sid
suite_tree sid "$tree" xfsprogs e2fsprogs libc6 libblkid1 libuuid1 libext2fs2t64 libcom-err2 libss2 \
    libinih1 liburcu8t64 libedit2 libdevmapper1.02.1 libselinux1 libudev1 libpcre2-8-0 libtinfo6 libbsd0 \
    libmd0 libcap2 libgcc-s1 || die "the newer tools cannot be had: $why"
libs=$tree/usr/lib/x86_64-linux-gnu

newer() { # PROGRAM ARGUMENT...
    program=$1
    shift
    "$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$tree/usr/sbin/$program" "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../tree.py" "$work/tree" --small
python3 "$here/../proto.py" "$work/tree" >"$work/proto"

xfs() { # NAME OPTION...
    name=$1
    shift
    truncate -s 96M "$work/$name.img"
    newer mkfs.xfs -q -f --unsupported -p "$work/proto" -L "$name" "$@" "$work/$name.img"
    store "$name"
}

ext() { # NAME OPTION...
    name=$1
    shift
    newer mke2fs -q -F -t ext4 -N 1000 -E lazy_itable_init=0,root_owner=0:0 -d "$work/tree" "$@" \
        "$work/$name.img" 32M
    store "$name"
}

store() {
    xz -9e -c "$work/$1.img" >"$here/$1.img.xz"
    ls -l "$here/$1.img.xz"
}

# What mke2fs turns on by itself stands in this file.
MKE2FS_CONFIG=$tree/etc/mke2fs.conf
export MKE2FS_CONFIG
xfs xfs-72
xfs xfs-72-all -m rmapbt=1,metadir=1,autofsck=1 -n parent=1 -i exchange=1,nrext64=1
ext ext4-1474
ext ext4-1474-all -O orphan_file,metadata_csum_seed,casefold,inline_data,ea_inode,large_dir,verity,project
