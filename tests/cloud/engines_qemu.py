# SPDX-License-Identifier: MIT
"""The libvirt engine with a real hypervisor: QEMU without privileges, booting a Linux."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from engines_common import ID, Driver, Skip, counted, dom0_kernel, info, make_initrd, need, overlay, run

MODULES = ["virtio_pci", "virtio_blk", "button", "evdev"]
URI = "uri=qemu:///session"
SLOW = 4  # QEMU emulates the processor


class Daemon:
    """libvirtd of an ordinary user, in a folder of its own, which is removed with it."""

    def __init__(self, driver):
        need("libvirtd", "virtlogd", "qemu-system-x86_64", "qemu-img", "setpriv")
        self.dir = tempfile.mkdtemp(prefix="pvboot-engines-")
        self.prefix = []
        if os.geteuid() == 0: # libvirt's root is the whole machine's
            nobody = pwd.getpwnam("nobody")
            os.chown(self.dir, nobody.pw_uid, nobody.pw_gid)
            self.prefix = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        self.env = {"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": self.dir, "USER": "nobody"}
        for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            self.env[name] = f"{self.dir}/{name[4:]}"
            self.run("mkdir", "-m", "700", self.env[name])
        self.run("mkdir", self.state())
        self.driver = f"{self.dir}/engine_driver" # the build's folder may be closed to nobody
        shutil.copy(driver, self.driver)
        self.daemons = [self.begin("virtlogd"), self.begin("libvirtd")]

    def state(self):
        return f"{self.dir}/state"

    def run(self, *argv):
        return run(*self.prefix, *argv, env=self.env)

    def begin(self, program):
        return subprocess.Popen([*self.prefix, program, "--timeout", "600"], env=self.env,
                                stdout=open(f"{self.dir}/{program}.log", "w", encoding="utf-8"),
                                stderr=subprocess.STDOUT)

    def drive(self):
        end = time.monotonic() + 60
        while not os.path.exists(f"{self.env['XDG_RUNTIME_DIR']}/libvirt/libvirt-sock"):
            assert time.monotonic() < end, open(f"{self.dir}/libvirtd.log", encoding="utf-8").read()
            time.sleep(0.1)
        d = Driver(self.driver, "libvirt", self.state(), URI, prefix=self.prefix, env=self.env)
        return d

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.prefix, "virsh", "-c", "qemu:///session", "destroy", ID], env=self.env,
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for p in reversed(self.daemons):
            p.send_signal(signal.SIGTERM)
        for p in self.daemons:
            p.wait(60)
        shutil.rmtree(self.dir)


def guest(d):
    """A kernel, its ramdisk, and two disks: (settings, disks)."""
    vmlinuz, modules = dom0_kernel()
    shutil.copy(vmlinuz, f"{d.dir}/vmlinuz")
    make_initrd(f"{d.dir}/initrd", MODULES, modules)
    s = d.state()
    run("qemu-img", "create", "-q", "-f", "qcow2", f"{s}/base", "16M")
    overlay("base", f"{s}/root")
    overlay("base", f"{s}/data")
    with open(f"{s}/volume", "wb") as f:
        f.truncate(4 << 20)
    if d.prefix:
        run("chown", "-R", "nobody", s)
    return ({"kernel": f"{d.dir}/vmlinuz", "ramdisk": f"{d.dir}/initrd", "memory": 192,
             "cmdline": "console=ttyS0 panic=0 quiet"},
            [f"{s}/root,qcow2,sda1", f"{s}/data,qcow2,sdb"])


def a_kernel_boots(driver, _work):
    """A plain kernel and ramdisk: console, copies while it writes, volumes, a service killed, its end"""
    with Daemon(driver) as daemon:
        settings, disks = guest(daemon)
        d = daemon.drive()
        d.start(disks=disks, **settings)
        d.wait_console("T: wrote 2", 60 * SLOW)
        assert "disks vda vdb" in d.console(), d.console()

        s = daemon.state()
        before = int(d.console().rsplit("T: wrote ", 1)[1].split()[0])
        d.ask("copy", ID, "sdb", f"{s}/copy")
        after = int(d.console().rsplit("T: wrote ", 1)[1].split()[0])
        assert info(f"{s}/copy")["backing-filename"] == "base"
        run("qemu-img", "check", "-q", f"{s}/copy")
        assert before <= counted(f"{s}/copy") <= after + 1, (before, counted(f"{s}/copy"), after)

        d.kill()
        d = daemon.drive()
        assert d.state_of() == "running"
        d.wait_console(f"T: wrote {after + 2}", 30 * SLOW)

        def leave_copy(target):
            """As a service that was killed while it copied."""
            daemon.run("virsh", "-q", "-c", "qemu:///session", "blockcopy", ID, target, "--dest",
                       f"{s}/left-{target}", "--format", "qcow2", "--transient-job")

        leave_copy("vdb")
        d.ask("copy", ID, "sdb", f"{s}/copy-again")
        run("qemu-img", "check", "-q", f"{s}/copy-again")

        for _ in range(2):
            d.ask("attach", ID, f"{s}/volume,raw,sdf")
        d.wait_console("T: has vdc", 30 * SLOW)
        d.ask("copy", ID, "sdf", f"{s}/copy-of-volume")
        assert info(f"{s}/copy-of-volume")["virtual-size"] == 4 << 20
        leave_copy("vdc")
        for _ in range(2):
            d.ask("detach", ID, "sdf")

        d.ask("shutdown", ID)
        d.wait_state("ended poweroff", 60 * SLOW)
        d.wait_console("T: poweroff", 1)
        d.ask("destroy", ID)
        assert d.state_of() == "absent" and "T: poweroff" in d.console()
        d.ask("forget", ID)
        assert d.console() == ""
        d.close()


CASES = [a_kernel_boots]
