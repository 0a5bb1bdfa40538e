# SPDX-License-Identifier: MIT
"""The engines on a real Xen: the embedded host's dom0 changes its root into a Debian with the whole
toolstack, and the engine's driver runs in there."""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from engines_common import (CACHE, HERE, ID, Asked, Skip, dom0_kernel, make_initrd, need, overlay, run,
                            unpack_modules)

sys.path.insert(0, f"{HERE}/../guest")
from rig import Host  # noqa: E402

FS_MODULES = ["ext4", "crc32c_generic"]
SLOW = 4  # QEMU emulates the processor


def root_image():
    p = subprocess.run([f"{HERE}/../../tools/fetch-dom0.sh"], stdout=subprocess.PIPE, check=False)
    if p.returncode:
        raise Skip("no Debian for dom0: " + p.stdout.decode().strip().lstrip("- "))
    return p.stdout.decode().strip()


def program_tree(programs, to):
    """Programs and their libraries, which may be others than the Debian's."""
    os.makedirs(to)
    for path in programs:
        shutil.copy(path, to)
    for path in re.findall(r"=> (/\S+)", run("ldd", *programs)):
        if not re.search(r"/(libc|libm|libdl|libpthread|librt|libresolv)\.so", path):
            shutil.copy(path, f"{to}/{os.path.basename(path)}")


class Xen:
    """One Xen host for all cases, with a folder "w" of files made before."""

    def __init__(self, driver, pvboot, work):
        need("cpio", "busybox", "mke2fs", "qemu-img")
        self.work = work
        root = root_image()
        _, modules = dom0_kernel()
        unpack_modules(FS_MODULES, modules, f"{work}/modules")
        self.fill(driver, os.path.dirname(pvboot), f"{work}/w", modules)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", f"{work}/w", f"{work}/w.img", "400M")
        self.host = Host(pvboot, 512)
        for name in open(f"{work}/modules/order", encoding="ascii").read().split():
            self.host.file("module", Path(f"{work}/modules/{name}"))
            self.sh("insmod /tmp/files/module")
            self.host.forget_file("module")
        self.host.drive("root", root)
        self.host.drive("w", f"{work}/w.img")
        self.sh("mkdir -p /r; mount -t ext4 /dev/vda /r; mkdir -p /r/w; mount -t ext4 /dev/vdb /r/w;"
                "for f in dev dev/pts proc proc/xen sys run; do mount --bind /$f /r/$f; done;"
                "mount -t tmpfs tmpfs /r/tmp")

    def fill(self, driver, build, w, modules):
        program_tree([driver, f"{build}/pvbootd"], f"{w}/bin")
        kernel = f"{CACHE}/kernels/debian12-cloud-amd64"
        if not os.path.exists(f"{kernel}/SHA256SUMS"):
            raise Skip("no kernel of a distribution; tools/fetch-kernels.sh fetches it")
        shutil.copy(f"{build}/images/pvboot-hd0-x86_64", f"{w}/pvboot")
        shutil.copy(f"{kernel}/vmlinuz", f"{w}/vmlinuz")
        # the cloud kernel's xen-blkfront; the two releases of a kernel do not mix
        make_initrd(f"{w}/initrd", [], modules, own_modules=f"{kernel}/modules")
        self.make_disk(f"{w}/base", w)
        overlay("base", f"{w}/root")
        run("qemu-img", "create", "-q", "-f", "qcow2", f"{w}/empty", "16M")
        overlay("empty", f"{w}/data")
        with open(f"{w}/volume", "wb") as f:
            f.truncate(4 << 20)

    @staticmethod
    def make_disk(path, w):
        tree = path + ".tree"
        os.makedirs(f"{tree}/boot/grub")
        shutil.copy(f"{w}/vmlinuz", f"{tree}/boot/vmlinuz")
        shutil.copy(f"{w}/initrd", f"{tree}/boot/initrd")
        with open(f"{tree}/boot/grub/menu.lst", "w", encoding="ascii") as f:
            f.write("default 0\ntimeout 0\ntitle one\nroot (hd0)\n"
                    "kernel /boot/vmlinuz console=hvc0 loglevel=6 panic=0\ninitrd /boot/initrd\n")
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path + ".raw", "64M")
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", path + ".raw", path)
        os.unlink(path + ".raw")
        shutil.rmtree(tree)

    def sh(self, line, seconds=120):
        return self.host.command("sh", line, seconds=seconds).get("out", "")

    def inside(self, line, seconds=300):
        """In the Debian; the host's own `sh` has a minute at most."""
        self.sh("(chroot /r sh -c '%s' >/tmp/said 2>&1; echo $? >/tmp/status.new;"
                " mv /tmp/status.new /tmp/status) >/dev/null 2>&1 &" % line)
        end = time.monotonic() + seconds
        while True:
            status = self.sh("[ ! -e /tmp/status ] || { cat /tmp/status; rm /tmp/status; }").strip()
            if status:
                break
            assert time.monotonic() < end, f"{line}: it does not end"
            time.sleep(0.3)
        said = self.sh("cat /tmp/said")
        assert status == "0", f"{line}: status {status}: {said}"
        return said

    def close(self):
        self.host.proc.stdin.close()
        self.host.proc.wait(60)


