# SPDX-License-Identifier: MIT
"""The embedded engine, with guests that run: Xen in QEMU, pvboot, and a distribution's kernel.

The guest's init is made here (INIT): it does what the words of its command line say.
"""
import errno
import os
import re
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
		[ $((n % 10)) != 0 ] || echo "T: line $n"
	done ;;
*do=disks*) seen=
	while :; do
		now=$(ls /sys/block | grep xvd | tr '\\n' ' ')
		[ "$now" = "$seen" ] || echo "T: disks $now"
		seen=$now; sleep 0.2
		[ -n "$held" ] || [ ! -b /dev/xvdi ] ||
			{ mount -t ext4 /dev/xvdi /mnt; held=yes; echo "T: holds xvdi"; }
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
            for d in ("bin", "dev", "modules", "proc", "sbin", "sys", "mnt"):
                c.add(d, mode=0o40755)
            c.add("init", INIT, 0o100755)
            c.add("bin/busybox", self.busybox, 0o100755)
            # what the kernel runs when its host asks it to end or to start again
            for name in ("poweroff", "reboot"):
                c.add(f"sbin/{name}", b"#!/bin/busybox sh\necho T: asked to %s >/dev/console\n"
                      b"/bin/busybox %s -f\n" % (name.encode(), name.encode()), 0o100755)
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

    def open(self, *options):
        return Driver(self.driver_path, "embedded", self.state, f"program={self.program}", *options,
                      env=self.env)

    def runners(self, guest_id=ID):
        """The processes that run the guest; not what one of them forks and that is not another
        program yet."""
        parent = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().decode("utf-8", "replace").split("\0")
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                    above = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if words[1:3] == ["--run-guest", f"{self.state}/engine/{guest_id}"]:
                parent[int(pid)] = above
        return [pid for pid, above in parent.items() if above not in parent]

    def runner(self):
        found = self.runners()
        assert len(found) == 1, found
        return found[0]

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
        if d.p.returncode is None:
            d.close()
        assert set(os.listdir(f"{box.state}/engine")) <= {"cache", "turns"}
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


@embedded
def crashes(box, d):
    """A disk without a menu: pvboot says so on the console, and the instance has crashed."""
    disk = box.disk(files={"/etc/hostname": b"nothing to boot"})
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
    d.wait_state("ended crashed", BOOT_S)
    assert "menu.lst" in d.console(), d.console()
    # over the end of a former run, without a destroy; a kernel that is none
    with open(f"{box.work}/nothing", "wb") as f:
        f.write(b"no kernel" * 1000)
    said = d.console()
    d.start(kernel=f"{box.work}/nothing", disks=[f"{disk},qcow2,xvda"])
    d.wait_state("ended failed", BOOT_S)
    why = d.ask("status", ID)["detail"]
    assert "kernel" in why and "/" not in why, why
    assert d.console() == said


@embedded
def reboots_itself(box, d):
    """A guest that starts itself again finds what it wrote, and so does the file of its disk."""
    disk = box.disk("do=reboot")
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
    runner = None
    d.wait_console("T: first boot", BOOT_S)
    runner = box.runner()
    d.wait_console("T: second boot", BOOT_S)
    d.wait_state("ended poweroff", BOOT_S)
    assert runner and d.console().count("T: kernel") == 2, d.console()
    assert info(disk)["backing-filename"] == "disk.base"
    run("qemu-img", "convert", "-O", "raw", disk, f"{box.work}/flat")
    assert "second" in run(box.pvboot, "ls", f"{box.work}/flat", "(hd0)/")


@embedded
def is_asked(box, d):
    """The service asks a guest to start again and to end; both are heard by its kernel. The kernel
    and the ramdisk are plain ones."""
    d.start(kernel=box.linux, ramdisk=box.initrd(), cmdline=common.ARGS + " do=wait")
    d.wait_console("T: waiting", BOOT_S)
    assert d.state_of() == "running"
    d.ask("reboot", ID)
    d.wait_console("T: asked to reboot", BOOT_S)
    while d.console().count("T: waiting") < 2:
        assert d.state_of() == "running", d.state_of()
        time.sleep(0.5)
    d.ask("shutdown", ID)
    d.wait_console("T: asked to poweroff", BOOT_S)
    d.wait_state("ended poweroff", BOOT_S)
    assert "not run" in d.refused("reboot", ID)


