#!/bin/sh
# SPDX-License-Identifier: MIT
# commands.sh PVBOOT WORKFOLDER - what ls and cat answer besides listings: statuses, sentences, a
# file's bytes, two disks, the ways in which qcow2 stores an image.
set -eu
pvboot=$(realpath "$1")
mkdir -p "$2"
work=$(cd "$2" && pwd)
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "not ok $1: $2"
    failed=$((failed + 1))
}

# expect STATUS TEXT ARGUMENT...: pvboot's status, and what it says.
expect() {
    want_status=$1 want=$2
    shift 2
    status=0
    "$pvboot" "$@" >"$work/command.out" 2>"$work/command.err" || status=$?
    if [ "$status" = "$want_status" ] && grep -qF -- "$want" "$work/command.out" "$work/command.err"; then
        passed=$((passed + 1))
    else
        cat "$work/command.out" "$work/command.err"
        fail "pvboot $*" "status $status, expected $want_status with: $want"
    fi
}

check_commands() {
    mkdir -p "$work/small/boot/grub" "$work/small2/boot"
    echo "title one" >"$work/small/boot/grub/menu.lst"
    echo "both" | tee "$work/small/boot/both" >"$work/small2/boot/both"
    echo "second" >"$work/small2/boot/second"
    for n in small small2; do
        mke2fs -q -F -t ext4 -d "$work/$n" "$work/$n.img" 4M >/dev/null 2>&1
    done
    qemu-img create -q -f qcow2 -b "$work/small.img" -F raw "$work/backed.qcow2"
    # Of the other kind, LUKS, only the number in the header: to make it qemu-img measures its own
    # processor time, which fails on a busy machine.
    qemu-img create -q -f qcow2 --object secret,id=s,data=x \
        -o encrypt.format=aes,encrypt.key-secret=s "$work/secret.qcow2" 4M
    cp "$work/secret.qcow2" "$work/luks.qcow2"
    printf '\002' | dd of="$work/luks.qcow2" bs=1 seek=35 conv=notrunc 2>/dev/null
    expect 0 "title one" cat "$work/small.img" /boot/grub/menu.lst
    expect 0 "title one" cat "$work/small.img" "(hd0)/boot/grub/menu.lst"
    expect 0 "drwxr-xr-x" ls -l "$work/small.img" /boot
    expect 0 "/boot/grub/menu.lst" ls -R "$work/small.img" /
    expect 0 "using (hd1)/boot/both (ext4)" cat --disk "$work/small.img" "$work/small2.img" /boot/both
    expect 0 "using (hd0)/boot/second (ext4)" cat --disk "$work/small.img" "$work/small2.img" /boot/second
    expect 0 "second" cat --disk "$work/small2.img" "$work/small.img" "(hd1)/boot/second"
    expect 0 "example: pvboot ls" ls --help
    expect 1 "an IMAGE and a PATH are needed" ls "$work/small.img"
    expect 1 "unknown option -x" cat -x "$work/small.img" /
    expect 2 "Error 15: File not found: (hd0)/boot/none (ext4); /boot holds: " cat "$work/small.img" /boot/none
    expect 2 "Error 2: Bad file or directory type: /boot (a directory" cat "$work/small.img" /boot
    expect 2 "No such file or directory" ls "$work/none.img" /
    expect 2 "Error 21: Selected disk does not exist" ls "$work/small.img" "(hd1)/"
    expect 2 "a qcow2 image with a backing file" ls "$work/backed.qcow2" /
    expect 2 "an encrypted qcow2 image" ls "$work/secret.qcow2" /
    expect 2 "an encrypted qcow2 image" ls "$work/luks.qcow2" /
    truncate -s 100 "$work/tiny.img"
    expect 2 "less than one sector" ls "$work/tiny.img" /
    dd if=/dev/urandom of="$work/noise.img" bs=64k count=4 2>/dev/null
    expect 2 "nothing on the disks can be mounted" ls "$work/noise.img" /
    if "$pvboot" cat "$work/small.img" /boot/both >/dev/full 2>/dev/null; then
        fail "cat to a full disk" "status 0"
    else
        passed=$((passed + 1))
    fi
}

# One image again, in the ways in which qcow2 stores it.
check_qcow2() {
    rm -rf "$work/tree"
    python3 "$here/tree.py" "$work/tree"
    rm -f "$work/whole.img"
    mke2fs -q -F -t ext4 -N 12000 -d "$work/tree" "$work/whole.img" 160M >/dev/null 2>&1
    "$pvboot" ls -R --json --sha256 "$work/whole.img" '(hd0)/' >"$work/whole.out"
    for options in "-o compat=0.10" "-c" "-c -o compression_type=zstd,cluster_size=4096" \
        "-o preallocation=metadata,cluster_size=2M"; do
        # shellcheck disable=SC2086 # options
        qemu-img convert -O qcow2 $options "$work/whole.img" "$work/whole.qcow2"
        if "$pvboot" ls -R --json --sha256 "$work/whole.qcow2" '(hd0)/' | cmp - "$work/whole.out"; then
            passed=$((passed + 1))
        else
            fail "qcow2 $options" "reads differently"
        fi
    done
    rm -rf "$work/tree" "$work"/whole.*
}

passed=0 failed=0
check_commands
check_qcow2
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
