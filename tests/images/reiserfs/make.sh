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
mkdir -p "$work/more/modules"
install -m 755 "$here/init.sh" "$work/more/init"
# Linux since 5.13 takes a directory whose names are shorter than 8 bytes for damaged: it counts 24
# bytes for each entry's head, not 16. In 3.5 that is every empty one, so it could write none: skip
# that one comparison (and the signature, which no longer fits).
python3 - "$work/d12/root/modules/reiserfs.ko" "$work/more/modules/reiserfs.ko" <<'END'
import re, struct, sys
module = open(sys.argv[1], "rb").read()
#                       lea (r10,r10,2)   shl 3, r10      cmp r10, r8   jb
module, nr = re.subn(rb"(\x4f\x8d\x14\x52\x49\xc1\xe2\x03\x4d\x39\xd0)\x72.", b"\\1\x90\x90", module,
                     flags=re.S)
mark = b"~Module signature appended~\n"
if nr != 1 or not module.endswith(mark):
    sys.exit("this reiserfs.ko is not as make.sh knows it")
module = module[:-len(mark)]
module = module[:-12 - struct.unpack(">I", module[-4:])[0]]
open(sys.argv[2], "wb").write(module)
END
(cd "$work/more" && find init modules | cpio -o -H newc --quiet -R 0:0 | gzip) >"$work/more.gz"
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
    -append "console=ttyS0 quiet panic=-1 rdinit=/init" -serial stdio "$@" </dev/null
for name in clean dirty moved; do
    xz -9e -c "$work/$name.img" >"$here/$name.img.xz"
done
ls -l "$here"/*.xz
