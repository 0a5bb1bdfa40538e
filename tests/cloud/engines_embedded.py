# SPDX-License-Identifier: MIT
"""The embedded engine, with guests that run: Xen in QEMU, pvboot, and a distribution's kernel.

The guest's init is made here (INIT): it does what the words of its command line say.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

from engines_common import ID, Driver, Skip, info, overlay, run

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import common  # noqa: E402
import images  # noqa: E402

KERNEL = "debian12-cloud-amd64"
CASES = []
BOOT_S = 240  # a guest boots in 20 s on an idle machine without KVM

INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for m in /modules/*.ko; do insmod $m 2>/dev/null; done
echo "T: kernel $(uname -r)"
echo "T: cmdline $(cat /proc/cmdline)"
trap 'echo "T: asked to end"; poweroff -f' USR2
trap 'echo "T: asked to start again"; reboot -f' TERM
disk() { while [ ! -b /dev/$1 ]; do sleep 0.1; done; }
case $(cat /proc/cmdline) in
*do=reboot*) disk xvda
	mount -t ext4 /dev/xvda /mnt
	if [ -e /mnt/second ]; then echo "T: second boot"; umount /mnt; poweroff -f; fi
	: >/mnt/second; umount /mnt; echo "T: first boot"; reboot -f ;;
*do=write*) disk xvda
	mount -t ext4 /dev/xvda /mnt
	n=0
	while :; do
		n=$((n + 1))
		echo "line $n" >>/mnt/log; cp /bin/busybox /mnt/f$((n % 8)); sync
		[ $n != 5 ] || echo "T: writing"
	done ;;
*do=disks*) seen=
	while :; do
		now=$(ls /sys/block | grep xvd | tr '\\n' ' ')
		[ "$now" = "$seen" ] || echo "T: disks $now"
		seen=$now; sleep 0.2
	done ;;
*do=wait*) echo "T: waiting"; while :; do sleep 0.2; done ;;
*) echo "T: done"; poweroff -f ;;
esac
"""


def case(fn):
    CASES.append(fn)
    return fn


class Box:
    """What a case needs: files in its folder, and a driver."""

    def __init__(self, driver, work):
        build = os.path.dirname(driver)
        self.driver_path, self.work = driver, work
        self.program = os.environ.get("PVBOOTD", f"{build}/pvbootd")
        self.pvboot = f"{build}/pvboot"
        self.kernel = f"{build}/images/pvboot-hd0-x86_64"
        self.shared = images.Images(f"{build}/engines-images")
        self.state = f"{work}/state"
        os.makedirs(self.state, exist_ok=True)
        try:
            self.linux = images.KERNELS.vmlinuz(KERNEL)
            self.busybox = images.Images.busybox()
        except images.Missing as e:
            raise Skip(str(e)) from e
        # one cache for all cases: the host's files are made once
        self.env = dict(os.environ)
        self.env.setdefault("PVBOOT_CACHE", os.path.expanduser("~/.cache/pvboot"))

    def initrd(self):
        path = f"{self.work}/initrd"
        if not os.path.exists(path):
            c = images.Cpio(path)
            for d in ("bin", "dev", "modules", "proc", "sys", "mnt"):
                c.add(d, mode=0o40755)
            c.add("init", INIT, 0o100755)
            c.add("bin/busybox", self.busybox, 0o100755)
            for m in sorted((images.KERNELS.get(KERNEL) / "modules").iterdir()):
                c.add("modules/" + m.name, m.read_bytes(), 0o100755)
            c.close()
        return path

    def disk(self, words="", name="disk", files=None):
        """A qcow2 file on a raw one, as an instance's disk is on its image: a menu that boots Linux,
        whose command line has the words. Its path."""
        if files is None:
            with open(self.initrd(), "rb") as f:
                initrd = f.read()
            entry = ("t", "(hd0)", f"/boot/vmlinuz {common.ARGS} {words}", "/boot/initrd")
            files = {"/boot/vmlinuz": self.linux, "/boot/initrd": initrd,
                     "/boot/grub/menu.lst": common.menu(entry)}
        base, path = f"{self.work}/{name}.base", f"{self.work}/{name}.qcow2"
        shutil.copyfile(self.shared.disk(files), base)
        overlay(f"{name}.base", path, "raw")
        return path

    def open(self):
        return Driver(self.driver_path, "embedded", self.state, f"program={self.program}",
                      env=self.env)

    def runner(self, guest_id=ID):
        """The process that runs the guest."""
        out = subprocess.run(["pgrep", "-f", f"run-guest {self.state}/engine/{guest_id}$"],
                             stdout=subprocess.PIPE, check=False).stdout.split()
        assert len(out) == 1, out
        return int(out[0])

    def log(self, guest_id=ID):
        with open(f"{self.state}/engine/{guest_id}/log", encoding="utf-8") as f:
            return f.read()


def embedded(fn):
    """A case that gets a box and its driver; nothing of its guest is left behind."""
    def wrapped(driver, work):
        box = Box(driver, work)
        d = box.open()
        try:
            fn(box, d)
        except BaseException:
            if os.path.exists(f"{box.state}/engine/{ID}/log"):
                print(box.log())
            raise
        finally:
            with box.open() as last:
                last.ask("destroy", ID)
                last.ask("forget", ID)
        d.close()
        assert os.listdir(f"{box.state}/engine") in ([], ["cache"]), os.listdir(f"{box.state}/engine")
    wrapped.__name__ = "embedded_" + fn.__name__
    return case(wrapped)


@embedded
def boots(box, d):
    """pvboot boots the kernel of the disk; the guest ends by itself; its console stays."""
    assert d.state_of() == "absent"
    disk = box.disk()
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"], cmdline="root=/dev/sda1 ro 4")
    assert d.state_of() in ("starting", "running")
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])  # again: nothing happens
    d.wait_state("ended poweroff", BOOT_S)
    said = d.console()
    assert "pvboot" in said and "T: done" in said, said
    assert f"T: kernel {images.KERNELS.version(KERNEL)}" in said, said
    d.ask("shutdown", ID)
    d.ask("destroy", ID)
    assert d.state_of() == "absent" and d.console() == said
    d.ask("forget", ID)
    assert d.console() == ""
