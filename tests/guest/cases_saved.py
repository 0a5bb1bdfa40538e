# SPDX-License-Identifier: MIT
"""The saved default: what one boot writes for the next, on the same disk. The rig keeps what guests
write to a drive until the drive is taken away."""

import hashlib

from common import ARGS, LZ4, booted, case
from images import KERNELS

FILLER = "#\n" * 10
FILE = "boot/grub/default"
PANICS = "rdinit=/nonexistent panic=1"  # no init, and no root either: Linux panics at once
READS = "pv.read=xvda:" + FILE


def saved_disk(t, *entries):
    """An entry is (name, more arguments, its `savedefault` line or ""); entry 0 is saved."""
    menu = "default saved\ntimeout 0\nfallback 1\n"
    for name, args, save in entries:
        menu += ("\ntitle %s\nroot (hd0)\nkernel /boot/vmlinuz %s entry=%s %s\ninitrd /boot/initrd\n%s\n"
                 % (name, ARGS, name, args, save))
    return t.images.disk({
        "/boot/vmlinuz": KERNELS.vmlinuz(LZ4),
        "/boot/initrd": t.images.initrd(LZ4),
        "/boot/grub/menu.lst": menu.encode(),
        "/" + FILE: ("0\n" + FILLER).encode()})


def by_pvboot(g):
    return g.console.replace("\r", "").split("Linux version")[0]


def says(t, g, *sentences):
    for s in sentences:
        t.equal(by_pvboot(g).count(s), 1, "lines of pvboot with: " + s)


def linux_reads(t, r, number):
    want = hashlib.sha256(("%d\n" % number + FILLER).encode()).hexdigest()
    t.equal(r["read"], ["xvda:%s %s" % (FILE, want)], "the file as Linux has it")


@case
def saved_default_after_a_panic(t):
    """A kernel that panics at once: the guest, created again, comes up in the fallback entry"""
    t.add_disks([(saved_disk(t, ("broken", PANICS, "savedefault fallback"), ("good", READS, "")),
                  "xvda")])
    g = t.boot(disks=None)
    says(t, g, "menu: the saved default is entry 0",
         "saved default: entry 1, was 0, in (hd0)/boot/grub/default")
    t.check("Kernel panic" in g.console, "the kernel panicked")
    t.check(g.reason in ("crash", "reboot"), "the guest's end is %s" % g.reason)
    g = t.boot(disks=None)
    says(t, g, "menu: the saved default is entry 1")
    linux_reads(t, booted(t, g, LZ4), 1)


@case
def saved_default_beside_a_journal(t):
    """A guest that crashes with its root mounted: what is saved then, Linux's recovery leaves alone"""
    t.add_disks([(saved_disk(t, ("dirty", "pv.dirty=xvda pv.end=crash", "savedefault fallback"),
                             ("second", "pv.write=xvda " + READS, "savedefault 2"),
                             ("third", READS, "")), "xvda")])
    g = t.boot(disks=None)
    t.equal(g.report().get("dirty"), ["xvda"], "the first kernel wrote to its root")
    t.equal(g.reason, "crash", "the guest's end")
    g = t.boot(disks=None)
    says(t, g, "ext4: journal replayed: ", "menu: the saved default is entry 1",
         "ext4: 2 bytes are written to a block that the journal does not hold",
         "saved default: entry 2, was 1, in (hd0)/boot/grub/default")
    r = booted(t, g, LZ4, entry="second")
    t.equal(r["written"], ["xvda"], "the second kernel wrote to its root")
    linux_reads(t, r, 2)
    g = t.boot(disks=None)
    linux_reads(t, booted(t, g, LZ4, entry="third"), 2)


@case
def saved_default_read_only(t):
    """A read-only disk: one line says that nothing is saved, and the entry boots"""
    g = t.boot(disks=[(saved_disk(t, ("first", "", "savedefault fallback"), ("good", "", "")),
                       "xvda", "r")])
    booted(t, g, LZ4, entry="first")
    says(t, g, "savedefault: not saved, and the entry goes on: Error 29: Disk write error: "
               "(hd0)/boot/grub/default (ext4) (the disk is read-only)")
