# SPDX-License-Identifier: MIT
"""A guest from each file system, with what a crash leaves behind, from each partition table, and
from each kind of volume. The kernel and the menu that must be booted were installed just before the
crash; the old ones, which a reader that ignores the journal sees, boot too, and are told by their
command line."""

import written
from common import LZ4, MARKER_HASH, booted, case, system


SAVED = "saved default: entry 1, was 0, in %s/boot/grub/default"
NOT_SAVED = "savedefault: not saved, and the entry goes on: Error: Feature not supported: "


def crashed(t, name, says, menu_on="(hd0)", not_saved=None):
    """Boots a system of written.py; `says` is what pvboot calls its file system. Its menu saves an
    entry; not_saved: why that cannot be."""
    images = written.disks(t.images, name)
    g = t.boot(disks=[(d, "xvd" + "abcd"[i]) for i, d in enumerate(images)])
    booted(t, g, LZ4, entry="new")
    before = g.console.replace("\r", "").split("Linux version")[0]
    t.check(" Filesystem type is %s" % says in before, "pvboot says: %s" % says)
    t.check("menu: %s/boot/grub/menu.lst" % menu_on in before, "the menu lies on " + menu_on)
    wanted = SAVED % menu_on if not_saved is None else NOT_SAVED
    lines = [s for s in before.split("\n") if wanted in s]
    t.check(len(lines) == 1 and (not_saved or "") in lines[0], "pvboot says once: " + wanted)


@case
def ext3_dirty(t):
    """ext3, crashed: the journal is replayed and the new kernel boots"""
    crashed(t, "ext3-dirty", "ext3, journal replayed")


@case
def ext4_dirty(t):
    """ext4, crashed: the journal is replayed and the new kernel boots"""
    crashed(t, "ext4-dirty", "ext4, journal replayed")


@case
def ext4_fast_commit(t):
    """ext4 with fast commits, crashed"""
    crashed(t, "ext4-fast-commit", "ext4, journal replayed")


@case
def xfs_clean(t):
    """XFS (v5), cleanly unmounted"""
    crashed(t, "xfs-clean", "XFS,")


@case
def xfs_dirty(t):
    """XFS (v5), crashed: the log is replayed and the new kernel boots"""
    crashed(t, "xfs-dirty", "XFS, journal replayed")


@case
def xfs_v4_dirty(t):
    """XFS v4, crashed"""
    crashed(t, "xfs4-dirty", "XFS v4, journal replayed")


@case
def reiserfs_dirty(t):
    """ReiserFS 3.6, crashed"""
    crashed(t, "reiserfs-dirty", "ReiserFS 3.6, journal replayed", not_saved="a tail in the tree")


def partitioned(t, table, number, vdev="xvda", *options, **fs):
    dev = "%s%d" % (vdev, number)
    d = system(t, LZ4, "pv.read=%s:etc/marker" % dev,
               root="(hd0,%d)" % (number - 1), table=table, **fs)
    g = t.boot(disks=[(d, vdev, *options)])
    r = booted(t, g, LZ4)
    t.equal(r["read"], ["%s:etc/marker %s" % (dev, MARKER_HASH)], "file on the partition")
    return g


@case
def mbr_primary(t):
    """A partitioned disk (MBR) with its menu on (hd0,0)"""
    partitioned(t, "mbr", 1)


@case
def mbr_logical(t):
    """The second logical partition of an MBR"""
    partitioned(t, "logical", 6)


@case
def gpt(t):
    """The third partition of a GPT"""
    g = partitioned(t, "gpt", 3)
    t.check("partition type Linux filesystem" in g.console, "the partition's type is shown")


@case
def gpt_backup(t):
    """A GPT whose first header is damaged: the backup is used, and that is said"""
    # Linux finds no partition then, so it reads nothing.
    d = system(t, LZ4, root="(hd0,2)", table="gpt-damaged")
    g = t.boot(disks=[(d, "xvda")])
    booted(t, g, LZ4)
    t.check("(hd0): the backup of the GPT is used: Error 5" in g.console, "the damage is said")


@case
def gpt_4096(t):
    """A GPT on a disk with sectors of 4096 bytes"""
    partitioned(t, "gpt-4096", 3, "xvda", "sector=4096", options=("-b", "4096"))


@case
def lvm_linear(t):
    """A logical volume that lies on two disks, one behind the other; ext4, crashed"""
    crashed(t, "lvm-linear", "ext4, journal replayed", "(lvm/one-root)")


@case
def lvm_striped(t):
    """A logical volume striped over two disks; ext4, crashed"""
    crashed(t, "lvm-striped", "ext4, journal replayed", "(lvm/two-root)")


@case
def lvm_mirror(t):
    """A mirrored logical volume; ext4, crashed"""
    crashed(t, "lvm-mirror", "ext4, journal replayed", "(lvm/three-root)",
            not_saved="a mirrored logical volume")


@case
def md_raid1(t):
    """An md RAID1 with half of its disks; ext4, crashed"""
    crashed(t, "md-raid1", "ext4, journal replayed", not_saved="a RAID1")
