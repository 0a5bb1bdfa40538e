# SPDX-License-Identifier: MIT
"""The guest cases: what pvboot must do with real kernels on a real Xen. File systems with a journal
to replay, partition tables and volumes are in cases_fs.py."""

import gzip
import re
from pathlib import Path

from common import ARGS, LZ4, MARKER, MARKER_HASH, OLD, XZ, ZSTD, also_newest, booted, case, menu, system
from images import KERNELS, Missing, block_sectors


def kernel_case(t, kernel, vdev="xvda", dev="xvda"):
    d = system(t, kernel, "pv.read=%s:etc/marker pv.write=%s" % (dev, dev))
    g = t.boot(disks=[(d, vdev)])
    r = booted(t, g, kernel)
    t.equal(r["read"], ["%s:etc/marker %s" % (dev, MARKER_HASH)], "file read by the guest's own driver")
    t.equal(r["written"], [dev], "file written and read back")


@case
def debian12_xz(t):
    """Debian 12's kernel (xz) boots with its command line and initrd, reads and writes its disk"""
    kernel_case(t, XZ)


@also_newest
@case
def debian12_cloud_lz4(t):
    """Debian 12's cloud kernel (lz4) boots, reads and writes its disk"""
    kernel_case(t, LZ4)


@case
def debian13_cloud_zstd(t):
    """Debian 13's cloud kernel (zstd) boots, reads and writes its disk"""
    kernel_case(t, ZSTD)


@case
def ec2_device_name(t):
    """A disk named sda1, whole file system, as EC2 has it (Linux calls it xvda1)"""
    kernel_case(t, LZ4, "sda1", "xvda1")


@case
def memtotal(t):
    """MemTotal is direct boot's to within 64 KiB"""
    d = system(t, XZ, "pv.read=xvda:etc/marker", blob_mib=30)
    args = "%s entry=good pv.read=xvda:etc/marker" % ARGS
    a = booted(t, t.boot(disks=[(d, "xvda")], memory=512), XZ, 30)
    direct = t.boot(disks=None, memory=512, kernel=KERNELS.vmlinuz(XZ),
                    ramdisk=t.images.initrd(XZ, 30), extra=args)
    b = booted(t, direct, XZ, 30)
    mine, theirs = int(a["memtotal"][0]), int(b["memtotal"][0])
    t.note("MemTotal: pvboot %d kB, direct %d kB" % (mine, theirs))
    t.check(abs(mine - theirs) <= 64, "MemTotal %d kB, direct boot has %d kB" % (mine, theirs))


@also_newest
@case
def save_restore(t):
    """xl save and xl restore work on the booted guest"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker pv.wait")
    g = t.start(disks=[(d, "xvda")], memory=192)
    t.host.wait_console(g, r"T: waiting", 120)
    g = t.save_and_restore(g)
    t.host.command("input", g.name, "after-restore\n")
    t.finish(g)
    r = g.report()
    t.equal(r["resumed"], ["after-restore"], "the guest goes on after restore")
    t.equal(r["again"], ["xvda:etc/marker " + MARKER_HASH], "the disk can be read after restore")
    t.equal(g.reason, "poweroff", "the guest's end")


def errors_before_kernel(g):
    """The numbered error lines that the loader showed."""
    before = g.console.replace("\r", "").split("Linux version")[0]
    return [line for line in before.split("\n") if line.startswith("Error ")]


def fallback_case(t, error, first_file, bad=None):
    files = {"/boot/first": bad} if bad is not None else {}
    first = ("bad", "(hd0)", "%s %s entry=bad" % (first_file, ARGS), "/boot/initrd")
    d = system(t, LZ4, first=first, files=files)
    g = t.boot(disks=[(d, "xvda")])
    booted(t, g, LZ4)
    lines = errors_before_kernel(g)
    t.equal([line.split(":")[0] for line in lines], ["Error %d" % error], "the first entry's error")
    t.check("(hd0)" + first_file in lines[0], "the error names the file %s" % first_file)


@case
def fallback_missing(t):
    """The fallback entry boots when the first one's kernel file is missing"""
    fallback_case(t, 15, "/boot/vmlinuz-of-yesterday")


