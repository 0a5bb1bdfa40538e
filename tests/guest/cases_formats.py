# SPDX-License-Identifier: MIT
"""Guest cases about what a kernel file may be: formats, notes, other systems."""

import struct
import zlib
from pathlib import Path

from cases_handover import IMAGES_DIR, judged, kernel, line_for
from common import ARGS, LZ4, MARKER_HASH, XZ, booted, case, case32, menu, system
from images import KERNELS, Missing, run

PT_NOTE, SHT_SYMTAB, SHT_NOTE = 4, 2, 7
NOTE_ENTRY, NOTE_HYPERCALL_PAGE, NOTE_VIRT_BASE = 1, 2, 3


class Elf:
    """An ELF file of either width, as far as the cases need it."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.wide = data[4] == 2
        self.align = 8 if self.wide else 4
        self.header_bytes = 64 if self.wide else 52
        at, fields = (32, "<QQ6xHHHH") if self.wide else (28, "<II6xHHHH")
        self.phoff, self.shoff, self.phsize, self.phnum, self.shsize, self.shnum = (
            struct.unpack_from(fields, self.data, at))

    def section(self, i):
        """(type, offset, size, link)"""
        at = self.shoff + i * self.shsize
        if self.wide:
            _, kind, off, size, link = struct.unpack_from("<II16xQQI", self.data, at)
        else:
            _, kind, off, size, link = struct.unpack_from("<II8xIII", self.data, at)
        return kind, off, size, link

    def notes(self):
        """Xen's numbers, by type."""
        out = {}
        for i in range(self.shnum):
            kind, at, size, _ = self.section(i)
            end = at + size if kind == SHT_NOTE else at
            while at < end:
                name, desc, number = struct.unpack_from("<III", self.data, at)
                at += 12 + (name + 3) // 4 * 4
                out[number] = int.from_bytes(self.data[at:at + desc], "little")
                at += (desc + 3) // 4 * 4
        return out

    def drop_notes(self):
        for at, wanted in ([(self.phoff + i * self.phsize, PT_NOTE) for i in range(self.phnum)] +
                           [(self.shoff + i * self.shsize + 4, SHT_NOTE) for i in range(self.shnum)]):
            if struct.unpack_from("<I", self.data, at)[0] == wanted:
                struct.pack_into("<I", self.data, at, 0)

    def physical_as_virtual(self):
        """As linkers of those days had it: p_paddr is p_vaddr."""
        vaddr, paddr, size = (16, 24, 8) if self.wide else (8, 12, 4)
        for i in range(self.phnum):
            at = self.phoff + i * self.phsize
            self.data[at + paddr:at + paddr + size] = self.data[at + vaddr:at + vaddr + size]

    def symbols(self):
        """What Xen's libelf puts behind a kernel that asks for it: the length without its own
        four bytes, and the CRC of symbols and strings."""
        def up(n):
            return (n + self.align - 1) // self.align * self.align

        for i in range(self.shnum):
            kind, off, size, link = self.section(i)
            if kind == SHT_SYMTAB:
                _, strings_off, strings_size, _ = self.section(link)
                first = up(4 + 64 + 3 * 64)
                strings = up(first + size)
                held = bytes(self.data[off:off + size]).ljust(strings - first, b"\0")
                held += self.data[strings_off:strings_off + strings_size]
                return strings + strings_size - 4, zlib.crc32(held)
        raise ValueError("no symbols")


def old_kernel(t, kind, width):
    """A test kernel as it would have been in 2006, with 300 symbols: the file, and what it is told."""
    plain = kernel(kind, width)
    n = Elf(plain.read_bytes()).notes()
    base = n[NOTE_VIRT_BASE]
    text, out = t.images.work / ("old-%s.guest" % width), t.images.work / ("old-%s" % width)
    text.write_bytes(("GUEST_OS=pvboot-test,GUEST_VER=1,XEN_VER=xen-3.0,VIRT_BASE=0x%x,"
                      "ELF_PADDR_OFFSET=0x%x,VIRT_ENTRY=0x%x,HYPERCALL_PAGE=0x%x,PAE=yes,"
                      "LOADER=generic,BSD_SYMTAB=yes"
                      % (base, base, n[NOTE_ENTRY], n[NOTE_HYPERCALL_PAGE] - base >> 12)).encode() + b"\0")
    run("objcopy", "--add-section", "__xen_guest=%s" % text,
        *["--add-symbol=symbol_%d=.text:%d,function,global" % (i, 16 * i) for i in range(300)], plain, out)
    elf = Elf(out.read_bytes())
    elf.drop_notes()
    elf.physical_as_virtual()
    out.write_bytes(elf.data)
    return out, "symbols=%d,%d" % elf.symbols()


def old_interface(t, kind, width):
    """By xl's builder, which must pass; then by pvboot, which unpacks it more than once."""
    file, symbols = old_kernel(t, kind, width)
    line = line_for(64, module=False) + " " + symbols
    judged(t, t.boot(disks=None, kernel=file, memory=64, extra=line, seconds=60), "by xl")
    d = t.images.disk({"/boot/kernel.xz": run("xz", "-c", file),
                       "/boot/grub/menu.lst": menu(("old", "(hd0)", "/boot/kernel.xz " + line, None))})
    g = t.boot(disks=[(d, "xvda")], image=IMAGES_DIR / ("pvboot-hd0-" + width), memory=64, seconds=60)
    judged(t, g, "by pvboot")


@case
def old_interface_64(t):
    """A kernel from before there were notes, with its symbols behind it: as xl starts it"""
    old_interface(t, "plain", "x86_64")


@case32
def old_interface_32(t):
    """The same in 32-bit guests, mapped high, with virtual addresses for physical ones"""
    old_interface(t, "linux", "i386")


def failed_attempts(t, width):
    """Entries that fail when their kernel lies in memory; the kernel after them looks for remains."""
    good = kernel("linux", width)
    bare = Elf(good.read_bytes())
    bare.drop_notes()
    damaged = bytearray(run("xz", "-c", "-C", "crc64", good))
    damaged[-100] ^= 0xff
    # The sizes alone would fit, but the kernel begins at 16 MiB.
    entries = [("large", "(hd0)", "/boot/kernel", "/boot/large"), ("bare", "(hd0)", "/boot/bare", None),
               ("damaged", "(hd0)", "/boot/damaged.xz", None),
               ("good", "(hd0)", "/boot/kernel " + line_for(64, False), None)]
    d = t.images.disk({"/boot/kernel": good, "/boot/bare": bytes(bare.data), "/boot/large": bytes(44 << 20),
                       "/boot/damaged.xz": bytes(damaged),
                       "/boot/grub/menu.lst": menu(*entries, head="timeout 0\nfallback 1 2 3\n")})
    g = t.boot(disks=[(d, "xvda")], image=IMAGES_DIR / ("pvboot-hd0-" + width), memory=64, seconds=90)
    for text in (" MiB more than that)", "no Xen notes: not built as a Xen PV kernel", "/boot/damaged.xz ("):
        t.check(text in g.console, "the sentence with \"%s\"" % text)
    judged(t, g, "by the third fallback entry")


@case
def failed_attempts_64(t):
    """Three entries fail when their kernels are in memory: the fourth's finds nothing left of them"""
    failed_attempts(t, "x86_64")


@case32
def failed_attempts_32(t):
    """The same in 32-bit guests"""
    failed_attempts(t, "i386")


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
