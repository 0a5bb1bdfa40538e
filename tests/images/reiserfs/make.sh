#!/bin/sh
# SPDX-License-Identifier: MIT
# make.sh - the images of this folder, for unit tests and the fuzzer: made by mkreiserfs, written by
# Debian 12's kernel in a guest (init.sh). They lie here because mkreiserfs cannot fill an image.
# Needs reiserfsprogs, QEMU and what tests/images/guest.sh needs; takes half a minute.
#
#   clean.img.xz   3.6, R5, blocks of 4096 bytes, unmounted
#   dirty.img.xz   3.5, TEA, blocks of 1024 bytes, a journal of the smallest size that has gone round
#                  several times; not unmounted
#   moved.img.xz   3.6, Yura's hash, "non-standard journal", data=journal; not unmounted
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$here/../guest.sh" "$work" d12
mkdir "$work/more"
install -m 755 "$here/init.sh" "$work/more/init"
(cd "$work/more" && echo init | cpio -o -H newc --quiet -R 0:0 | gzip) >"$work/more.gz"
cat "$work/d12/initrd.gz" "$work/more.gz" >"$work/initrd.gz"

# make NAME SIZE OPTIONS...
make() {
    name=$1
    truncate -s "$2" "$work/$name.img"
    shift 2
    mkreiserfs -f -f -q "$@" "$work/$name.img" >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
}
make clean 3M -u 01234567-89ab-cdef-0123-456789abcdef -s 513 -l a-label
make dirty 1200K -b 1024 --format 3.5 -h tea -s 513
make moved 1200K -u 01234567-89ab-cdef-0123-456789abcdef -b 1024 -h rupasov -s 513 -j "$work/moved.img"
set --
for name in clean dirty moved; do
    set -- "$@" -drive "if=none,id=$name,format=raw,cache=unsafe,file=$work/$name.img" \
        -device "virtio-blk-pci,drive=$name,serial=$name"
done
timeout -k 5 300 qemu-system-x86_64 -machine pc,accel=tcg -cpu qemu64 -m 256 -display none -nodefaults \
    -no-reboot -kernel "$work/d12/vmlinuz" -initrd "$work/initrd.gz" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init" -serial stdio "$@" </dev/null
for name in clean dirty moved; do
    xz -9e -c "$work/$name.img" >"$here/$name.img.xz"
done
ls -l "$here"/*.xz