class XenDriver(Asked):
    """engine_driver in dom0, as engines_common.Driver is here."""

    def __init__(self, xen, engine, *options):
        self.xen, self.asked = xen, 0
        xen.sh("rm -f /r/tmp/in /r/tmp/out; mkfifo /r/tmp/in; : >/r/tmp/out; mkdir -p /r/tmp/state;"
               "(sleep 100000 >/r/tmp/in & echo $! >/r/tmp/holder;"
               " LD_LIBRARY_PATH=/w/bin exec chroot /r /w/bin/engine_driver %s /tmp/state %s"
               " </r/tmp/in >/r/tmp/out 2>>/r/tmp/err) >/dev/null 2>&1 & echo $! >/r/tmp/pid"
               % (engine, " ".join(options)))

    def kill(self):
        self.xen.sh("kill -9 $(cat /r/tmp/pid); kill $(cat /r/tmp/holder)")

    def close(self):
        self.xen.sh("kill $(cat /r/tmp/holder); while kill -0 $(cat /r/tmp/pid) 2>/dev/null; do sleep 1; done")

    def ask(self, *words):
        self.asked += 1
        line = self.xen.sh("echo '%s' >/r/tmp/in; n=0; while [ $(wc -l </r/tmp/out) -lt %d ]; do"
                           " n=$((n+1)); [ $n -lt 1000 ] || break; usleep 50000; done;"
                           " sed -n %dp /r/tmp/out" % (" ".join(words), self.asked, self.asked), 240)
        if not line.strip():
            raise AssertionError("no answer to %s: %s" % (words, self.xen.sh("cat /r/tmp/err")))
        return self.answer(line)

    def start(self, disks, guest_id=ID, **settings):
        lines = [f"id={guest_id}"] + [f"{k}={v}" for k, v in settings.items()] + [f"disk={d}" for d in disks]
        self.xen.sh("rm -f /r/tmp/guest; " + "; ".join(f"echo '{line}' >>/r/tmp/guest" for line in lines))
        return self.ask("start", "/tmp/guest")


def last_count(d):
    return int(d.console().rsplit("T: wrote ", 1)[1].split()[0])