@embedded
def outlives_the_service(box, d):
    """A service that is killed finds its guest again, from the first moment on; two starts at once
    are one. What is killed is the guest's end, and its disks are free then."""
    disk = box.disk("do=wait")
    d.p.stdin.write(f"start {ID}.guest\n")  # a path that is not there: refused
    d.p.stdin.flush()
    assert '"ok": false' in d.p.stdout.readline()
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
    d.kill()
    with box.open() as second, box.open() as third:
        assert second.state_of() in ("starting", "running")
        runner = box.runner()
        for e in (second, third):
            e.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
        assert box.runner() == runner
        second.wait_console("T: waiting", BOOT_S)
        assert second.state_of() == "running"
        assert "still runs" in third.refused("forget", ID)
        os.kill(runner, signal.SIGKILL)
        third.wait_state("ended failed", 30)
        assert "by force" in third.ask("status", ID)["detail"]
        assert "T: waiting" in third.console()
        run("qemu-io", "-f", "qcow2", "-c", "read 0 512", disk)  # QEMU's lock on it is gone


def wait_disks(d, *seen):
    """The guest has seen these disks, one set after the other."""
    end = time.monotonic() + BOOT_S
    while True:
        now = [line[9:].strip() for line in d.console().split("\n") if line.startswith("T: disks ")]
        if now == list(seen):
            return
        assert time.monotonic() < end and len(now) <= len(seen), (now, d.console())
        time.sleep(0.3)


@embedded
def start_is_killed(box, d):
    """A service that is killed at any moment of a start leaves one runner or none, and the next
    service knows which."""
    d.start(kernel=box.linux)  # writes the description that the others use
    d.ask("destroy", ID)
    seen = set()
    for n in range(24):
        e = box.open()
        e.ask("status", ID)  # it is ready
        e.p.stdin.write(f"start {box.state}/{ID}.guest\n")
        e.p.stdin.flush()
        time.sleep(n / 2000)
        e.kill()
        state = d.state_of()
        runners = box.runners()
        assert state in ("absent", "starting", "running"), state
        assert len(runners) <= 1, runners
        seen.add(state)
        d.start(kernel=box.linux)
        assert d.state_of() in ("starting", "running")
        end = time.monotonic() + 30  # what the killed one began may not be a runner yet
        while len(runners := box.runners()) != 1:
            assert time.monotonic() < end and not runners, runners
        d.ask("destroy", ID)
        assert d.state_of() == "absent" and not box.runners(), box.runners()
    assert "starting" in seen, seen


@embedded
def disks_come_and_go(box, d):
    disk, more = box.disk("do=disks"), box.disk(name="more", files={"/etc/hostname": b"more"})
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
    wait_disks(d, "xvda")
    for _ in range(2):  # again is a success
        d.ask("attach", ID, f"{more},qcow2,xvdf")
    wait_disks(d, "xvda", "xvda xvdf")
    assert "another disk" in d.refused("attach", ID, f"{disk},qcow2,xvdf")
    for _ in range(2):
        d.ask("detach", ID, "xvdf")
    wait_disks(d, "xvda", "xvda xvdf", "xvda")
    run("qemu-io", "-f", "qcow2", "-c", "read 0 512", more)
    why = d.refused("attach", ID, f"{box.work}/none,qcow2,xvdh")
    assert "/" not in why, why
    # Linux lets go of a disk that is mounted, too (older ones than 5.16 did not)
    d.ask("attach", ID, f"{more},qcow2,sdi")
    d.wait_console("T: holds xvdi", BOOT_S)
    d.ask("detach", ID, "sdi")
    wait_disks(d, "xvda", "xvda xvdf", "xvda", "xvda xvdi", "xvda")
    run("qemu-io", "-f", "qcow2", "-c", "read 0 512", more)
    d.ask("destroy", ID)
    assert d.state_of() == "absent"


