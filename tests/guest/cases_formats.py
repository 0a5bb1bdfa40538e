# SPDX-License-Identifier: MIT
"""Guest cases about what a kernel file may be: formats, notes, other systems."""

import gzip
import struct
from pathlib import Path

from common import ARGS, LZ4, MARKER_HASH, XZ, booted, case, menu, system
from images import KERNELS, Missing, run

# As Linux had it before there were notes; pvboot's own p_paddr are physical.
GUEST_SECTION = ("GUEST_OS=pvboot,XEN_VER=xen-3.0,VIRT_BASE=0x60000000,ELF_PADDR_OFFSET=0x60000000,"
                 "VIRT_ENTRY=0x60000000,HYPERCALL_PAGE=0x1,FEATURES=pae_pgdir_above_4gb,PAE=yes,"
                 "LOADER=generic")
PT_NOTE, SHT_NOTE = 4, 7


def without_notes(elf):
    """A 64-bit ELF file whose notes are not told any more."""
    b = bytearray(elf)
    phoff, shoff = struct.unpack_from("<QQ", b, 32)
    phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", b, 54)
    for at, wanted in ([(phoff + i * phentsize, PT_NOTE) for i in range(phnum)] +
                       [(shoff + i * shentsize + 4, SHT_NOTE) for i in range(shnum)]):
        if struct.unpack_from("<I", b, at)[0] == wanted:
            struct.pack_into("<I", b, at, 0)
    return bytes(b)


def old_kernel(t, name, section, *options):
    """pvboot as a kernel of 2006: a __xen_guest section in place of notes."""
    folder = Path(t.images.work)
    text, out = folder / (name + ".guest"), folder / (name + ".elf")
    text.write_bytes(section.encode() + b"\0")
    run("objcopy", "--add-section", "__xen_guest=%s" % text, *options, t.image, out)
    return without_notes(out.read_bytes())


@case
def guest_sections(t):
    """Kernels from before there were notes: plain, and gzipped with a symbol table; then Linux"""
    def one(kernel):
        return menu(("next", "(hd0)", kernel, None))

    symbols = ["--add-symbol=name%d=.text:%d,function,global" % (i, 16 * i) for i in range(2000)]
    d = system(t, LZ4, "pv.read=xvda:etc/marker", files={
        "/boot/plain": old_kernel(t, "plain", GUEST_SECTION),
        "/boot/packed.gz": gzip.compress(old_kernel(t, "symbols", GUEST_SECTION + ",BSD_SYMTAB=yes",
                                                    *symbols), mtime=0),
        "/boot/first.lst": one("/boot/plain (hd0)/boot/second.lst"),
        "/boot/second.lst": one("/boot/packed.gz (hd0)/boot/grub/menu.lst")})
    g = t.boot(disks=[(d, "xvda")], extra="(hd0)/boot/first.lst")
    before = g.console.split("Linux version")[0]
    t.equal(before.count("of memory"), 3, "banners")
    t.check("no Xen notes" not in before and "BSD_SYMTAB" not in before, "both were read")
    booted(t, g, LZ4)


@case
def compressed_bzimage(t):
    """A distribution's bzImage that somebody compressed once more"""
    packed = run("zstd", "-q", "-1", "-c", KERNELS.vmlinuz(LZ4))
    d = system(t, LZ4, files={"/boot/vmlinuz": packed})
    g = t.boot(disks=[(d, "xvda")])
    t.check("kernel: bzImage" in g.console, "it is a bzImage")
    booted(t, g, LZ4)


GRUB_CONFIG = """set root=(xen/xvda)
linux /boot/vmlinuz %s entry=good pv.read=xvda:etc/marker
initrd /boot/initrd
boot
""" % ARGS


@case
def grub_as_kernel(t):
    """A kernel that is not Linux: GRUB's image for Xen, which then starts Linux"""
    work = Path(t.images.work)
    if not Path("/usr/lib/grub/x86_64-xen").is_dir():
        raise Missing("install the package grub-xen-bin")
    (work / "kernel.cfg").write_text(GRUB_CONFIG)
    run("grub-mkimage", "-O", "x86_64-xen", "-p", "/boot/grub", "-c", work / "kernel.cfg", "-o",
        work / "grub-kernel", "linux", "ext2", "gzio", "xzio", "normal")
    # GRUB 2.06 cannot read a file system with metadata_csum_seed.
    d = system(t, XZ, options=("-O", "^metadata_csum_seed"), files={
        "/boot/grub.xz": run("xz", "-c", work / "grub-kernel"),
        "/boot/first.lst": menu(("grub", "(hd0)", "/boot/grub.xz", None))})
    g = t.boot(disks=[(d, "xvda")], extra="(hd0)/boot/first.lst")
    t.check("kernel: ELF, xz" in g.console, "GRUB's image was started")
    r = booted(t, g, XZ)
    t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest")
