"""Volumes and snapshots of an instance that really runs: Xen in QEMU, pvboot, Linux.

Slow, a few minutes without KVM; skipped by name where the guest's parts are missing.
"""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

from clients import ONE, client
from disks import blob, files, look, put_instance, settle, snapshot, state, volume, wait_for
from harness import Skip
from service import Service, write_config

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import common  # noqa: E402
import images  # noqa: E402

KERNEL = "debian12-cloud-amd64"
PATIENCE_S = 600

# The guest writes a line, syncs it, and only then tells of it; and it tells which disks it has.
INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for m in /modules/*.ko; do insmod $m 2>/dev/null; done
while ! root=$(ls /sys/block | grep xvda); do sleep 0.1; done
mount -t ext4 /dev/$root /mnt && echo "T: found $(cat /mnt/log 2>/dev/null | wc -l) lines"
n=$(cat /mnt/log 2>/dev/null | wc -l); seen=
while :; do
	n=$((n + 1))
	echo "line $n" >>/mnt/log
	cp /bin/busybox /mnt/file$((n % 4))
	sync
	echo "T: synced $n"
	now=$(ls /sys/block | grep xvd | tr '\\n' ' ')
	[ "$now" = "$seen" ] || echo "T: disks $now"
	seen=$now
	sleep 0.2
done
"""


def parts(program):
    """The service without sanitizers and the folder of pvboot's images."""
    build = os.path.dirname(program)
    if not os.path.exists(f"{build}/images/pvboot-hd0-x86_64"):
        raise Skip("make images first")
    for tool in ("qemu-system-x86_64", "mke2fs"):
        if subprocess.run(["sh", "-c", f"PATH=$PATH:/sbin:/usr/sbin command -v {tool}"],
                          stdout=subprocess.DEVNULL, check=False).returncode:
            raise Skip(f"{tool} is missing")
    return f"{build}/pvbootd", f"{build}/images"


def disk(work):
    """A file system with a menu, a kernel, and an initrd that writes."""
    try:
        linux, busybox = images.KERNELS.vmlinuz(KERNEL), images.Images.busybox()
    except images.Missing as e:
        raise Skip(str(e)) from e
    c = images.Cpio(f"{work}/initrd")
    for d in ("bin", "dev", "modules", "proc", "sys", "mnt"):
        c.add(d, mode=0o40755)
    c.add("init", INIT, 0o100755)
    c.add("bin/busybox", busybox, 0o100755)
    for m in sorted((images.KERNELS.get(KERNEL) / "modules").iterdir()):
        c.add("modules/" + m.name, m.read_bytes(), 0o100755)
    c.close()
    with open(f"{work}/initrd", "rb") as f:
        initrd = f.read()
    entry = ("t", "(hd0)", f"/boot/vmlinuz {common.ARGS}", "/boot/initrd")
    return images.Images(f"{work}/disks").disk(
        {"/boot/vmlinuz": linux, "/boot/initrd": initrd, "/boot/grub/menu.lst": common.menu(entry)},
        size_mib=128)


def console(c, instance):
    return c.get_console_output(InstanceId=instance).get("Output", "").replace("\r", "")


def wait_console(c, instance, pattern):
    """What the pattern last found on the console."""
    end = time.monotonic() + PATIENCE_S
    while True:
        said = console(c, instance)
        found = re.findall(pattern, said)
        if found:
            return found[-1]
        row = describe(c, instance)
        assert time.monotonic() < end and row["State"]["Name"] in ("pending", "running"), \
            (pattern, row.get("StateReason"), said)
        time.sleep(1)


def synced(c, instance):
    return int(re.findall(r"T: synced (\d+)", console(c, instance))[-1])


def register(c, name, snap):
    ami = c.register_image(Name=name, Architecture="x86_64", RootDeviceName="/dev/sda1",
                           KernelId="aki-427d952b", VirtualizationType="paravirtual",
                           BlockDeviceMappings=[{"DeviceName": "/dev/sda1",
                                                 "Ebs": {"SnapshotId": snap}}])["ImageId"]
    wait_for(lambda: c.describe_images(ImageIds=[ami])["Images"][0]["State"] != "pending", 2400)
    return ami


class Box:
    """A service that may be killed while its guests go on, and the client of the present one."""

    def __init__(self, program, work, extra):
        self.program, self.config, self.service = program, write_config(work, extra), None

    def start(self):
        self.service = Service(self.program, self.config)
        self.c = client(self.service, "ec2")
        return self.c

    @contextlib.contextmanager
    def living(self, ami):
        """An instance that writes, and its root volume; it is terminated at the end."""
        made = self.c.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="pv.nano")
        instance = made["Instances"][0]["InstanceId"]
        try:
            wait_console(self.c, instance, r"T: synced 5\b|T: synced \d\d")
            row = describe(self.c, instance)
            yield instance, row["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        finally:
            self.c.terminate_instances(InstanceIds=[instance])
            wait_for(lambda: describe(self.c, instance)["State"]["Name"] == "terminated", 2400)


def describe(c, instance):
    return c.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def attachment(c, vol):
    return [a["State"] for a in look(c, vol)["Attachments"]]


def come_and_go(c, instance):
    """A disk, while the guest runs."""
    more = volume(c, Size=1)
    c.attach_volume(VolumeId=more, InstanceId=instance, Device="/dev/sdf")
    wait_for(lambda: attachment(c, more) == ["attached"], 2400)
    wait_console(c, instance, r"T: disks .*xvdf")
    c.detach_volume(VolumeId=more)
    wait_for(lambda: look(c, more)["State"] == "available", 2400)
    wait_for(lambda: "xvdf" not in re.findall("T: disks .*", console(c, instance))[-1], 600)


def slow_guest(c, work, instance):
    """While what runs one instance takes its time with a disk, another one is seen to."""
    pid = int(subprocess.check_output(["pgrep", "-f", f"run-guest .*{instance}"]))
    more, other = volume(c, Size=1), "i-00000001"
    settle(c, more)
    os.kill(pid, signal.SIGSTOP)
    try:
        c.attach_volume(VolumeId=more, InstanceId=instance, Device="/dev/sdg")
        time.sleep(1)
        put_instance(work, other, ONE, "stopping")
        wait_for(lambda: describe(c, other)["State"]["Name"] == "stopped", 1200)
        assert attachment(c, more) == ["attaching"]
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: attachment(c, more) == ["attached"], 2400)
    wait_console(c, instance, r"T: disks .*xvdg")
    c.terminate_instances(InstanceIds=[other])


def copy_killed(box, work, root):
    """kill -9 of the service while the engine copies: made at the next start, nothing left over."""
    made = box.c.create_snapshot(VolumeId=root)["SnapshotId"]
    time.sleep(0.2)
    box.service.kill()
    c = box.start()
    settle(c, made, tries=6000)
    known = sorted(r[0] for r in state(work).execute("SELECT id FROM blob"))
    assert known == files(work), (known, files(work))
    path, _ = blob(work, made)
    subprocess.run(["qemu-img", "check", "-q", path], check=True)


def live_volumes(program, work):
    """A disk comes and goes while the guest runs; a snapshot of its root disk boots, and has what
    was synced before it was asked for."""
    program, folder = parts(program)
    # The host's own files are made once for all tests.
    os.environ.setdefault("PVBOOT_CACHE", os.path.expanduser("~/.cache/pvboot"))
    box = Box(program, work, f"engine = embedded\npvboot-images = {folder}\n")
    c = box.start()
    try:
        vol = volume(c, Size=1)
        subprocess.run(["dd", f"if={disk(work)}", f"of={blob(work, vol)[0]}", "bs=1M",
                        "conv=notrunc,sparse", "status=none"], check=True)
        with box.living(register(c, "first", snapshot(c, vol))) as (instance, root):
            come_and_go(c, instance)
            slow_guest(c, work, instance)
            before = synced(c, instance)
            snap = c.create_snapshot(VolumeId=root)["SnapshotId"]
            settle(c, snap, tries=6000)
            after = synced(c, instance)
            copy_killed(box, work, root)
            c = box.c
            wait_console(c, instance, rf"T: synced {after + 3}\b")  # it goes on
        path, form = blob(work, snap)
        assert form == "qcow2"
        subprocess.run(["qemu-img", "check", "-q", path], check=True)
        assert os.stat(path).st_blocks * 512 < 120 << 20, "it holds more than its own bytes"

        with box.living(register(c, "second", snap)) as (instance, root):
            said = console(c, instance)
            found = int(re.findall(r"T: found (\d+) lines", said)[0])
            assert before <= found <= after + 1, (before, found, after)
            assert "journal replayed" in said, said
        wait_for(lambda: len(c.describe_volumes()["Volumes"]) == 3)  # the roots went along
    finally:
        assert box.service.stop() == 0, "".join(box.service.errors)


CASES = [live_volumes]
