# SPDX-License-Identifier: MIT
"""Disks that only Linux can write: file systems with a dirty journal, ReiserFS, XFS v4, logical
volumes and arrays. A Debian guest in QEMU (the one of tests/images) installs a kernel on them and
ends as a crash does; see written-init.sh. Needs no root. Cached like all images of the tests.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from images import HERE, KERNELS, MIB, ROOT, Cpio, Missing, run

sys.path.insert(0, str(ROOT / "tests/images"))

import oracle  # noqa: E402

GUEST_SECONDS = 400
KERNEL = "debian12-cloud-amd64"
ARGS = "console=hvc0 earlyprintk=xen"
MAKERS = [HERE / "written.py", HERE / "written-init.sh", HERE / "init.sh", HERE / "images.py",
          ROOT / "tests/images/guest.sh", ROOT / "tests/images/volumes-guest.sh"]


class System:
    """A bootable system on one or more disks, and how it is made.

    mkfs: the command that makes the file system on the first disk, or none. plan: lines of shell
    for written-init.sh, in which DISK and DISK1 stand for the devices. saves: its menu saves an
    entry when it boots one.
    """

    saves = False

    def __init__(self, name, plan, root="(hd0)", mkfs=(), sizes=(64,), volumes=False):
        self.name, self.plan, self.root, self.mkfs = name, plan, root, mkfs
        self.sizes, self.volumes = sizes, volumes


def on_fs(name, fs, end, *mkfs, size=64):
    return System(name, "fill %s DISK %s %s" % (name, fs, end), mkfs=mkfs, sizes=(size,))


XFS = ("mkfs.xfs", "-q", "-f")
SYSTEMS = [
    on_fs("ext3-dirty", "ext3", "crash", "mke2fs", "-q", "-F", "-t", "ext3"),
    on_fs("ext4-dirty", "ext4", "crash", "mke2fs", "-q", "-F", "-t", "ext4"),
    on_fs("ext4-fast-commit", "ext4", "crash", "mke2fs", "-q", "-F", "-t", "ext4", "-O", "fast_commit"),
    on_fs("xfs-clean", "xfs", "clean", *XFS, size=320),
    on_fs("xfs-dirty", "xfs", "crash", *XFS, size=320),
    on_fs("xfs4-dirty", "xfs", "crash", *XFS, "-m", "crc=0", size=320),
    on_fs("reiserfs-dirty", "reiserfs", "crash", "mkreiserfs", "-q", "-ff",
          size=128),
]


def on_lvm(name, group, how, *sizes):
    names = " ".join("DISK%s" % (i or "") for i in range(len(sizes)))
    return System(name, "lvm_system %s %s '%s' %s" % (name, group, how, names),
                  root="(lvm/%s-root)" % group, sizes=sizes, volumes=True)


SYSTEMS += [
    on_lvm("lvm-linear", "one", "-L 64M", 40, 40),
    on_lvm("lvm-striped", "two", "-i2 -I64k -L 64M", 40, 40),
    on_lvm("lvm-mirror", "three", "--type mirror -m1 --mirrorlog core -L 56M", 64, 64),
    System("md-raid1", "half_mirror md-raid1 half DISK", root="(md/half)", sizes=(64,), volumes=True),
]


for one in SYSTEMS:
    one.saves = True


def menu(system, entry):
    text = ("default %s\ntimeout 0\n\ntitle %s\nroot %s\nkernel /boot/vmlinuz-%s %s entry=%s\n"
            "initrd /boot/initrd-%s\n" % ("saved" if system.saves else "0", entry, system.root, entry,
                                          ARGS, entry, entry))
    return (text + ("savedefault 1\n" if system.saves else "")).encode()


def paths(images, system):
    makers = [hashlib.sha256(p.read_bytes()).hexdigest() for p in MAKERS]
    key = repr((vars(system), system.saves, makers, KERNELS.version(KERNEL)))
    stem = "written-%s-%s" % (system.name, hashlib.sha256(key.encode()).hexdigest()[:16])
    return [images.work / ("%s-%d" % (stem, i)) for i in range(len(system.sizes))]


def payload(images, systems, programs, out):
    """What the guest needs beside its own initrd: one more, behind it."""
    plan = ""
    c = Cpio(out)
    c.add("payload", mode=0o40755)
    c.add("payload/vmlinuz", KERNELS.vmlinuz(KERNEL).read_bytes())
    c.add("payload/initrd", images.initrd(KERNEL).read_bytes())
    for nr, s in enumerate(systems):
        for entry in ("old", "new"):
            c.add("payload/%s.%s" % (s.name, entry), menu(s, entry))
        line = s.plan
        for i in reversed(range(len(s.sizes))):
            line = line.replace("DISK%s" % (i or ""), "$(disk d%d-%d)" % (nr, i))
        plan += "on %s %s\n" % (s.name, line)
    c.add("plan", plan.encode())
    for name, path in programs.items():
        c.add("bin/" + name, path.read_bytes(), 0o100755)
    c.add("init-written", (HERE / "written-init.sh").read_bytes(), 0o100755)
    c.close()


def qemu(base, initrd, console, disks):
    args = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64", "-m", "768",
            "-display", "none", "-nodefaults", "-no-reboot", "-kernel", base / "vmlinuz",
            "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init-written",
            "-serial", "file:%s" % console]
    for i, (serial, path) in enumerate(disks):
        slot, function = oracle.FIRST_SLOT + i // oracle.DISKS_A_SLOT, i % oracle.DISKS_A_SLOT
        args += ["-drive", "if=none,id=d%d,format=raw,cache=unsafe,file=%s" % (i, path), "-device",
                 "virtio-blk-pci,drive=d%d,serial=%s,addr=0x%x.%x,multifunction=on"
                 % (i, serial, slot, function)]
    try:
        subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, timeout=GUEST_SECONDS,
                       check=False)
    except subprocess.TimeoutExpired:
        pass
    return console.read_bytes().decode("latin-1").replace("\r", "")


def empty(work, systems):
    """The systems' disks as they are before Linux writes: [(serial number, path)]."""
    made = []
    for nr, s in enumerate(systems):
        for i, size in enumerate(s.sizes):
            path = work / ("d%d-%d.img" % (nr, i))
            path.unlink(missing_ok=True)
            with open(path, "wb") as f:
                f.truncate(size * MIB)
            if s.mkfs and i == 0:
                run(*s.mkfs, path)
            made.append(("d%d-%d" % (nr, i), path))
    return made


