# SPDX-License-Identifier: MIT
"""The hand-over as a kernel sees it that looks at everything (tests/guest/kernel), in both widths;
and kernels of the other width than the image. 32-bit guests run on a Xen of their own."""

import zlib

from common import LZ4, also_newest, booted, case, case32, menu, system
from images import ROOT, random_bytes

KERNELS_DIR = ROOT / "build/test-kernel"
IMAGES_DIR = ROOT / "build/images"
MODULE = random_bytes(37 * 4096 - 1234, "module")


def kernel(kind, width):
    return KERNELS_DIR / ("%s-%s" % (kind, width))


def line_for(memory, module=True):
    """What the kernel is told to expect."""
    sums = "%d,%d" % (len(MODULE), zlib.crc32(MODULE))
    return "T=1 pages=%d%s" % (memory * 256, " initrd=" + sums if module else "")


def judged(t, g, how):
    r = g.report()
    t.equal(r.get("wrong", []), [], "what the test kernel found wrong, started %s" % how)
    t.equal(r.get("result"), ["pass"], "the test kernel's result, started %s" % how)
    t.equal(g.reason, "poweroff", "the guest's end, started %s" % how)


def by_xl(t, width, kind, memory):
    """The control: the domain builder itself must pass."""
    ramdisk = t.images.work / "test-module"
    ramdisk.write_bytes(MODULE)
    g = t.boot(disks=None, kernel=kernel(kind, width), ramdisk=ramdisk, memory=memory,
               extra=line_for(memory), seconds=60)
    judged(t, g, "by xl, %s" % kind)


def by_pvboot(t, width, kind, memory, layout="hd0", module=True, **config):
    entry = ("test", "(hd0)", "/boot/kernel " + line_for(memory, module), "/boot/module" if module else None)
    d = t.images.disk({"/boot/kernel": kernel(kind, width), "/boot/module": MODULE,
                       "/boot/grub/menu.lst": menu(entry)})
    g = t.boot(disks=[(d, "xvda")], image=IMAGES_DIR / ("pvboot-%s-%s" % (layout, width)),
               memory=memory, seconds=90, prefix=kind[0], **config)
    judged(t, g, "by pvboot, %s" % kind)
    return g


def handover(t, width):
    by_xl(t, width, "linux", 64)
    by_xl(t, width, "plain", 64)
    by_pvboot(t, width, "linux", 66)
    g = by_pvboot(t, width, "plain", 64, layout="hd00", module=False, maxmem=96, vcpus=2)
    t.check("not in (hd0,0)/boot/grub, where an hd00 image looks first" in g.console,
            "an hd00 image says that it searched on")


@also_newest
@case
def handover_64(t):
    """A kernel that checks everything it is given finds what xl's builder gives, 64 bit"""
    handover(t, "x86_64")


@case
def wrong_width(t):
    """A 32-bit kernel in a 64-bit guest: the sentence says which image to take, then the fallback"""
    first = ("bad", "(hd0)", "/boot/first", None)
    d = system(t, LZ4, first=first, files={"/boot/first": kernel("linux", "i386")})
    g = t.boot(disks=[(d, "xvda")])
    t.check("a 32-bit kernel; this is a 64-bit guest: start it with pvboot's i386 image" in g.console,
            "the sentence")
    booted(t, g, LZ4)


@case32
def handover_32(t):
    """The same in 32-bit guests, on a Xen that has them"""
    handover(t, "i386")


@case32
def wrong_width_32(t):
    """A 64-bit kernel in a 32-bit guest is refused with a sentence, then the fallback entry"""
    entries = [("bad", "(hd0)", "/boot/wide", None),
               ("good", "(hd0)", "/boot/kernel " + line_for(64, False), None)]
    d = t.images.disk({"/boot/kernel": kernel("plain", "i386"),
                       "/boot/wide": kernel("plain", "x86_64"),
                       "/boot/grub/menu.lst": menu(*entries, head="default 0\ntimeout 0\nfallback 1\n")})
    g = t.boot(disks=[(d, "xvda")], image=IMAGES_DIR / "pvboot-hd0-i386", memory=64, seconds=60)
    t.check("a 64-bit kernel; this is a 32-bit guest: start it with pvboot's x86_64 image" in g.console,
            "the sentence")
    judged(t, g, "by the fallback entry")
