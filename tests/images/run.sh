#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PVBOOT WORKFOLDER [NAME]... - file systems read by pvboot, compared with Linux.
#
# Makes images with the real mke2fs, each with other features; lets a Linux guest (QEMU, no KVM)
# write to some of them, mount all, and report each file's type, size, mode, target and SHA-256; and
# compares that with what `pvboot ls -R --json --sha256` says. With NAMEs, only these images.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pvboot=$(realpath "$1")
mkdir -p "$2"
work=$(cd "$2" && pwd)
shift 2
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
guest_seconds=900

# name, kind, mke2fs options. "r" is filled by mke2fs -d and only read by the guest ("r3": with a
# file of triple indirection); "w-N" is made empty and written by the guest, with directories of N
# entries.
images() {
    cat <<'END'
ext2-rev0       r3      -t ext2 -r 0 -b 1024
ext2-1k-128     r3      -t ext2 -b 1024 -I 128
ext2-4k-256     r       -t ext2 -b 4096 -I 256
ext3-1k-128     r3      -t ext3 -b 1024 -I 128
ext3-2k-256     r       -t ext3 -b 2048 -I 256
ext3-4k-128     r       -t ext3 -b 4096 -I 128
ext4-2010-128   r       -t ext4 -b 4096 -I 128 -O ^64bit,^metadata_csum,uninit_bg
ext4-2010-256   r3      -t ext4 -b 1024 -I 256 -O ^64bit,^metadata_csum,uninit_bg,huge_file
ext4-nocsum     r       -t ext4 -b 2048 -O 64bit,^metadata_csum,^uninit_bg
ext4-64gdt      r       -t ext4 -b 1024 -O 64bit,^metadata_csum,uninit_bg
ext4-1k         r3      -t ext4 -b 1024
ext4-2k         r       -t ext4 -b 2048
ext4-4k         r       -t ext4 -b 4096
ext4-32csum     r       -t ext4 -b 1024 -O ^64bit,metadata_csum
ext4-128csum    r       -t ext4 -b 4096 -I 128 -O metadata_csum
ext4-1024inode  r       -t ext4 -b 4096 -I 1024
ext4-2025       r       -t ext4 -b 4096 -O metadata_csum_seed,orphan_file
ext4-noflex     r       -t ext4 -b 1024 -O ^flex_bg,^resize_inode
ext4-noextent   r3      -t ext4 -b 1024 -O ^extent,^64bit
ext4-nojournal  r       -t ext4 -b 4096 -O ^has_journal
ext4-metabg     r       -t ext4 -b 1024 -g 2048 -O meta_bg,^resize_inode
ext4-metabg32   r       -t ext4 -b 1024 -g 1024 -O meta_bg,^resize_inode,^64bit,^metadata_csum
ext4-super2     r       -t ext4 -b 1024 -g 2048 -O meta_bg,^resize_inode,sparse_super2
ext4-nosparse   r       -t ext4 -b 1024 -O ^sparse_super,^resize_inode
ext4-bigalloc   r       -t ext4 -b 4096 -C 65536 -O bigalloc
ext4-more       r       -t ext4 -b 4096 -O mmp,quota,project,ea_inode,large_dir,stable_inodes
ext4-inline     r       -t ext4 -b 4096 -O inline_data
ext4-inline1k   r       -t ext4 -b 1024 -I 512 -O inline_data,^metadata_csum
ext4-casefold   r       -t ext4 -b 4096 -O casefold -E encoding=utf8
k-ext2-1k       w-3000  -t ext2 -b 1024 -I 128
k-ext3-2k       w-6000  -t ext3 -b 2048
k-ext4-1k       w-20000 -t ext4 -b 1024
k-ext4-4k       w-6000  -t ext4 -b 4096
k-ext4-2010     w-3000  -t ext4 -b 1024 -I 128 -O ^64bit,^metadata_csum,uninit_bg
k-ext4-metabg   w-3000  -t ext4 -b 1024 -g 2048 -O meta_bg,^resize_inode
k-ext4-inline   w-3000  -t ext4 -b 4096 -O inline_data
k-ext4-bigalloc w-3000  -t ext4 -b 1024 -C 8192 -O bigalloc
k-ext4-largedir w-12000 -t ext4 -b 1024 -O large_dir
END
}

