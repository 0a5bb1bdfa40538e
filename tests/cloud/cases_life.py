"""The life of an instance that really boots: Xen in QEMU, pvboot, a distribution's kernel, an init."""
import base64
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import common  # noqa: E402
import images  # noqa: E402

from clients import client, fails, running
from instances import image, instances, run, wait
from harness import Skip
from service import Service

KERNEL = "debian12-cloud-amd64"
BOOT_S = 300  # 20 s on an idle machine without KVM

INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for m in /modules/*.ko; do insmod $m 2>/dev/null; done
n=0
while [ ! -b /dev/xvda1 ] && [ $n != 50 ]; do sleep 0.1; n=$((n + 1)); done
[ -z "$(cat /sys/block/xvdz/ro 2>/dev/null)" ] ||
	echo "T: seed, read-only $(cat /sys/block/xvdz/ro), $(grep -ao 'do-[a-z]*' /dev/xvdz)"
grep -aqs cidata /dev/xvdz && echo "T: label"
echo "T: kernel $(uname -r)"
echo "T: cmdline $(cat /proc/cmdline)"
case $(grep -aos 'do-[a-z]*' /dev/xvdz) in
do-poweroff) poweroff -f ;;
do-crash) echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger ;;
esac
echo "T: waiting"
while :; do sleep 0.2; done
"""


def initrd(path, linux_modules, busybox):
    c = images.Cpio(path)
    for d in ("bin", "dev", "modules", "proc", "sbin", "sys"):
        c.add(d, mode=0o40755)
    c.add("init", INIT, 0o100755)
    c.add("bin/busybox", busybox, 0o100755)
    for name in ("poweroff", "reboot"):  # what the kernel runs when it is asked to
        c.add(f"sbin/{name}", b"#!/bin/busybox sh\necho T: asked to %s >/dev/console\n"
              b"/bin/busybox %s -f\n" % (name.encode(), name.encode()), 0o100755)
    for m in sorted(linux_modules.iterdir()):
        c.add("modules/" + m.name, m.read_bytes(), 0o100755)
    c.close()


class Box:
    """A service with the embedded engine, an image with a kernel, and a kernel and a ramdisk."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        build = os.path.dirname(program)
        if not os.path.exists(f"{build}/images/pvboot-hd0-x86_64"):
            raise Skip("make images first")
        try:
            linux, busybox = images.KERNELS.vmlinuz(KERNEL), images.Images.busybox()
        except images.Missing as e:
            raise Skip(str(e)) from e
        initrd(f"{work}/initrd", images.KERNELS.get(KERNEL) / "modules", busybox)
        with open(f"{work}/initrd", "rb") as f:
            ramdisk = f.read()
        shutil.copyfile(linux, f"{work}/linux")
        for name, root in (("disk", "(hd0)"), ("part", "(hd0,0)")):
            entry = ("t", root, f"/boot/vmlinuz {common.ARGS}", "/boot/initrd")
            shutil.copyfile(images.Images(f"{build}/engines-images").disk(
                {"/boot/vmlinuz": linux, "/boot/initrd": ramdisk,
                 "/boot/grub/menu.lst": common.menu(entry)}), f"{work}/{name}")
        # one cache for all cases: the host's files are made once
        os.environ.setdefault("PVBOOT_CACHE", os.path.expanduser("~/.cache/pvboot"))
        self.extra = f"engine = embedded\npvboot-images = {build}/images\nstop-timeout = 120\n"

    def console(self, c, one):
        """Its text, which the API gives as Base64 and botocore decodes."""
        return c.get_console_output(InstanceId=one, Latest=True)["Output"]

    def says(self, c, one, text, times=1):
        end = time.time() + BOOT_S
        while self.console(c, one).count(text) < times:
            state = instances(c, InstanceIds=[one])[0]
            assert time.time() < end and state["State"]["Name"] in ("pending", "running"), \
                (text, state["State"], state.get("StateReason"), self.console(c, one)[-3000:])
            time.sleep(0.5)
        return self.console(c, one)


def start_with(c, one, data):
    """Start it with other user data."""
    c.modify_instance_attribute(InstanceId=one, UserData={"Value": data})
    c.start_instances(InstanceIds=[one])


def life_and_boots(box, c, s, cleanup):
    ami, aki, ari = (image(box.work, name, kind=kind, content=f"{box.work}/{name}")
                     for name, kind in (("disk", "machine"), ("linux", "kernel"),
                                        ("initrd", "ramdisk")))
    one, = run(c, ami, InstanceType="pv.nano", UserData="#!do-wait\n")
    cleanup.append(one)
    said = box.says(c, one, "T: waiting")
    assert "pvboot" in said and f"T: kernel {images.KERNELS.version(KERNEL)}" in said, said
    assert "T: seed, read-only 1, do-wait" in said and "T: label" in said, said
    wait(c, "running", [one], BOOT_S)
    fails("IncorrectInstanceState", c.modify_instance_attribute, InstanceId=one,
          Kernel={"Value": aki})

    c.reboot_instances(InstanceIds=[one])
    box.says(c, one, "T: waiting", 2)
    assert "T: asked to reboot" in box.console(c, one)

    s.kill()  # the guest goes on, and the next service finds it
    s.__init__(box.program, f"{box.work}/pvbootd.conf")
    c = client(s, "ec2")
    wait(c, "running", [one])
    c.stop_instances(InstanceIds=[one])
    stopped, = wait(c, "stopped", [one], BOOT_S)
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "T: asked to poweroff" in box.console(c, one)

    # the way out when the kernel in the disk does not boot
    c.modify_instance_attribute(InstanceId=one, Kernel={"Value": aki})
    c.modify_instance_attribute(InstanceId=one, Ramdisk={"Value": ari})
    start_with(c, one, b"do-poweroff")
    stopped, = wait(c, "stopped", [one], BOOT_S)
    assert stopped["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown", stopped
    last = box.console(c, one).rsplit("T: asked to poweroff", 1)[1]
    assert "T: cmdline root=/dev/xvda1 ro console=hvc0" in last and "pvboot" not in last, last

    # and back, with one command; the ramdisk that is still named is not in the way
    c.reset_instance_attribute(InstanceId=one, Attribute="kernel")
    start_with(c, one, b"do-crash")
    stopped, = wait(c, "stopped", [one], BOOT_S)
    assert "crashed" in stopped["StateReason"]["Message"], stopped
    last = box.console(c, one).rsplit("T: cmdline root=/dev/xvda1", 1)[1]
    assert "pvboot" in last and "sysrq" in last.lower(), last

    c.terminate_instances(InstanceIds=[one])
    wait(c, "terminated", [one])
    for _ in range(100):
        if len(os.listdir(f"{box.work}/state/blobs")) == 3:
            return
        time.sleep(0.1)
    raise AssertionError(os.listdir(f"{box.work}/state/blobs"))


def life_boots(program, work):
    """Run, console, reboot, kill -9 of the service, stop, another kernel, crash, terminate."""
    box = Box(program, work)
    cleanup = []
    with running(program, work, box.extra) as s:
        try:
            life_and_boots(box, client(s, "ec2"), s, cleanup)
        finally:
            c = client(s, "ec2")
            if cleanup:
                c.terminate_instances(InstanceIds=cleanup)
                wait(c, "terminated", cleanup)


def life_partitioned(program, work):
    """A disk with a partition table, called /dev/sda1, is the guest's sda; the instance goes when
    its guest ends."""
    box = Box(program, work)
    with open(f"{work}/table", "wb") as table, open(f"{work}/part", "rb") as part:
        table.seek(1 << 20)
        shutil.copyfileobj(part, table)
    subprocess.run(["/usr/sbin/sfdisk", "-q", f"{work}/table"], input=b"start=2048,type=83\n",
                   check=True, stdout=subprocess.DEVNULL)
    with running(program, work, box.extra) as s:
        c = client(s, "ec2")
        one, = run(c, image(work, "table", content=f"{work}/table", hd00=1), InstanceType="pv.nano",
                   UserData="do-poweroff", InstanceInitiatedShutdownBehavior="terminate")
        try:
            wait(c, "terminated", [one], BOOT_S)
            got, = instances(c)
            assert got["KernelId"] == "aki-4e7d9527", got
            assert got["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown", got
            said = box.console(c, one)
            assert "(hd0,0)" in said and "T: seed, read-only 1, do-poweroff" in said, said
        finally:
            c.terminate_instances(InstanceIds=[one])
            wait(c, "terminated", [one])


CASES = [life_boots, life_partitioned]