@case
def fallback_truncated(t):
    """The fallback entry boots when the first one's kernel file is truncated"""
    whole = KERNELS.vmlinuz(LZ4).read_bytes()
    fallback_case(t, 14, "/boot/first", whole[:len(whole) * 2 // 3])


@case
def fallback_not_a_kernel(t):
    """The fallback entry boots when the first one's kernel file is not a kernel"""
    fallback_case(t, 13, "/boot/first", b"#!/bin/sh\necho this is not a kernel\n" * 500)


@case
def fallback_empty_file(t):
    """The fallback entry boots when the first one's kernel file is empty"""
    fallback_case(t, 14, "/boot/first", b"")


@case
def fallback_missing_initrd(t):
    """The fallback entry boots when the first one's initrd is missing"""
    first = ("bad", "(hd0)", "/boot/vmlinuz %s entry=bad" % ARGS, "/boot/no-such-initrd")
    g = t.boot(disks=[(system(t, LZ4, first=first), "xvda")])
    booted(t, g, LZ4)
    lines = errors_before_kernel(g)
    t.check(len(lines) == 1 and lines[0].startswith("Error 15: ") and
            "(hd0)/boot/no-such-initrd" in lines[0], "error 15 names the initrd: %s" % lines)


@case
def no_fallback(t):
    """Without a fallback and with nobody there, the guest ends with the reason crash"""
    d = t.images.disk({"/boot/grub/menu.lst": menu(
        ("only", "(hd0)", "/boot/vmlinuz-none %s" % ARGS, None))})
    g = t.boot(disks=[(d, "xvda")])
    t.equal(g.reason, "crash", "the guest's end")
    lines = errors_before_kernel(g)
    t.check(len(lines) == 1 and lines[0].startswith("Error 15: ") and
            "(hd0)/boot/vmlinuz-none" in lines[0], "error 15 names the file: %s" % lines)


@case
def no_menu(t):
    """A disk without a menu: each place is listed, the guest ends with the reason crash"""
    d = t.images.disk({"/etc/marker": MARKER})
    g = t.boot(disks=[(d, "xvda")])
    t.equal(g.reason, "crash", "the guest's end")
    tried = g.console.replace("\r", "").partition("these places were tried")[2]
    t.check("(hd0)/boot/grub" in tried or "(hd0):" in tried, "the places tried are named")


@case
def several_drives(t):
    """Two disks, an empty CD drive and a read-only disk; the kernel lies on the second disk"""
    second = t.images.disk({"/boot/vmlinuz": KERNELS.vmlinuz(LZ4),
                            "/boot/initrd": t.images.initrd(LZ4),
                            "/etc/marker": MARKER}, fs="ext3")
    first = t.images.disk({"/boot/grub/menu.lst": menu(
        ("second disk", "(hd1)", "/boot/vmlinuz %s entry=good pv.read=xvdb:etc/marker "
         "pv.read=xvdd:etc/read-only" % ARGS, "/boot/initrd"))})
    locked = t.images.disk({"/etc/read-only": MARKER}, fs="ext2")
    g = t.boot(disks=[(first, "xvda"), (second, "xvdb"), (None, "xvdc"), (locked, "xvdd", "r")])
    r = booted(t, g, LZ4)
    t.equal(r["read"], ["xvdb:etc/marker " + MARKER_HASH, "xvdd:etc/read-only " + MARKER_HASH],
            "files on the second and on the read-only disk")
    disks = {line.split()[0]: line.split()[1:] for line in r["disk"]}
    t.equal(disks["xvdd"][1], "ro=1", "the read-only disk is read-only in the guest")
    before = g.console.split("Linux version")[0]
    for n in ("(hd0)", "(hd1)", "(hd2)"):
        t.check(n in before, "%s is in the banner" % n)
    t.check("(hd3)" not in before, "the empty CD drive is not numbered")


@case
def memory_128(t):
    """128 MiB of memory and a 32 MiB initrd: all of it arrives, and init runs"""
    # What the kernel unpacks must fit beside it, so most of the 32 MiB is padding.
    content = Path(t.images.initrd(LZ4)).read_bytes()
    d = system(t, LZ4, files={"/boot/initrd": content.ljust(32 << 20, b"\0")})
    g = t.boot(disks=[(d, "xvda")], memory=128)
    booted(t, g, LZ4)
    mem = re.search(r"RAMDISK: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]", g.console)
    t.check(mem, "the kernel tells where its initrd lies")
    t.equal(int(mem[2], 16) + 1 - int(mem[1], 16), 32 << 20, "size of the initrd in memory")


@case
def memory_128_init(t):
    """128 MiB of memory and a small initrd: to init and back"""
    booted(t, t.boot(disks=[(system(t, LZ4), "xvda")], memory=128), LZ4)


@case
def vcpus_4(t):
    """4 vcpus (1 in all other cases)"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker")
    r = booted(t, t.boot(disks=[(d, "xvda")], vcpus=4, seconds=240), LZ4)
    t.equal(r["cpus"], ["4"], "processors in the guest")


@case
def initrd_256(t):
    """A 256 MiB initrd arrives whole"""
    d = system(t, LZ4, blob_mib=254)
    booted(t, t.boot(disks=[(d, "xvda")], memory=1024, seconds=400), LZ4, 254)


@case
def maxmem(t):
    """Memory below maxmem (a balloon)"""
    g = t.boot(disks=[(system(t, LZ4), "xvda")], memory=256, maxmem=512)
    booted(t, g, LZ4)


def failing_disk(t, fallback):
    whole = KERNELS.vmlinuz(LZ4)
    first = ("bad", "(hd0)", "/boot/first %s entry=bad" % ARGS, "/boot/initrd")
    d = system(t, LZ4, first=first, files={"/boot/first": whole},
               head="default 0\ntimeout 0\n" + ("fallback 1\n" if fallback else ""),
               options=("-b", "4096"))
    sectors = block_sectors(d, "/boot/first", 4096)
    bad = sectors[len(sectors) // 2]
    g = t.boot(disks=[(d, "xvda", "fail=%d" % bad)])
    lines = errors_before_kernel(g)
    t.check(len(lines) == 1 and lines[0].startswith("Error 25: ") and "(hd0)" in lines[0] and
            re.search(r"sector %d\b" % bad, lines[0]),
            "error 25 names the disk and sector %d: %s" % (bad, lines))
    return g


@case
def failing_sectors(t):
    """A disk whose sectors fail: the error names disk and sector, then the fallback entry"""
    g = failing_disk(t, True)
    booted(t, g, LZ4)


@case
def failing_sectors_no_fallback(t):
    """The same without a fallback: the guest ends with the reason crash"""
    g = failing_disk(t, False)
    t.equal(g.reason, "crash", "the guest's end")


@case
def sectors_4096(t):
    """A disk with sectors of 4096 bytes"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker pv.write=xvda", options=("-b", "4096"))
    r = booted(t, t.boot(disks=[(d, "xvda", "sector=4096")]), LZ4)
    t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest")
    t.equal(r["written"], ["xvda"], "file written and read back")


@case
def ext2_of_2010(t):
    """ext2 as 2010's mke2fs made it: 1 KiB blocks, indirect blocks, 128-byte inodes"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker", fs="ext2",
               options=OLD + ("-b", "1024", "-I", "128", "-r", "1"))
    booted(t, t.boot(disks=[(d, "xvda")]), LZ4)


@case
def ext3_of_2010(t):
    """ext3 with 2 KiB blocks and indirect blocks"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker", fs="ext3",
               options=("-O", "^64bit,^metadata_csum,^flex_bg,^extent", "-b", "2048"))
    booted(t, t.boot(disks=[(d, "xvda")]), LZ4)


