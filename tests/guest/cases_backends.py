# SPDX-License-Identifier: MIT
"""Who serves the disks: blkback with and without persistent grants, with several queues, on a loop
device; and QEMU (qdisk). What the back end can do must reach the kernel, whatever pvboot took."""

import os
import re
import subprocess
import tarfile

from common import ARGS, LZ4, MARKER, MARKER_HASH, also_newest, booted, case, menu, system
from images import KERNELS, Missing

QEMU = "/usr/libexec/xen-qemu-system-i386"
KEYMAP = "/usr/share/qemu/keymaps/en-us"  # which it wants though it shows no screen
MODULE = "/sys/module/xen_blkback/parameters/"
VDEV = 51712  # xvda
WAITING = "default 0\ntimeout 60\n"


def node(t, path):
    """What lies directly below a node of xenstore, as {name: value}."""
    text = t.host.command("sh", "xenstore-ls " + path)["out"]
    return dict(re.findall(r'^([^ =]+) = "([^"]*)"', text, re.M))


class Settings:
    """Parameters of dom0's blkback, for the guests that live meanwhile: it asks for them often."""

    def __init__(self, t, **values):
        self.t, self.values, self.old = t, values, {}

    def __enter__(self):
        for name, value in self.values.items():
            out = self.t.host.command("sh", "cat %s%s; echo %s >%s%s" % (MODULE, name, value, MODULE, name))
            self.old[name] = out["out"].strip()

    def __exit__(self, *_):
        for name, value in self.old.items():
            self.t.host.command("sh", "echo %s >%s%s" % (value, MODULE, name))


class Seen:
    """A boot with a look into xenstore while pvboot has the disk, and while the kernel has it."""

    def __init__(self, t, disks, settings=None, **config):
        with Settings(t, **(settings or {})):
            self.boot(t, t.start(disks=disks, **config))

    def boot(self, t, g):
        domid = t.host.command("sh", "xl domid " + g.name)["out"].strip()
        front = "/local/domain/%s/device/vbd/%d" % (domid, VDEV)
        t.host.wait_console(g, "booted automatically", 60 * t.slow)
        self.back = node(t, "/local/domain/0/backend/vbd/%s/%d" % (domid, VDEV))
        self.by_qemu = t.host.command("sh", "xenstore-list /local/domain/0/backend/qdisk/%s 2>&1; true"
                                      % domid)["out"].split()
        self.ours = node(t, front)
        t.host.command("input", g.name, "\r")
        t.host.wait_console(g, "T: waiting", 120 * t.slow)
        self.kernels = node(t, front)
        t.host.command("input", g.name, "on\n")
        t.finish(g)
        self.report = booted(t, g, LZ4)
        t.check("xvda" in self.report.get("written", []), "what was written was read back")


def plain(t):
    d = system(t, LZ4, "pv.read=xvda:etc/marker pv.write=xvda pv.wait", head=WAITING)
    return [(d, "xvda")]


@also_newest
@case
def persistent_grants_off(t):
    """Disks without persistent grants: the back end has none, then pvboot is told not to use them"""
    s = Seen(t, plain(t), {"feature_persistent": "N"})
    t.equal(s.back["feature-persistent"], "0", "the back end's offer")
    t.equal(s.report["persistent"], ["xvda disabled"], "the kernel's grants")
    s = Seen(t, plain(t), extra="pvboot.persistent=0", prefix="e")
    t.equal(s.back["feature-persistent"], "1", "the back end's offer")
    t.check("feature-persistent" not in s.ours, "pvboot does not offer them: %s" % s.ours)
    t.equal(s.report["persistent"], ["xvda enabled"], "the kernel has its own choice")


@case
def multi_queue(t):
    """Four queues and persistent grants: one queue for pvboot, then four for a kernel with 4 vcpus"""
    s = Seen(t, plain(t), {"max_queues": "4"}, vcpus=4)
    t.equal(s.back["multi-queue-max-queues"], "4", "the back end's offer")
    t.equal(s.ours.get("feature-persistent"), "1", "pvboot's persistent grants")
    t.check("event-channel" in s.ours and "multi-queue-num-queues" not in s.ours,
            "pvboot has one queue: %s" % s.ours)
    t.equal(s.report["queues"], ["xvda 4"], "the kernel's queues")
    t.equal(s.report["persistent"], ["xvda enabled"], "the kernel's grants")
    t.equal(s.kernels.get("multi-queue-num-queues"), "4", "queues that the kernel publishes")
    left = [k for k in s.kernels if k.startswith("ring-ref") or k == "event-channel"]
    t.equal(left, [], "nothing of pvboot's queue is left in xenstore")


def qemu_tree(t):
    """QEMU with Xen's back ends and its libraries, packed for dom0."""
    for path in (QEMU, KEYMAP):
        if not os.path.exists(path):
            raise Missing("%s is missing; install the package qemu-system-xen" % path)
    out = t.images.work / "qemu-for-dom0.tar"
    # lines "NAME => FILE (ADDRESS)", and the loader's "FILE (ADDRESS)", which dom0 has
    text = subprocess.run(["ldd", QEMU], stdout=subprocess.PIPE, check=True).stdout.decode()
    with tarfile.open(out, "w", dereference=True) as tar:
        for path in (QEMU, KEYMAP):
            tar.add(path)
        for name, path in re.findall(r"^\s*(\S+) => (/\S+)", text, re.M):
            tar.add(path, "lib/x86_64-linux-gnu/" + name)
    return out


@case
def loop_and_qdisk(t):
    """The menu on a loop device of blkback, the kernel on a disk that QEMU serves (qdisk)"""
    if t.host.suite:
        raise Missing("QEMU and its libraries are this machine's, and dom0 is %s's" % t.host.suite)
    t.host.file("qemu", qemu_tree(t))
    t.host.command("sh", "[ -e %s ] || tar xf /tmp/files/qemu -C /" % QEMU)
    t.host.forget_file("qemu")
    first = t.images.disk({"/etc/marker": MARKER, "/boot/grub/menu.lst": menu(
        ("good", "(hd1)", "/boot/vmlinuz %s entry=good pv.read=xvda:etc/marker pv.write=xvda "
         "pv.write=xvdb pv.wait" % ARGS, "/boot/initrd"), head=WAITING)})
    second = t.images.disk({"/boot/vmlinuz": KERNELS.vmlinuz(LZ4), "/boot/initrd": t.images.initrd(LZ4)})
    s = Seen(t, [(first, "xvda", "loop"), (second, "xvdb", "qdisk")])
    t.check(s.back["physical-device-path"].startswith("/dev/loop"), "blkback serves a loop device")
    t.equal(s.by_qemu, [str(VDEV + 16)], "the disks that QEMU serves")
    t.equal(s.report["read"], ["xvda:etc/marker " + MARKER_HASH], "file read through the loop device")
    t.equal(s.report["written"], ["xvda", "xvdb"], "files written and read back")