def make(images, systems, programs={}):
    """Makes all of them in one run of the guest. programs: more for its /bin, by name."""
    work = images.work / "writer"
    work.mkdir(exist_ok=True)
    try:
        oracle.Guest(work, "d12")
    except oracle.Missing as reason:
        raise Missing(str(reason)) from None
    base = work / "d12"
    initrd = base / "initrd.gz"
    if systems[0].volumes:
        run("sh", ROOT / "tests/images/volumes-guest.sh", work)
        initrd = work / "volumes.gz"
    payload(images, systems, programs, work / "payload.cpio")
    with open(work / "initrd", "wb") as out:
        for part in (initrd, work / "payload.cpio"):
            data = part.read_bytes()
            out.write(data + b"\0" * (-len(data) % 512))
    said = []
    for _ in range(oracle.TRIES):
        if "W: end" not in said:
            said = qemu(base, work / "initrd", work / "console", empty(work, systems)).split("\n")
    for nr, s in enumerate(systems):
        if "W: %s done" % s.name not in said or "W: end" not in said:
            raise RuntimeError("the guest did not write %s; its console: %s" % (s.name, said[-20:]))
    for nr, s in enumerate(systems):
        for i, path in enumerate(paths(images, s)):
            os.replace(work / ("d%d-%d.img" % (nr, i)), path)
    shutil.rmtree(work)


def disks(images, name):
    """The image files of a system, in the order of its disks."""
    wanted = next(s for s in SYSTEMS if s.name == name)
    if not all(p.exists() for p in paths(images, wanted)):
        make(images, [s for s in SYSTEMS if s.volumes == wanted.volumes and
                      not all(p.exists() for p in paths(images, s))])
    return [Path(p) for p in paths(images, wanted)]