@case
def symlinks(t):
    """menu.lst and the kernel behind symbolic links"""
    d = t.images.disk({
        "/boot/vmlinuz-real": KERNELS.vmlinuz(LZ4),
        "/boot/initrd-real": t.images.initrd(LZ4),
        "/vmlinuz": ("link", "boot/vmlinuz-real"),
        "/boot/initrd": ("link", "/boot/initrd-real"),
        "/boot/grub/menu.lst": ("link", "../../etc/menu.lst"),
        "/etc/menu.lst": menu(("links", "(hd0)", "/vmlinuz %s entry=good" % ARGS, "/boot/initrd")),
    })
    booted(t, t.boot(disks=[(d, "xvda")]), LZ4)


@case
def menu_named_by_command_line(t):
    """The guest's command line names the menu"""
    other = menu(("other", "(hd0)", "/boot/vmlinuz %s entry=other" % ARGS, "/boot/initrd"))
    d = system(t, LZ4, files={"/srv/other.lst": other})
    g = t.boot(disks=[(d, "xvda")], extra="(hd0)/srv/other.lst")
    booted(t, g, LZ4, entry="other")


@case
def ec2_command_line(t):
    """EC2's command line for the loader is not taken for a menu"""
    g = t.boot(disks=[(system(t, LZ4), "xvda")], extra="root=/dev/sda1 ro 4")
    booted(t, g, LZ4)