@embedded
def copies(box, d):
    """Copies of a disk that its guest writes to all the time: each is a file system that recovers,
    as after a power cut, and holds what was written before the copy began."""
    disk = box.disk("do=write")
    d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"])
    d.wait_console("T: writing", BOOT_S)
    for n in range(3):
        to, flat = f"{box.work}/copy{n}", f"{box.work}/flat"
        shutil.rmtree(to, ignore_errors=True)
        d.ask("copy", ID, "xvda", to)
        at = info(to)
        assert at["format"] == "qcow2" and at["backing-filename"] == "disk.base", at
        assert at["backing-filename-format"] == "raw", at
        run("qemu-img", "convert", "-O", "raw", to, flat)
        said = run(box.pvboot, "cat", flat, "(hd0)/log").split("\n")
        lines = [line for line in said if line.startswith("line ")]
        assert lines[:5] == [f"line {i}" for i in range(1, 6)], lines[:6]
        assert "sbin" not in run(box.pvboot, "ls", flat, "(hd0)/")
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        first = subprocess.run(["e2fsck", "-fy", flat], env={"PATH": path}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        assert first.returncode in (0, 1), first.stdout.decode()
        run("e2fsck", "-fn", flat, env={"PATH": path})
    assert "no disk" in d.refused("copy", ID, "xvdz", f"{box.work}/copy9")
    assert not os.path.exists(f"{box.work}/copy9")
    assert d.state_of() == "running"


@embedded
def full_disk(box, d):
    """Where this machine has no room for what a guest writes, the guest stands still, and goes on
    when there is room."""
    if os.geteuid() != 0:
        raise Skip("only root can mount a small file system")
    small = f"{box.work}/small"
    box.disk("do=write")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", small],
                      stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip("no tmpfs can be mounted here")
    try:
        overlay("../disk.base", f"{small}/disk.qcow2", "raw")
        d.start(kernel=box.kernel, disks=[f"{small}/disk.qcow2,qcow2,xvda"])
        d.wait_console("T: writing", BOOT_S)
        end = time.monotonic() + BOOT_S
        with open(f"{small}/filler", "wb") as f:
            while True:
                room = os.statvfs(small)
                try:
                    os.posix_fallocate(f.fileno(), 0, max(room.f_bavail - 64, 1) * room.f_bsize)
                    break
                except OSError as e:  # the guest took of it meanwhile
                    assert e.errno == errno.ENOSPC and time.monotonic() < end, e
        while "the disk of this machine is full" not in box.log():
            assert time.monotonic() < end, d.console()
            time.sleep(0.5)
        assert d.state_of() == "running"
        lines = len(re.findall("T: line ", d.console()))
        os.remove(f"{small}/filler")
        d.wait_console(f"T: line {10 * (lines + 2)}", BOOT_S)
    finally:
        d.ask("destroy", ID)
        subprocess.run(["umount", small], check=False)


@embedded
def narrow(box, d):
    """A 32-bit instance needs a Xen that runs it."""
    kernel, disk = f"{box.kernel[:-6]}i386", box.disk(files={"/etc/hostname": b"nothing to boot"})
    why = d.refused_start(id=ID, narrow=1, kernel=kernel)
    assert "32-bit" in why and d.state_of() == "absent", why
    fetch = subprocess.run([f"{HERE}/../../tools/fetch-xen32.sh"], stdout=subprocess.PIPE, check=False)
    if fetch.returncode != 0:
        raise Skip(fetch.stdout.decode().strip("- \n"))
    with box.open(f"xen32={fetch.stdout.decode().strip()}") as e:
        e.start(narrow=1, kernel=kernel, disks=[f"{disk},qcow2,xvda"])
        e.wait_state("ended crashed", BOOT_S)
        assert "menu.lst" in e.console(), e.console()