wanted() {
    [ $# -gt 1 ] || return 0
    want=$1
    shift
    for n in "$@"; do
        [ "$n" != "$want" ] || return 0
    done
    return 1
}

make_images() {
    rm -rf "$work/tree" "$work/tree3" "$work"/*.img
    python3 "$here/tree.py" "$work/tree"
    python3 "$here/tree.py" "$work/tree3" --triple
    : >"$work/list"
    images | while read -r name kind options; do
        wanted "$name" "$@" || continue
        case $kind in
        r) tree="-d $work/tree" ;;
        r3) tree="-d $work/tree3" ;;
        *) tree= ;;
        esac
        # shellcheck disable=SC2086 # options
        mke2fs -q -F $options -N 12000 -E lazy_itable_init=0,root_owner=0:0 $tree \
            "$work/$name.img" 160M >"$work/$name.log" 2>&1 ||
            { cat "$work/$name.log"; echo "not ok $name: mke2fs failed"; exit 1; }
        echo "$name $kind" >>"$work/list"
    done
}

# Every image is a function of a PCI slot: 8 to a slot.
run_guest() {
    truncate -s 256M "$work/report.img"
    set -- -device virtio-blk-pci,drive=report,serial=report,addr=0x4 \
        -drive if=none,id=report,format=raw,file="$work/report.img"
    i=0
    while read -r name kind; do
        slot=$((5 + i / 8)) function=$((i % 8))
        set -- "$@" -drive "if=none,id=d$i,format=raw,cache=unsafe,file=$work/$name.img" -device \
            "virtio-blk-pci,drive=d$i,serial=$kind-$i,addr=$(printf '0x%x.%x' $slot $function),multifunction=on"
        i=$((i + 1))
    done <"$work/list"
    timeout "$guest_seconds" qemu-system-x86_64 -machine pc,accel=tcg -cpu qemu64 -m 512 -display none \
        -nodefaults -no-reboot -kernel "$work/vmlinuz" -initrd "$work/initrd.gz" \
        -append "console=ttyS0 quiet panic=-1 rdinit=/init" -serial file:"$work/console.log" \
        "$@" </dev/null || echo "the guest did not end by itself (status $?)"
    tr -d '\0' <"$work/report.img" >"$work/report.txt"
}

# The lines of one image from the guest's report.
linux_lines() {
    awk -v want="# image $1" '/^# / { on = $0 == want; next } on' "$work/report.txt" | sort
}

fail() {
    echo "not ok $1: $2"
    failed=$((failed + 1))
}

# The first image again, in the ways in which qcow2 stores it.
compare_qcow2() {
    [ "$passed" = 0 ] || return 0
    for options in "-o compat=0.10" "-c" "-c -o compression_type=zstd,cluster_size=4096" \
        "-o preallocation=metadata,cluster_size=2M"; do
        # shellcheck disable=SC2086 # options
        qemu-img convert -O qcow2 $options "$work/$1.img" "$work/$1.qcow2"
        "$pvboot" ls -R --json --sha256 "$work/$1.qcow2" '(hd0)/' | cmp - "$work/$1.out" || return 1
    done
    rm -f "$work/$1.qcow2"
}

compare() {
    name=$1 serial=$2
    if grep -q "^# failed $serial " "$work/report.txt"; then
        fail "$name" "in the guest: $(grep "^# failed $serial " "$work/report.txt")"
        return 0
    fi
    linux_lines "$serial" >"$work/$name.linux"
    if [ ! -s "$work/$name.linux" ]; then
        fail "$name" "the guest reported nothing; see $work/console.log"
        return 0
    fi
    if ! "$pvboot" ls -R --json --sha256 "$work/$name.img" '(hd0)/' >"$work/$name.out" \
        2>"$work/$name.err"; then
        fail "$name" "$(head -n 3 "$work/$name.err")"
        return 0
    fi
    sort "$work/$name.out" >"$work/$name.pvboot"
    if ! cmp -s "$work/$name.linux" "$work/$name.pvboot"; then
        diff "$work/$name.linux" "$work/$name.pvboot" | head -n 10
        fail "$name" "Linux (<) and pvboot (>) differ"
        return 0
    fi
    if ! compare_qcow2 "$name"; then
        fail "$name" "the same image as qcow2 reads differently"
        return 0
    fi
    echo "ok $name: $(wc -l <"$work/$name.linux") files"
    passed=$((passed + 1))
    rm -f "$work/$name.img" "$work/$name.out"
}

# What ls and cat answer besides listings: statuses, sentences, a file's bytes, two disks.
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
    qemu-img create -q -f qcow2 --object secret,id=s,data=x \
        -o encrypt.format=luks,encrypt.key-secret=s "$work/secret.qcow2" 4M
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

passed=0 failed=0
sh "$here/guest.sh" "$work"
make_images "$@"
run_guest
grep -q '^# end$' "$work/report.txt" || { tail -n 20 "$work/console.log"; fail guest "no end of the report"; }
i=0
while read -r name kind; do
    compare "$name" "$kind-$i"
    i=$((i + 1))
done <"$work/list"
check_commands
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