@case
def reboot(t):
    """A reboot of the guest is seen as one, and the next boot works on the same disk"""
    d = system(t, LZ4, "pv.write=xvda pv.end=reboot")
    t.add_disks([(d, "xvda")])
    for _ in range(2):
        g = t.boot(disks=None)
        t.equal(g.reason, "reboot", "the guest's end")
        t.equal(g.report()["written"], ["xvda"], "file written and read back")


@case
def guest_crash(t):
    """A kernel that crashes later ends with the reason crash"""
    d = system(t, LZ4, "pv.end=crash")
    g = t.boot(disks=[(d, "xvda")])
    t.equal(g.reason, "crash", "the guest's end")
    t.check("done" in g.report(), "init had run before")


@case
def two_at_once(t):
    """Two guests boot at the same time from their own disks"""
    a = t.start(disks=[(system(t, LZ4), "xvda")])
    b = t.start(disks=[(system(t, XZ), "xvda")], name="second", prefix="e")
    t.finish(a)
    t.finish(b)
    booted(t, a, LZ4)
    booted(t, b, XZ)


GRUB = Path("/usr/lib/grub-xen/grub-x86_64-xen.bin")


@case
def started_by_grub(t):
    """Debian's GRUB image for Xen starts pvboot from the disk, /boot/xen/pvboot-x86_64.elf"""
    if not GRUB.exists():
        raise Missing("%s is missing; package grub-xen-host has it" % GRUB)
    # GRUB 2.06 cannot read a file system with metadata_csum_seed.
    d = system(t, LZ4, "pv.read=xvda:etc/marker", options=("-O", "^metadata_csum_seed"),
               files={"/boot/xen/pvboot-x86_64.elf": t.image})
    g = t.boot(disks=[(d, "xvda")], kernel=GRUB)
    t.check("Chainloading" in g.console, "GRUB was there first")
    r = booted(t, g, LZ4)
    t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest")


@case
def elf_kernels(t):
    """A gzipped and a plain ELF that are not Linux: pvboot starts pvboot twice, then Linux"""
    def one(kernel):
        return menu(("next", "(hd0)", kernel, None))

    d = system(t, LZ4, "pv.read=xvda:etc/marker", files={
        "/boot/plain": t.image,
        "/boot/packed.gz": gzip.compress(t.image.read_bytes(), mtime=0),
        "/boot/first.lst": one("/boot/packed.gz (hd0)/boot/second.lst"),
        "/boot/second.lst": one("/boot/plain (hd0)/boot/grub/menu.lst")})
    g = t.boot(disks=[(d, "xvda")], extra="(hd0)/boot/first.lst")
    before = g.console.split("Linux version")[0]
    t.equal(before.count("of memory"), 3, "banners")
    t.check("kernel: ELF, gzip" in before and "kernel: ELF, uncompressed" in before, "both kinds of ELF")
    r = booted(t, g, LZ4)
    t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest")


@case
def memory_8g(t):
    """8 GiB of memory"""
    # the last case: Xen clears what it gets back, which takes a while
    d = system(t, LZ4, "pv.read=xvda:etc/marker")
    r = booted(t, t.boot(disks=[(d, "xvda")], memory=8192, seconds=300), LZ4)
    t.check(int(r["memtotal"][0]) > 7800 * 1024, "MemTotal is %s kB" % r["memtotal"][0])