def life(xen, engine, *options):
    """pvboot boots a disk's kernel: console, a copy while it writes, a volume, kills, reboot, ends"""
    disks = ["/w/root,qcow2,sda1", "/w/data,qcow2,sdb"]
    pv = {"kernel": "/w/pvboot", "memory": 128}
    d = XenDriver(xen, engine, *options)
    assert d.state_of() == "absent"
    for _ in range(2):
        d.start(disks, **pv)
    d.wait_console("T: wrote 2", 60 * SLOW)
    assert "pvboot" in d.console() and d.state_of() == "running"

    before = last_count(d)
    d.ask("copy", ID, "sdb", "/w/copy")
    after = last_count(d)
    assert "empty" in xen.inside("qemu-img info /w/copy | grep backing.file:")
    xen.inside("qemu-img check -q /w/copy")
    got = int(re.search(r"count (\d+)", xen.inside("qemu-img dd bs=512 count=1 -O raw if=/w/copy of=/tmp/raw &&"
                                                  " grep -a -o count.[0-9]* /tmp/raw"))[1])
    assert before <= got <= after + 1, (before, got, after)
    xen.inside("rm /w/copy")

    d.ask("attach", ID, "/w/volume,raw,sdf")
    d.wait_console("T: has xvdf", 30 * SLOW)
    d.ask("attach", ID, "/w/volume,raw,sdf")
    assert "another disk" in d.refused("attach", ID, "/w/empty,qcow2,sdf")
    for _ in range(2):
        d.ask("detach", ID, "sdf")

    d.kill()
    d = XenDriver(xen, engine, *options)
    assert d.state_of() == "running"
    d.wait_console(f"T: wrote {after + 3}", 30 * SLOW)

    d.ask("reboot", ID)
    d.wait_console("T: reboot", 30 * SLOW)
    end = time.monotonic() + 60 * SLOW
    while d.console().count("T: up") < 2:
        assert d.state_of() == "running" and time.monotonic() < end, d.state_of() + d.console()[-2000:]
        time.sleep(0.5)
    d.ask("shutdown", ID)
    d.wait_state("ended poweroff", 60 * SLOW)
    assert "T: poweroff" in d.console()

    # a plain kernel and ramdisk, which crashes
    d.start(disks, kernel="/w/vmlinuz", ramdisk="/w/initrd", memory=128, cmdline="console=hvc0 quiet crash")
    d.wait_state("ended crashed", 60 * SLOW)
    d.start(disks, **pv)
    for _ in range(2):
        d.ask("destroy", ID)
        assert d.state_of() == "absent"
    assert "T: poweroff" in d.console()
    why = d.refused_start(disks, kernel="/w/nosuch")
    assert "cannot be started" in why and "/w/" not in why, why
    d.ask("forget", ID)
    assert d.console() == ""
    d.close()


SHARED = []  # the Xen host of all cases


def shared(driver, work):
    if not SHARED:
        SHARED.append(Xen(driver, os.path.dirname(driver) + "/pvboot", work))
    return SHARED[0]


def finish():
    while SHARED:
        SHARED.pop().close()


def xl_runs_guests(driver, work):
    """Guests of dom0's own xl"""
    life(shared(driver, work), "xl")


# Each of libvirt's models of processors has `vme`, which QEMU's translator has not, or `sep`, which Xen
# clears on AMD's processors: so none would be found for this one. QEMU's driver needs users that are not
# there, and none but Xen's is wanted.
LIBVIRTD = ("m=/usr/share/libvirt/cpu_map/x86_486.xml; sed -i /vme/d $m;"
            " cd /usr/lib/x86_64-linux-gnu/libvirt/connection-driver;"
            " for f in *; do [ $f = libvirt_driver_libxl.so ] || rm $f; done;"
            " mkdir -p /run/libvirt; libvirtd >/tmp/libvirtd 2>&1 & n=0;"
            " until virsh -c xen:///system version >/dev/null 2>&1 || [ $n = 20 ];"
            " do n=$((n + 1)); sleep 1; done;"
            " if [ $n = 20 ]; then echo no: $(tail -n 3 /tmp/libvirtd); fi")


def libvirt_runs_guests(driver, work):
    """Guests of libvirt's Xen driver in dom0"""
    xen = shared(driver, work)
    said = xen.inside(LIBVIRTD).strip()
    if said:
        raise Skip(f"libvirtd does not begin: {said}")
    life(xen, "libvirt", "uri=xen:///system")


CASES = [xl_runs_guests, libvirt_runs_guests]
